-- No action's state: what was rejected in another partition is refused here as well, for as long.
--
-- It may be asked for again, and late: where it stands, or one that lasts longer does, nothing changes.
--
-- KEYS: the block on this very action, audit
-- ARGV: id of what was rejected, fleet, digest, who rejected it, block (JSON), when it ends (ms since
--       1970), details for the audit line (JSON)

local block, audit_key = unpack(KEYS)
local id, fleet, digest, by, body, ends, details = unpack(ARGV)

local left = ends - now_ms()
if redis.pcall('GET', block) == body then return {'again', ''} end
if left <= 0 then return {'late', ''} end
if redis.call('PTTL', block) > left then return {'stale', ''} end
audit(audit_key, id, 'blocked', 'fleet', fleet, 'digest', digest, 'by', by, described(details))
bar(block, body, left)
return {'blocked', ''}
