-- parked → approved | rejected, or parked with one more vote: an approver's answer takes effect.
--
-- The caller has checked it and counted the votes, perhaps with a copy of the record. Compare and set:
-- where other votes or other terms stand than the caller has seen, or another edit (also where the digest
-- is once more the same), or a record that was made anew under the id, nothing changes ('moved') and the
-- caller looks again. Votes that are to stay as they
-- are mean the same answer once more: it is only told again. An answer about another digest, to what is
-- decided, and after the deadline changes nothing; the caller is told why and refuses it. One that was
-- acknowledged meanwhile was refused by another worker: it changes nothing either ('stale').
--
-- KEYS: record, answers stream, parked, audit, the approver's own stream, the agent's open actions,
--       the block on this very action, outbox, the agent's pace, reply stream of each waiter
-- ARGV: group, entry, id, waiters, digest that the approver saw, votes as the caller saw them ('' for
--       none), votes as they are now (JSON), outcome ('answered' where more are needed), verdict (''
--       there), what the approver is told there (JSON), approver, reason, details for the audit line
--       (JSON), retain_ms, keep_ms, block (JSON, '' for none), milliseconds that it lasts, proof of
--       the edit that the caller saw stand ('' for none), the terms that the caller saw, when it says that
--       the action came (ms since 1970), then what goes to the outbox

local record, answers, parked, audit_key, told, open, block, outbox, pace = unpack(KEYS, 1, 9)
local group, entry, id, expected, seen, before, votes, outcome, verdict, body, approver, reason =
  unpack(ARGV, 1, 12)
local details, retain_ms, keep_ms, blocks, block_ms, edited, terms, came = unpack(ARGV, 13, 20)

local state, waiters, fleet, digest, deadline, standing, ended, revised, parked_under, first =
  unpack(redis.call('HMGET', record, 'state', 'waiters', 'fleet', 'digest', 'deadline', 'votes', 'verdict',
    'revised', 'terms', 'entry'))

if (standing or '') ~= before or (revised or '') ~= edited or (parked_under or '') ~= terms
    or (first and string.match(first, '^%d*') ~= came) then
  return {'moved', state or ''}
end
if standing and votes == before then -- the same answer, delivered or sent once more
  if ended then
    tell(told, keep_ms, id, state, 'verdict', ended, 'entry', entry)
  else
    tell(told, keep_ms, id, 'answered', 'body', body, 'entry', entry)
  end
  redis.call('XACK', answers, group, entry)
  return {'again', state}
end
if state ~= 'parked' then return {'wrong', state or ''} end
if digest ~= seen then return {'digest', state} end
if tonumber(deadline) <= now_ms() then return {'late', state} end
if not is_open(answers, group, entry) then return {'stale', state} end
if waiters ~= expected then return {'waiters', waiters} end

if ARGV[21] then redis.call('XRANGE', outbox, '-', '-') end -- of another type: no line at each delivery
audit(audit_key, id, outcome, 'fleet', fleet, 'digest', digest, 'by', approver, 'reason', reason,
  described(details))
post(outbox, id, 21)
if blocks ~= '' then bar(block, blocks, block_ms) end
if outcome == 'answered' then
  redis.call('HSET', record, 'votes', votes)
  tell(told, keep_ms, id, outcome, 'body', body, 'entry', entry)
else
  redis.call('HSET', record, 'state', outcome, 'verdict', verdict, 'votes', votes)
  redis.call('PEXPIRE', record, retain_ms)
  redis.call('ZREM', parked, id)
  judged(pace, outcome)
  if outcome ~= 'approved' then redis.call('ZREM', open, id) end -- approved: open until it is redeemed
  for i = 10, #KEYS do tell(KEYS[i], keep_ms, id, outcome, 'verdict', verdict) end
  tell(told, keep_ms, id, outcome, 'verdict', verdict, 'entry', entry)
end
redis.call('XACK', answers, group, entry)
return {outcome, outcome == 'answered' and state or outcome}
