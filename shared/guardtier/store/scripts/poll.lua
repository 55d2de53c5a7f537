-- No change of state: a client asks for an earlier action and waits for it from now on.
--
-- KEYS: record, actions stream, reply stream
-- ARGV: group, entry, id, fleet, client, keep_ms

local record, actions, reply = unpack(KEYS)
local group, entry, id, fleet, client, keep_ms = unpack(ARGV)

local state, owner, verdict, waiters, deadline, digest, asked =
  unpack(redis.call('HMGET', record, 'state', 'fleet', 'verdict', 'waiters', 'deadline', 'digest', 'asked'))

if not state or owner ~= fleet then return {'unknown', ''} end
if verdict then
  tell(reply, keep_ms, id, state, 'verdict', verdict)
else
  redis.call('HSET', record, 'waiters', with_waiter(waiters, client))
  tell(reply, keep_ms, id, state, 'deadline', deadline or '', 'digest', asked or digest)
end
redis.call('XACK', actions, group, entry)
return {'told', state}
