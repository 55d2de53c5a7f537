-- parked → parked: nobody answered before the deadline, and the terms say to keep waiting.
--
-- It is done once for each deadline: whoever comes second is too early for the new one.
--
-- KEYS: record, parked, audit, the agent's open actions, outbox, reply stream of each waiter
-- ARGV: id, waiters, milliseconds until the next deadline, retain_ms, keep_ms, then what goes to the outbox

local record, parked, audit_key, open, outbox = unpack(KEYS, 1, 5)
local id, expected, park_ms, retain_ms, keep_ms = unpack(ARGV, 1, 5)

local state, waiters, fleet, digest, deadline =
  unpack(redis.call('HMGET', record, 'state', 'waiters', 'fleet', 'digest', 'deadline'))

if state ~= 'parked' then
  redis.call('ZREM', parked, id)
  return {'stale', state or ''}
end
if tonumber(deadline) > now_ms() then return {'early', deadline} end
if waiters ~= expected then return {'waiters', waiters} end

if ARGV[6] then redis.call('XRANGE', outbox, '-', '-') end -- of another type: no line at each look
local later = whole(now_ms() + park_ms)
audit(audit_key, id, 'extended', 'fleet', fleet, 'digest', digest, 'deadline', later, 'was', deadline)
post(outbox, id, 6)
redis.call('HSET', record, 'deadline', later)
redis.call('ZADD', parked, later, id)
keep_open(open, id, park_ms + retain_ms)
for i = 6, #KEYS do tell(KEYS[i], keep_ms, id, 'parked', 'deadline', later) end
return {'extended', later}
