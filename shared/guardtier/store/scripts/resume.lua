-- A halt is lifted: an approver's request, which the caller has checked, takes effect.
--
-- Compare and set: where another halt stands than the one that the approver saw, nothing changes
-- ('moved'). Where none stands, it is only remembered that none should: a halt that was set in another
-- partition before, and is still on its way here, comes too late then (spread.lua).
--
-- KEYS: halts, answers stream, audit, the approver's own stream, mark of the request, when it was lifted,
--       fleets
-- ARGV: group, entry, request's id, scope, fleet, halt that is lifted ('' for none), by, reason, details
--       (JSON), keep_ms, milliseconds for the marks

local halts, answers, audit_key, told, mark, lifted, fleets = unpack(KEYS)
local group, entry, id, scope, fleet, halt, by, reason, details, keep_ms, mark_ms = unpack(ARGV)

local what = 'again'
if redis.call('EXISTS', mark) == 0 then
  if redis.call('SISMEMBER', fleets, fleet) == 0 then return {'unknown', ''} end
  if (redis.call('HGET', halts, scope) or '') ~= halt then return {'moved', ''} end
  if not is_open(answers, group, entry) then return {'stale', ''} end -- it was refused meanwhile
  if halt ~= '' then
    audit(audit_key, id, 'resumed', 'fleet', fleet, 'by', by, 'reason', reason, 'details', details)
    redis.call('HDEL', halts, scope)
  end
  redis.call('SET', lifted, whole(now_ms()), 'PX', mark_ms)
  redis.call('SET', mark, halt, 'PX', mark_ms)
  what = 'resumed'
end
tell(told, keep_ms, id, 'resumed', 'body', redis.call('GET', mark), 'entry', entry)
redis.call('XACK', answers, group, entry)
return {what, ''}
