-- (nothing) → assessed: an analyzer worker has rated an action.
--
-- The same id with the same digest is answered with what stands. With another digest it is another
-- action: 'conflict', and the caller refuses it; also one whose entry is dated to come ('ahead': it would
-- stand behind all that is said of it). A second delivery of the same entry changes nothing.
--
-- KEYS: record, actions stream, assessed stream, audit, reply stream, dead letters, the agent's open
--       actions
-- ARGV: group, entry, id, fleet, client, agent, digest, event, assessment, risk, retain_ms, keep_ms,
--       dead letter's why, tool, conversation ('' for none), 'edit' where the client takes an approver's
--       edit of it ('' if not), the marks of what it holds and the record does not ('' for none: it need not
--       go), the rules of those marks, the SHA-256 of the event that has them, '1' where the caller takes the entry for one of a time to come, by its own clock ('' if not)

local record, actions, assessed, audit_key, reply, dead, open = unpack(KEYS)
local group, entry, id, fleet, client, agent, digest, event, assessment, risk, retain_ms, keep_ms, why,
  tool, conversation, accepts, wipe, rules, shown, doubted = unpack(ARGV)

local function redacted(what)
  if wipe ~= '' then return 'redacted', what, 'shown', shown end
end

local function acknowledge()
  redis.call('XACK', actions, group, entry)
  if wipe ~= '' then redis.call('XDEL', actions, entry) end
end

local state, known, verdict, waiters, first, deadline, asked = unpack(redis.call(
  'HMGET', record, 'state', 'digest', 'verdict', 'waiters', 'entry', 'deadline', 'asked'))

if not state then
  if doubted ~= '' and is_ahead(entry) then return {'ahead', ''} end
  audit(audit_key, id, 'assessed', 'fleet', fleet, 'digest', digest, 'risk', risk, redacted(wipe))
  -- Before the record: where this can't be written, the next delivery finds nothing and tries again.
  redis.call('XADD', assessed, '*',
    'id', id, 'fleet', fleet, 'agent', agent, 'client', client,
    'digest', digest, 'assessment', assessment, 'tool', tool, 'conversation', conversation, redacted(rules))
  redis.call('HSET', record, 'state', 'assessed', 'fleet', fleet, 'waiters', client,
    'digest', digest, 'event', event, 'entry', entry, 'assessment', assessment)
  if accepts ~= '' then redis.call('HSET', record, 'accepts', accepts) end
  -- The list gets its own end when something is parked: most are released in a moment, and leave it.
  redis.call('ZADD', open, whole(string.match(entry, '%d+') + retain_ms), id)
  if why ~= '' then entomb(dead, why, id, actions, event, entry) end
  acknowledge()
  return {'assessed', 'assessed'}
end

if first == entry then
  acknowledge()
  return {'again', state}
end
if (asked or known) ~= digest then return {'conflict', state} end

redis.call('XLEN', reply) -- of another type: no line at each delivery
audit(audit_key, id, 'repeated', 'fleet', fleet, 'digest', digest, 'state', state)
redis.call('HSET', record, 'waiters', with_waiter(waiters, client))
if accepts ~= '' then redis.call('HSET', record, 'accepts', accepts) else redis.call('HDEL', record, 'accepts') end
if verdict then
  tell(reply, keep_ms, id, state, 'verdict', verdict)
else
  tell(reply, keep_ms, id, state, 'deadline', deadline or '')
end
acknowledge()
return {'repeated', state}
