-- assessed → released | rejected | parked: the policy worker has decided.
--
-- Replies go to the clients that wait now; where one came since the caller looked, the caller is
-- given the list that stands ('waiters') and asks again with their streams.
--
-- KEYS: record, assessed stream, parked, audit, dead letters, reply stream of each waiter
-- ARGV: group, entry, id, waiters, outcome, verdict ('' where it parks), policy version,
--       milliseconds until the deadline, retain_ms, keep_ms, dead letter's why

local record, assessed, parked, audit_key, dead = unpack(KEYS, 1, 5)
local group, entry, id, expected, outcome, verdict, policy, park_ms, retain_ms, keep_ms, why =
  unpack(ARGV)

local state, waiters, fleet, digest =
  unpack(redis.call('HMGET', record, 'state', 'waiters', 'fleet', 'digest'))

if state ~= 'assessed' then
  redis.call('XACK', assessed, group, entry)
  return {'stale', state or ''}
end
if waiters ~= expected then return {'waiters', waiters} end

if outcome == 'parked' then
  local deadline = whole(now_ms() + park_ms)
  redis.call('HSET', record, 'state', outcome, 'policy', policy, 'deadline', deadline)
  redis.call('ZADD', parked, deadline, id)
  for i = 6, #KEYS do tell(KEYS[i], keep_ms, id, outcome, 'deadline', deadline) end
  audit(audit_key, id, outcome, 'fleet', fleet, 'policy', policy) -- its digest: the record before
  if why ~= '' then entomb(dead, why, id, assessed, '') end
  redis.call('XACK', assessed, group, entry)
  return {outcome, deadline}
end

redis.call('HSET', record, 'state', outcome, 'policy', policy, 'verdict', verdict)
redis.call('PEXPIRE', record, retain_ms)
for i = 6, #KEYS do tell(KEYS[i], keep_ms, id, outcome, 'verdict', verdict) end
audit(audit_key, id, outcome, 'fleet', fleet, 'digest', digest, 'policy', policy)
redis.call('XACK', assessed, group, entry)
return {outcome, outcome}
