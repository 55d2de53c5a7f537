-- A halt that a script set in another partition counts here too.
--
-- One that stands here already stays, and one that was lifted since does not come back ('stale'); of the same
-- millisecond, the halt counts.
--
-- KEYS: halts, audit, when a halt of this scope was lifted last
-- ARGV: id of what led to it, scope, fleet, halt (JSON), when it was set (ms since 1970), by, reason

local halts, audit_key, lifted = unpack(KEYS)
local id, scope, fleet, halt, at, by, reason = unpack(ARGV)

if redis.call('HEXISTS', halts, scope) == 1 then return {'again', ''} end
if tonumber(redis.call('GET', lifted) or 0) > tonumber(at) then return {'stale', ''} end

redis.call('HSET', halts, scope, halt)
audit(audit_key, id, 'halted', 'fleet', fleet, 'by', by, 'reason', reason, 'details', halt)
return {'halted', halt}
