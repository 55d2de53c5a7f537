-- What the scripts share. It is put before each of them when they are loaded.
--
-- Conventions. KEYS[1] is the action's record wherever there is one. A script first looks, then
-- writes, and acknowledges last: Redis refuses the first write when it is out of memory, so nothing
-- is ever acknowledged that was not written. It returns {what happened, the state that stands}.

if redis.replicate_commands then redis.replicate_commands() end -- Redis 6.2 needs it, 7 ignores it

local function whole(number) return string.format('%.0f', number) end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- One line of the audit stream: id, event, then pairs of field and value.
local function audit(key, id, event, ...)
  redis.call('XADD', key, '*', 'id', id, 'event', event, ...)
end

-- The fields of an audit line that only some have.
local function described(details)
  if details == '' then return end
  return 'details', details
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

-- A copy for people to look at, of what no worker could handle.
local function entomb(key, why, id, stream, payload)
  redis.call('XADD', key, '*', 'id', id, 'why', why, 'stream', stream, 'payload', payload)
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
