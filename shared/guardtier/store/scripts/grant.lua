-- No action's state: an approval that is to be remembered is kept for its fleet.
--
-- The same grant once more changes nothing, also when it was revoked meanwhile: what is revoked stays
-- listed ('-', when it would have expired, who asked for it) for as long as the grant would have counted.
-- Those take no grant's place; only where they are many times as many as grants may be is it 'full' too.
--
-- KEYS: the fleet's grants
-- ARGV: grant's id, grant (JSON), when it expires (ms), the most grants of a fleet

local grants = KEYS[1]
local id, grant, expires_at, most = unpack(ARGV)
local now = now_ms()

local kept = redis.call('HGET', grants, id)
if kept then return {string.sub(kept, 1, 1) == '-' and 'revoked' or 'known', ''} end
if tonumber(expires_at) <= now then return {'expired', ''} end

if redis.call('HLEN', grants) >= tonumber(most) then -- those that are over make room
  local all = redis.call('HGETALL', grants)
  local stand, revoked = 0, 0
  for i = 1, #all, 2 do
    if all[i] ~= '*' then
      local was = string.match(all[i + 1], '^%-(%d+)')
      local read, known = pcall(cjson.decode, all[i + 1])
      local ends = tonumber(was) or (read and type(known) == 'table' and tonumber(known.expires_at)) or 0
      if ends <= now then
        redis.call('HDEL', grants, all[i])
      elseif was then
        revoked = revoked + 1
      else
        stand = stand + 1
      end
    end
  end
  if stand >= tonumber(most) or revoked >= 10 * most then return {'full', ''} end
end

redis.call('HSET', grants, id, grant, '*', whole(now) .. ' ' .. id)
if redis.call('PTTL', grants) < expires_at - now then redis.call('PEXPIREAT', grants, expires_at) end
return {'granted', ''}
