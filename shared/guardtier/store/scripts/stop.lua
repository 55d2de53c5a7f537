-- parked → rejected: what waits is rejected since it is halted. Or, where nobody asked for that, its
-- clients are told that it waits under a halt.
--
-- Only while the very halt stands that the caller acts for: once somebody has resumed, nothing more is
-- rejected ('lifted').
--
-- KEYS: record, parked, audit, the agent's open actions, halts, reply stream of each waiter
-- ARGV: id, waiters, digest, scope, halt (JSON), verdict ('' where it is only told), by, reason, details
--       (JSON), retain_ms, keep_ms

local record, parked, audit_key, open, halts = unpack(KEYS, 1, 5)
local id, expected, seen, scope, halt, verdict, by, reason, details, retain_ms, keep_ms = unpack(ARGV)

local state, waiters, fleet, digest, deadline =
  unpack(redis.call('HMGET', record, 'state', 'waiters', 'fleet', 'digest', 'deadline'))

if state ~= 'parked' then return {'stale', state or ''} end
if redis.call('HGET', halts, scope) ~= halt then return {'lifted', state} end
if digest ~= seen then return {'digest', state} end
if waiters ~= expected then return {'waiters', waiters} end

if verdict == '' then
  for i = 6, #KEYS do tell(KEYS[i], keep_ms, id, state, 'deadline', deadline, 'halted', halt) end
  return {'told', state}
end
audit(audit_key, id, 'rejected', 'fleet', fleet, 'digest', digest, 'by', by, 'reason', reason,
  'details', details)
redis.call('HSET', record, 'state', 'rejected', 'verdict', verdict)
redis.call('PEXPIRE', record, retain_ms)
redis.call('ZREM', parked, id)
redis.call('ZREM', open, id)
for i = 6, #KEYS do tell(KEYS[i], keep_ms, id, 'rejected', 'verdict', verdict) end
return {'rejected', 'rejected'}
