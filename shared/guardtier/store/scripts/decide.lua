-- assessed → released | rejected | parked: the policy worker has decided.
--
-- No decision is made under old circumstances. They are, in this order: the fleet's policy set at run
-- time, the policy file that stands, what is halted (the fleet, the agent, the conversation; the widest
-- counts), and the block on this very action. Where others stand than the caller has seen, the caller is
-- given those ('moved') and decides again. What can't be one of them by its type or its length is given as
-- '!', which nobody can read: everything is parked then.
--
-- Replies go to the clients that wait now; where one came since the caller looked, the caller is
-- given the list that stands ('waiters') and asks again with their streams.
--
-- KEYS: record, assessed stream, parked, audit, dead letters, the policies set at run time, the
--       agent's open actions, halts, the block on this action, outbox, reply stream of each waiter
-- ARGV: group, entry, id, waiters, outcome, verdict ('' where it parks), policy version, '1' where the
--       circumstances count ('' where it parks whatever they are), the four circumstances as the caller
--       has seen them ('' for none), fleet, agent, conversation, milliseconds until the deadline,
--       retain_ms, keep_ms, dead letter's why, the terms that it is parked under (JSON, '' for the
--       usual), details for the audit line (JSON, '' for none), then what goes to the outbox

local record, assessed, parked, audit_key, dead, policies, open, halts, block, outbox =
  unpack(KEYS, 1, 10)
local group, entry, id, expected, outcome, verdict, policy, counts = unpack(ARGV, 1, 8)
local fleet, agent, conversation, park_ms, retain_ms, keep_ms, why, terms, details = unpack(ARGV, 13, 21)

local function readable(value, most)
  if not value then return '' end
  if type(value) == 'table' or #value > most then return '!' end
  return value
end

local function several(key, ...)
  local found = redis.pcall('HMGET', key, ...)
  return found.err and {'!', '!', '!'} or found
end

local function circumstances()
  local standing = several(policies, fleet, '*')
  local halted = several(halts, fleet, fleet .. ' ' .. agent, fleet .. ' ' .. agent .. ' ' .. conversation)
  return {
    readable(standing[1], 4096), readable(standing[2], 4096),
    readable(halted[1] or halted[2] or halted[3], 8192), readable(redis.pcall('GET', block), 8192)
  }
end

local state, waiters, digest = unpack(redis.call('HMGET', record, 'state', 'waiters', 'digest'))

if state ~= 'assessed' then
  redis.call('XACK', assessed, group, entry)
  return {'stale', state or ''}
end
if counts ~= '' or outcome ~= 'parked' then
  local standing = circumstances()
  for i = 1, 4 do
    if standing[i] ~= ARGV[8 + i] then return {'moved', 'assessed', unpack(standing)} end
  end
end
if waiters ~= expected then return {'waiters', waiters} end

if outcome == 'parked' then
  local deadline = whole(now_ms() + park_ms)
  redis.call('HSET', record, 'state', outcome, 'policy', policy, 'deadline', deadline)
  if terms ~= '' then redis.call('HSET', record, 'terms', terms) end
  redis.call('ZADD', parked, deadline, id)
  keep_open(open, id, park_ms + retain_ms)
  for i = 11, #KEYS do tell(KEYS[i], keep_ms, id, outcome, 'deadline', deadline) end
  -- its digest: the record before
  audit(audit_key, id, outcome, 'fleet', fleet, 'policy', policy, described(details))
  if why ~= '' then entomb(dead, why, id, assessed, '') end
  post(outbox, id, 22)
  redis.call('XACK', assessed, group, entry)
  return {outcome, deadline}
end

redis.call('HSET', record, 'state', outcome, 'policy', policy, 'verdict', verdict)
redis.call('PEXPIRE', record, retain_ms)
redis.call('ZREM', open, id)
for i = 11, #KEYS do tell(KEYS[i], keep_ms, id, outcome, 'verdict', verdict) end
audit(audit_key, id, outcome, 'fleet', fleet, 'digest', digest, 'policy', policy, described(details))
post(outbox, id, 22)
redis.call('XACK', assessed, group, entry)
return {outcome, outcome}
