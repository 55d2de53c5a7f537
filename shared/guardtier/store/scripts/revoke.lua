-- No action's state: a grant releases nothing from now on. The same request once more changes nothing.
--
-- KEYS: the fleet's grants
-- ARGV: grant's id, the request's id, for how long it stays known where its own end can't be read (ms)

local grants = KEYS[1]
local id, request, keep_ms = unpack(ARGV)

local kept = redis.call('HGET', grants, id)
if not kept then return {'unknown', ''} end
if string.sub(kept, 1, 1) == '-' then
  return {string.match(kept, ' (.*)$') == request and 'revoked' or 'gone', ''}
end

local read, grant = pcall(cjson.decode, kept)
local ends = read and type(grant) == 'table' and tonumber(grant.expires_at) or now_ms() + keep_ms
redis.call('HSET', grants, id, '-' .. whole(ends) .. ' ' .. request, '*', whole(now_ms()) .. ' -' .. id)
return {'revoked', ''}
