-- parked → expired: nobody answered before the deadline.
--
-- Where the terms say so, what the action belongs to is halted in the same step. A halt that stands there
-- already stays as it is. Where the action was edited since the caller looked, the caller is given its
-- digest ('moved') and asks again with a verdict on that one.
--
-- KEYS: record, parked, audit, the agent's open actions, halts, outbox, reply stream of each waiter
-- ARGV: id, waiters, verdict, its digest, retain_ms, keep_ms, what is halted ('' for nothing), the halt
--       (JSON), by whom, why, then what goes to the outbox

local record, parked, audit_key, open, halts, outbox = unpack(KEYS, 1, 6)
local id, expected, verdict, seen, retain_ms, keep_ms, scope, halt, by, reason =
  unpack(ARGV, 1, 10)

local state, waiters, fleet, digest, deadline =
  unpack(redis.call('HMGET', record, 'state', 'waiters', 'fleet', 'digest', 'deadline'))

if state ~= 'parked' then
  redis.call('ZREM', parked, id) -- a record that was lost or decided leaves no ghost behind
  return {'stale', state or ''}
end
if tonumber(deadline) > now_ms() then return {'early', deadline} end
if digest ~= seen then return {'moved', state, digest} end
if waiters ~= expected then return {'waiters', waiters} end
-- what can't be looked at can't be written either, and every decision parks then
local free, set = scope ~= '' and redis.pcall('HEXISTS', halts, scope) == 0
if free then
  scope, set = halt_to_set(halts, scope, halt)
  free = redis.call('HEXISTS', halts, scope) == 0
end

if free and ARGV[11] then redis.call('XRANGE', outbox, '-', '-') end -- where others can't be told, nothing begins
audit(audit_key, id, 'expired', 'fleet', fleet, 'digest', digest)
if free then
  audit(audit_key, id, 'halted', 'fleet', fleet, 'by', by,
    'reason', cjson.decode(set).reason, 'details', set)
  for i = 12, #ARGV, 2 do
    if ARGV[i] == halt then ARGV[i] = set end
  end
  post(outbox, id, 11)
  redis.call('HSET', halts, scope, set)
end
redis.call('HSET', record, 'state', 'expired', 'verdict', verdict)
redis.call('PEXPIRE', record, retain_ms)
redis.call('ZREM', parked, id)
redis.call('ZREM', open, id)
for i = 7, #KEYS do tell(KEYS[i], keep_ms, id, 'expired', 'verdict', verdict) end
return {'expired', 'expired'}
