-- No change of state: what stood in the outbox has been done, or is given up with a dead letter. What is
-- to be said of it stands on the audit stream once.
--
-- KEYS: outbox, dead letters, audit
-- ARGV: group, entry, id, dead letter's why, body, then, where there is something to say, an event and
--       pairs of field and value

local outbox, dead, audit_key = unpack(KEYS)
local group, entry, id, why, body, event = unpack(ARGV)

local first = #redis.call('XPENDING', outbox, group, entry, entry, 1) == 1
if why ~= '' then redis.call('XRANGE', dead, '-', '-') end -- of another type: no line at each delivery
if event and first then audit(audit_key, id, event, unpack(ARGV, 7)) end
if why ~= '' then entomb(dead, why, id, outbox, body, entry) end
redis.call('XACK', outbox, group, entry)
return {'done', ''}
