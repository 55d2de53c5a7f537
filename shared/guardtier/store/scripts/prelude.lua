-- What the scripts share. It is put before each of them when they are loaded.
--
-- Conventions. KEYS[1] is the action's record wherever there is one. A script first looks, then
-- writes, and acknowledges last: Redis refuses the first write when it is out of memory, so nothing
-- is ever acknowledged that was not written. The first write is the audit line, then what others must do;
-- the state comes after them: where one of those streams is damaged, nothing is released that nobody could
-- see. (A halt goes the other way: it counts, whatever becomes of its line.) Whether the outbox and the dead
-- letters can be written at all is looked at before the line (XRANGE of nothing raises for another type, as XLEN
-- does): what is delivered again and again would add a line each time. It returns {what happened, the state that stands}.

if redis.replicate_commands then redis.replicate_commands() end -- Redis 6.2 needs it, 7 ignores it

local function whole(number) return string.format('%.0f', number) end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Whether an entry is dated more than a minute ahead of this server's clock: its writer has named it.
local function is_ahead(entry) return string.match(entry, '^%d+') - now_ms() > 60000 end

-- The fields of an audit line that only some have.
local function described(details)
  if details == '' then return end
  return 'details', details
end

-- Whose action it is, for the lines of what may run: a halt reports by them what it could not stop.
local function asked_by(agent, conversation, details)
  if conversation == '' then return 'agent', agent, described(details) end
  return 'agent', agent, 'conversation', conversation, described(details)
end

-- Tell one client. Its stream lives for keep_ms at least after what was told last, for twice as
-- long at the most; what is older than keep_ms goes whenever its life is prolonged. (To prolong it
-- each time would be a second write for each reply.)
local function tell(key, keep_ms, id, state, ...)
  local entry = redis.call('XADD', key, '*', 'id', id, 'state', state, ...)
  if redis.call('PTTL', key) < tonumber(keep_ms) then
    redis.call('PEXPIRE', key, whole(2 * keep_ms))
    redis.call('XTRIM', key, 'MINID', '~', whole(string.match(entry, '%d+') - keep_ms))
  end
  return entry
end

-- Tell one approver what came of a request, once for each entry by which it was sent.
local function tell_all(key, keep_ms, id, entries, state, field, value)
  for entry in string.gmatch(entries or '', '%S+') do
    tell(key, keep_ms, id, state, field, value, 'entry', entry)
  end
end

-- Remember one more client that waits for this action: the last four, each once.
local function with_waiter(waiters, client)
  local kept = {}
  for waiter in string.gmatch(waiters, '%S+') do
    if waiter ~= client then kept[#kept + 1] = waiter end
  end
  kept[#kept + 1] = client
  while #kept > 4 do table.remove(kept, 1) end
  return table.concat(kept, ' ')
end

-- Keep an action listed as one that its agent has not finished, for so long at least: whoever lost the
-- ids finds them there. What outlived its time goes whenever the list's own life is prolonged.
local function keep_open(key, id, for_ms)
  local now = now_ms()
  redis.call('ZADD', key, whole(now + for_ms), id)
  if redis.call('PTTL', key) < tonumber(for_ms) then
    redis.call('PEXPIRE', key, whole(2 * for_ms))
    redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now))
  end
end

-- What is to be done outside of this partition: pairs of what and its body, from ARGV[from] on. A policy
-- worker does it, at least once.
local function post(key, id, from)
  for i = from, #ARGV, 2 do
    redis.call('XADD', key, '*', 'id', id, 'op', ARGV[i], 'body', ARGV[i + 1])
  end
end

-- Refuse an action like this one at once, for so long. False where a block stands that lasts longer.
local function bar(key, body, for_ms)
  if redis.call('PTTL', key) > tonumber(for_ms) then return false end
  redis.call('SET', key, body, 'PX', whole(for_ms))
  return true
end

-- A value as it is kept; '!' for what can't be one by its type or its length.
local function readable(value, most)
  if not value then return '' end
  if type(value) == 'table' or #value > most then return '!' end
  return value
end

-- The widest halt that covers an action: of its fleet, its agent, its conversation; '' for none.
local function halt_over(halts, fleet, agent, conversation)
  local whose = fleet .. ' ' .. agent
  local found = redis.pcall('HMGET', halts, fleet, whose, whose .. ' ' .. conversation)
  if found.err then return '!' end
  return readable(found[1] or found[2] or found[3], 8192)
end

-- What a decision about an action is made under, in the order of ``Circumstances`` (decisions.py).
local function circumstances(policies, halts, block, fleet, agent, conversation)
  local standing = redis.pcall('HMGET', policies, fleet, '*')
  if standing.err then standing = {'!', '!'} end
  return {
    readable(standing[1], 4096), readable(standing[2], 4096),
    halt_over(halts, fleet, agent, conversation), readable(redis.pcall('GET', block), 8192)
  }
end

-- A halt that a script sets: its scope and itself. It is as of now by this server's clock, since it is compared
-- with when one was lifted (spread.lua), and the worker that wrote it may be behind; 'at' comes first, as the
-- fields are in order. Where 10,000 stand somebody makes up names: the whole fleet is halted instead.
local function halt_to_set(halts, scope, halt)
  local set = string.gsub(halt, '^{"at":%d+', '{"at":' .. whole(now_ms()), 1)
  if redis.call('HLEN', halts) < 10000 then return scope, set end
  local said = cjson.decode(set)
  said.scope = string.match(scope, '^%S+')
  said.reason = string.sub('too many halts stand; the last: ' .. said.reason, 1, 1000)
  return said.scope, cjson.encode(said)
end

-- A person, or a policy, has judged an action of an agent that has a budget: so many rejections in a row.
-- What is released begins no new row, or a harmless action between two attempts would hide them.
local function judged(pace, outcome)
  if outcome == 'rejected' then
    if redis.call('EXISTS', pace) == 1 then redis.call('HINCRBY', pace, 'r', 1) end
  elseif outcome == 'approved' then
    redis.call('HDEL', pace, 'r')
  end
end

-- Whether a request is still to be answered. Where it is not, somebody was told what came of it; a worker
-- that has stood still since must not let it take effect behind their back.
local function is_open(stream, group, entry)
  return #redis.call('XPENDING', stream, group, entry, entry, 1) == 1
end

-- A copy for people to look at, of what no worker could handle; 'op' is what was asked by it.
local function entomb(key, why, id, stream, payload, entry)
  local op = ''
  local found = redis.call('XRANGE', stream, entry, entry)[1]
  for i = 1, found and #found[2] or 0, 2 do
    if found[2][i] == 'op' then op = string.sub(found[2][i + 1], 1, 64) end
  end
  redis.call('XADD', key, '*', 'id', id, 'why', why, 'stream', stream, 'op', op, 'payload', payload)
end

-- Set a mark of a history: 'first last id how words'. Who set it first stays; the last time moves on.
local function mark(key, field, at, id, how, words)
  local known = redis.call('HGET', key, field)
  if known then
    redis.call('HSET', key, field, (string.gsub(known, '^(%d+) %d+', '%1 ' .. at, 1)))
  else
    redis.call('HSET', key, field, at .. ' ' .. at .. ' ' .. id .. ' ' .. how .. ' ' .. words)
  end
end
