-- No change of state: a request is refused; its sender is told, the audit stream shows it. Once: whoever comes
-- second, or after it took effect, changes nothing ('again').
--
-- KEYS: the stream it came by, audit, dead letters, the sender's stream (left out where the sender
--       can't be told)
-- ARGV: group, entry, id, event, sender, error (JSON), keep_ms, dead letter's why, payload, '1' where
--       the entry holds what must not stay ('' if not)

local stream, audit_key, dead, reply = unpack(KEYS)
local group, entry, id, event, sender, problem, keep_ms, why, payload, secret = unpack(ARGV)

if not is_open(stream, group, entry) then return {'again', ''} end
audit(audit_key, id, event, 'by', sender, 'error', problem, 'stream', stream, 'entry', entry)
if reply then tell(reply, keep_ms, id, 'refused', 'error', problem, 'entry', entry) end
if why ~= '' then entomb(dead, why, id, stream, payload, entry) end
redis.call('XACK', stream, group, entry)
if secret ~= '' then redis.call('XDEL', stream, entry) end
return {'refused', ''}
