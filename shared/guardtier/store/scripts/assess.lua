-- (nothing) → assessed: an analyzer worker has rated an action.
--
-- The same id with the same digest is answered with what stands. With another digest it is another
-- action: 'conflict', and the caller refuses it. A second delivery of the same entry changes nothing.
--
-- KEYS: record, actions stream, assessed stream, audit, reply stream, dead letters, the agent's open
--       actions
-- ARGV: group, entry, id, fleet, client, agent, digest, event, assessment, risk, retain_ms, keep_ms,
--       dead letter's why, tool, conversation ('' for none), 'edit' where the client takes an approver's
--       edit of it ('' if not)

local record, actions, assessed, audit_key, reply, dead, open = unpack(KEYS)
local group, entry, id, fleet, client, agent, digest, event, assessment, risk, retain_ms, keep_ms, why,
  tool, conversation, accepts = unpack(ARGV)

local state, known, verdict, waiters, first, deadline, asked = unpack(redis.call(
  'HMGET', record, 'state', 'digest', 'verdict', 'waiters', 'entry', 'deadline', 'asked'))

if not state then
  redis.call('HSET', record, 'state', 'assessed', 'fleet', fleet, 'waiters', client,
    'digest', digest, 'event', event, 'entry', entry, 'assessment', assessment)
  if accepts ~= '' then redis.call('HSET', record, 'accepts', accepts) end
  redis.call('XADD', assessed, '*',
    'id', id, 'fleet', fleet, 'agent', agent, 'client', client,
    'digest', digest, 'assessment', assessment, 'tool', tool, 'conversation', conversation)
  -- The list gets its own end when something is parked: most are released in a moment, and leave it.
  redis.call('ZADD', open, whole(string.match(entry, '%d+') + retain_ms), id)
  audit(audit_key, id, 'assessed', 'fleet', fleet, 'digest', digest, 'risk', risk)
  if why ~= '' then entomb(dead, why, id, actions, event, entry) end
  redis.call('XACK', actions, group, entry)
  return {'assessed', 'assessed'}
end

if first == entry then
  redis.call('XACK', actions, group, entry)
  return {'again', state}
end
if (asked or known) ~= digest then return {'conflict', state} end

redis.call('HSET', record, 'waiters', with_waiter(waiters, client))
if accepts ~= '' then redis.call('HSET', record, 'accepts', accepts) else redis.call('HDEL', record, 'accepts') end
if verdict then
  tell(reply, keep_ms, id, state, 'verdict', verdict)
else
  tell(reply, keep_ms, id, state, 'deadline', deadline or '')
end
audit(audit_key, id, 'repeated', 'fleet', fleet, 'digest', digest, 'state', state)
redis.call('XACK', actions, group, entry)
return {'repeated', state}
