-- assessed → released | rejected | parked: the policy worker has decided.
--
-- No decision is made under old circumstances. They are, in this order: the fleet's policy set at run
-- time, the policy file that stands, what is halted (the fleet, the agent, the conversation; the widest
-- counts), and the block on this very action. Where others stand than the caller has seen, the caller is
-- given those ('moved') and decides again. What can't be one of them by its type or its length is given as
-- '!', which nobody can read: everything is parked then.
--
-- An agent may have a budget. Whoever is over it is halted here, before anything is decided: the caller is
-- given that halt among the circumstances ('moved'), and decides under it. What pace says: m is a minute
-- of the clock, c the actions in it, p those in the minute before, r the rejections in a row.
--
-- Replies go to the clients that wait now; where one came since the caller looked, the caller is
-- given the list that stands ('waiters') and asks again with their streams.
--
-- KEYS: record, assessed stream, parked, audit, dead letters, the policies set at run time, the
--       agent's open actions, halts, the block on this action, outbox, the agent's pace, reply stream of
--       each waiter
-- ARGV: group, entry, id, waiters, outcome, verdict ('' where it parks), policy version, '1' where the
--       circumstances count ('' where it parks whatever they are), the four circumstances as the caller
--       has seen them ('' for none), fleet, agent, conversation, milliseconds until the deadline,
--       retain_ms, keep_ms, dead letter's why, the terms that it is parked under (JSON, '' for the
--       usual), details for the audit line (JSON, '' for none), the assessment with what holds it
--       ('' where it stays as it is), the most actions a minute, the most rejections in a row ('' for
--       no limit), the halt of who is over the one, and over the other (JSON), '1' where there are other
--       partitions to be told, the signature on what stands in place of an action with secrets ('' for
--       none), then what goes to the outbox

local record, assessed, parked, audit_key, dead, policies, open, halts, block, outbox, pace =
  unpack(KEYS, 1, 11)
local group, entry, id, expected, outcome, verdict, policy, counts = unpack(ARGV, 1, 8)
local fleet, agent, conversation, park_ms, retain_ms, keep_ms, why, terms, details = unpack(ARGV, 13, 21)
local rated, most_a_minute, most_in_a_row, over_pace, over_rejections, others, sealed = unpack(ARGV, 22, 28)
local first_waiter, first_posted = 12, 29

-- The minute of the clock, how much of it is over (0 to 1), the agent's actions in it and in the one before.
local function minutes(now)
  local minute = math.floor(now / 60000)
  local m, c, p = unpack(redis.call('HMGET', pace, 'm', 'c', 'p'))
  local ago = minute - tonumber(m or 0)
  local part = now % 60000 / 60000
  if ago == 0 then return minute, part, tonumber(c), tonumber(p) end
  return minute, part, 0, ago == 1 and tonumber(c) or 0
end

-- The halt of an agent that is over its budget with this action; nil where it is not.
local function over_budget(now)
  if most_in_a_row ~= '' then
    local rejections = tonumber(redis.call('HGET', pace, 'r') or 0)
    if rejections >= tonumber(most_in_a_row) then return over_rejections end
  end
  if most_a_minute ~= '' then
    local _, part, this, before = minutes(now)
    if this + before * (1 - part) + 1 > tonumber(most_a_minute) then return over_pace end
  end
end

local function trip(halt)
  local scope
  scope, halt = halt_to_set(halts, fleet .. ' ' .. agent, halt)
  local said = cjson.decode(halt)
  if others ~= '' then redis.call('XADD', outbox, '*', 'id', id, 'op', 'halt', 'body', halt) end
  redis.call('HSET', halts, scope, halt)
  redis.call('DEL', pace) -- whoever is resumed begins anew
  audit(audit_key, id, 'halted', 'fleet', fleet, 'by', said.by, 'reason', said.reason, 'details', halt)
end

local function count(now)
  local minute, _, this, before = minutes(now)
  redis.call('HSET', pace, 'm', minute, 'c', this + 1, 'p', before)
  judged(pace, outcome)
  if redis.call('PTTL', pace) < 43200000 then redis.call('PEXPIRE', pace, 86400000) end
end

local state, waiters, digest = unpack(redis.call('HMGET', record, 'state', 'waiters', 'digest'))

if not state then return {'gone', ''} end -- nobody asked for this: the caller keeps a dead letter
if state ~= 'assessed' then
  redis.call('XACK', assessed, group, entry)
  return {'stale', state or ''}
end
if counts ~= '' or outcome ~= 'parked' then
  local standing = circumstances(policies, halts, block, fleet, agent, conversation)
  for i = 1, 4 do
    if standing[i] ~= ARGV[8 + i] then return {'moved', 'assessed', unpack(standing)} end
  end
end
if waiters ~= expected then return {'waiters', waiters} end
local counted_at -- nil: without a budget
if most_a_minute ~= '' or most_in_a_row ~= '' then
  local now = now_ms()
  local halt = over_budget(now)
  if halt then
    trip(halt)
    return {'moved', 'assessed', unpack(circumstances(policies, halts, block, fleet, agent, conversation))}
  end
  counted_at = now
end

if ARGV[first_posted] then redis.call('XRANGE', outbox, '-', '-') end -- of another type: no line at each delivery
if outcome == 'parked' then
  if why ~= '' then redis.call('XRANGE', dead, '-', '-') end
  local deadline = whole(now_ms() + park_ms)
  -- its digest: the record before
  audit(audit_key, id, outcome, 'fleet', fleet, 'policy', policy, described(details))
  if why ~= '' then entomb(dead, why, id, assessed, '', entry) end
  post(outbox, id, first_posted)
  if counted_at then count(counted_at) end
  redis.call('HSET', record, 'state', outcome, 'policy', policy, 'deadline', deadline)
  if terms ~= '' then redis.call('HSET', record, 'terms', terms) end
  if sealed ~= '' then redis.call('HSET', record, 'sealed', sealed) end
  if rated ~= '' then redis.call('HSET', record, 'assessment', rated) end
  redis.call('ZADD', parked, deadline, id)
  keep_open(open, id, park_ms + retain_ms)
  local told = {'deadline', deadline}
  if ARGV[11] ~= '' then told = {'deadline', deadline, 'halted', ARGV[11]} end
  for i = first_waiter, #KEYS do tell(KEYS[i], keep_ms, id, outcome, unpack(told)) end
  redis.call('XACK', assessed, group, entry)
  return {outcome, deadline}
end

audit(audit_key, id, outcome, 'fleet', fleet, 'digest', digest, 'policy', policy,
  asked_by(agent, conversation, details))
post(outbox, id, first_posted)
if counted_at then count(counted_at) end
redis.call('HSET', record, 'state', outcome, 'policy', policy, 'verdict', verdict)
redis.call('PEXPIRE', record, retain_ms)
redis.call('ZREM', open, id)
for i = first_waiter, #KEYS do tell(KEYS[i], keep_ms, id, outcome, 'verdict', verdict) end
redis.call('XACK', assessed, group, entry)
return {outcome, outcome}
