-- No change of state: a grant was revoked; the approver is told, the audit stream shows it once.
--
-- KEYS: answers stream, audit, the approver's own stream
-- ARGV: group, entry, request's id, fleet, grant's id, approver, keep_ms

local answers, audit_key, told = unpack(KEYS)
local group, entry, id, fleet, grant, approver, keep_ms = unpack(ARGV)

if #redis.call('XPENDING', answers, group, entry, entry, 1) == 0 then return {'again', ''} end

audit(audit_key, id, 'revoked', 'fleet', fleet, 'by', approver, 'details', cjson.encode({grant = grant}))
tell(told, keep_ms, id, 'revoked', 'body', grant, 'entry', entry)
redis.call('XACK', answers, group, entry)
return {'revoked', ''}
