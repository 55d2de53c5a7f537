-- No change of state: what stood in the outbox has been done, or is given up with a dead letter.
--
-- KEYS: outbox, dead letters
-- ARGV: group, entry, id, dead letter's why, body

local outbox, dead = unpack(KEYS)
local group, entry, id, why, body = unpack(ARGV)

if why ~= '' then entomb(dead, why, id, outbox, body) end
redis.call('XACK', outbox, group, entry)
return {'done', ''}
