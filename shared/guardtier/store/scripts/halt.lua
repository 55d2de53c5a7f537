-- A fleet, an agent or a conversation is halted: an approver's request, which the caller has checked.
--
-- Nothing is acknowledged here: the caller then sees to what is parked, and reports. A request that
-- comes once more, delivered or sent, changes nothing: it is given the halt that it set.
--
-- KEYS: halts, audit, mark of the request, fleets
-- ARGV: request's id, scope, fleet, halt (JSON), by, reason, milliseconds for the mark

local halts, audit_key, mark, fleets = unpack(KEYS)
local id, scope, fleet, halt, by, reason, mark_ms = unpack(ARGV)

local known = redis.call('GET', mark)
if known then return {'again', known} end
if redis.call('SISMEMBER', fleets, fleet) == 0 then return {'unknown', ''} end

redis.call('HSET', halts, scope, halt)
audit(audit_key, id, 'halted', 'fleet', fleet, 'by', by, 'reason', reason, 'details', halt)
redis.call('SET', mark, halt, 'PX', mark_ms)
return {'halted', halt}
