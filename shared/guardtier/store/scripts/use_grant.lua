-- No action's state: an action is about to be released by these grants; each counts it once.
--
-- All of them or none. The same delivery of it once more is counted no second time.
--
-- KEYS: the fleet's grants, the uses of each grant
-- ARGV: what is counted (the action's id and its entry), the grants' ids in the same order

local grants = KEYS[1]
local action = ARGV[1]
local now = now_ms()
local ends = {}

for i = 2, #ARGV do
  local kept = redis.call('HGET', grants, ARGV[i])
  local read, grant = pcall(cjson.decode, kept or '')
  if not read or type(grant) ~= 'table' then return {'gone', ARGV[i]} end
  ends[i] = tonumber(grant.expires_at) or 0
  if ends[i] <= now then return {'expired', ARGV[i]} end
  local counted = redis.call('SISMEMBER', KEYS[i], action) == 1
  if not counted and redis.call('SCARD', KEYS[i]) >= (tonumber(grant.max_uses) or 0) then
    return {'exhausted', ARGV[i]}
  end
end

for i = 2, #ARGV do
  redis.call('SADD', KEYS[i], action)
  redis.call('PEXPIREAT', KEYS[i], whole(ends[i]))
end
return {'used', ''}
