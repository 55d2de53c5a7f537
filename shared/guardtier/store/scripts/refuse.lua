-- No change of state: a request is refused; its sender is told, the audit stream shows it. Once: whoever comes
-- second, or after it took effect, changes nothing ('again').
--
-- KEYS: the stream it came by, audit, dead letters, the sender's stream (left out where the sender
--       can't be told)
-- ARGV: group, entry, id, event, sender, error (JSON), keep_ms, dead letter's why, payload, '1' where
--       the entry holds what must not stay ('' if not)

local stream, audit_key, dead, reply = unpack(KEYS)
local group, entry, id, event, sender, problem, keep_ms, why, payload, secret = unpack(ARGV)

-- Where Redis is out of memory, what must not stay makes the room for its own line: it may be what fills it.
local function make_room()
  local ends = redis.pcall('GET', chain_key)
  local tried = type(ends) == 'string' and redis.pcall('SET', chain_key, ends)
  if tried and tried.err and string.find(tried.err, 'OOM', 1, true) then redis.call('XDEL', stream, entry) end
end

if not is_open(stream, group, entry) then return {'again', ''} end
if reply then redis.call('XLEN', reply) end -- of another type: no line at each delivery
if why ~= '' then redis.call('XLEN', dead) end
if secret ~= '' then make_room() end
audit(audit_key, id, event, 'by', sender, 'error', problem, 'stream', stream, 'entry', entry)
if reply then tell(reply, keep_ms, id, 'refused', 'error', problem, 'entry', entry) end
-- Whoever names no client has copies made, as fast as they can send: these end where 10,000 are kept.
if why ~= '' and (reply or redis.call('XLEN', dead) < 10000) then
  entomb(dead, why, id, stream, string.sub(payload, 1, reply and 65536 or 4096), entry)
end
redis.call('XACK', stream, group, entry)
if secret ~= '' then redis.call('XDEL', stream, entry) end
return {'refused', ''}
