-- Where the key with the positions of exports is no hash any more: make it anew, with the one of this export.
-- The caller knows that nobody else's was in it; else what another export lacks could be trimmed (forget.lua).
--
-- KEYS: how far each export has got
-- ARGV: export, how far it has got

local exported = KEYS[1]
local found = redis.pcall('HGET', exported, ARGV[1])
if type(found) ~= 'table' or not found.err or not string.match(found.err, '^WRONGTYPE') then
  return {'readable', ''}
end
redis.call('DEL', exported)
redis.call('HSET', exported, ARGV[1], ARGV[2])
return {'remade', ''}
