-- parked → approved, or parked as another action: an approver's edit, which was rated, takes effect.
--
-- The record is that of the edited action from now on; what the agent asked for stays beside it, since
-- the agent knows no other. Compare and set: where the edit, the action, the votes (its editor may have
-- said no since) or the circumstances (decide.lua) are others than the caller has seen, nothing changes and
-- the caller is told which.
--
-- KEYS: record, the stream it came by, parked, audit, the approver's own stream, the policies set at run
--       time, halts, the block on the edited action, the agent's pace, outbox, reply stream of each waiter
-- ARGV: group, entry, id, waiters, the edit as the caller saw it (JSON), its proof, the four circumstances
--       as the caller has seen them, agent, conversation, outcome ('approved' or 'parked'), verdict (''
--       where it stays parked), what its approver is told there (JSON), digest, edited action,
--       assessment, terms (JSON, '' for the usual), votes (JSON, '' for none), policy version, approver,
--       reason, details for the audit line (JSON), retain_ms, keep_ms, the votes as the caller has seen them,
--       then what goes to the outbox where it stays parked

local record, stream, parked, audit_key, told, policies, halts, block, pace, outbox = unpack(KEYS, 1, 10)
local group, entry, id, expected, edit, proof = unpack(ARGV, 1, 6)
local agent, conversation, outcome, verdict, body, digest, event, assessment, terms, votes, policy, approver,
  reason, details, retain_ms, keep_ms, counted = unpack(ARGV, 11, 27)

local state, waiters, fleet, was, deadline, standing, asked, before, asking, voted = unpack(redis.call(
  'HMGET', record, 'state', 'waiters', 'fleet', 'digest', 'deadline', 'edit', 'asked', 'event', 'asking',
  'votes'))

if standing ~= edit then return {'edit', state or ''} end
if state ~= 'parked' then return {'wrong', state or ''} end
if was ~= cjson.decode(edit).was then return {'digest', state} end
if tonumber(deadline) <= now_ms() then return {'late', state} end
if (voted or '') ~= counted then return {'moved', state} end
local now = circumstances(policies, halts, block, fleet, agent, conversation)
for i = 1, 4 do
  if now[i] ~= ARGV[6 + i] then return {'moved', state, unpack(now)} end
end
if waiters ~= expected then return {'waiters', waiters} end

-- of another type: no line at each delivery
if outcome ~= 'approved' and ARGV[28] then redis.call('XRANGE', outbox, '-', '-') end
audit(audit_key, id, 'edited', 'fleet', fleet, 'digest', digest, 'was', was, 'by', approver,
  'reason', reason, 'policy', policy, described(details))
if outcome == 'approved' then
  audit(audit_key, id, outcome, 'fleet', fleet, 'digest', digest, 'by', approver, 'reason', reason,
    described(details))
else
  post(outbox, id, 28)
end
redis.call('HSET', record, 'state', outcome, 'digest', digest, 'event', event, 'assessment', assessment,
  'policy', policy, 'revised', proof, 'revised_at', whole(now_ms()))
redis.call('HDEL', record, 'edit', 'asking', 'votes', 'terms')
if votes ~= '' then redis.call('HSET', record, 'votes', votes) end
if terms ~= '' then redis.call('HSET', record, 'terms', terms) end
if not asked then
  redis.call('HSET', record, 'asked', was, 'original', before)
elseif asked == digest then -- edited back to what was asked for
  redis.call('HDEL', record, 'asked', 'original')
end

if outcome == 'approved' then -- it stays open until it is redeemed
  redis.call('HSET', record, 'verdict', verdict)
  redis.call('PEXPIRE', record, retain_ms)
  redis.call('ZREM', parked, id)
  judged(pace, outcome)
  for i = 11, #KEYS do tell(KEYS[i], keep_ms, id, outcome, 'verdict', verdict) end
  tell_all(told, keep_ms, id, asking, outcome, 'verdict', verdict)
else
  for i = 11, #KEYS do tell(KEYS[i], keep_ms, id, outcome, 'deadline', deadline) end
  tell_all(told, keep_ms, id, asking, 'revised', 'body', body)
end
redis.call('XACK', stream, group, entry)
return {outcome, outcome}
