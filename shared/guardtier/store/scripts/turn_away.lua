-- No change of state: requests that the tier has no room for are refused unrated, many in one step.
--
-- Either those that the caller was given and names, or, of what nobody was given yet, the newest beyond the
-- limit. So that a flood can't fill the memory: what is refused leaves the stream, a client's replies are
-- bounded, and the audit stream gets one line a second, which counts. The first of them is in it at once.
--
-- It deletes before it writes: Redis refuses writes when it is out of memory, and this is what makes room.
-- The clients are named in the requests, so their streams are not among KEYS; they are in the same slot.
--
-- What approvers ask is refused in the same way, where no policy worker takes it.
--
-- KEYS: the fleet's stream (or the answers), audit, what was turned away since the last audit line
-- ARGV: group, fleet, why, what the clients' streams begin with ('' where nobody may be told), the error
--       (JSON without its last brace), the most that may wait ('' where entries are named), then for each
--       entry that is named three: itself, its client ('' where it has none), seconds until it may come again
-- Returns: what, '', how many were refused, how many still wait (both 0 where entries are named)

local stream, audit_key, tally = unpack(KEYS)
local group, fleet, why, told, problem, most = unpack(ARGV, 1, 6)
local REPLIES, REPLY_MS, PER_CALL, BYTES = 100000, 15000, 256, 262144

redis.call('XLEN', audit_key) -- what can't be audited must not begin
local now = now_ms()
local count, bytes, page, first, last = 0, 0, 1, nil, nil

-- An entry may hold megabytes: of small ones more are looked at in one go than of large ones.
local function weigh(found)
  local weight = 0
  for _, entry in ipairs(found) do
    for _, value in ipairs(entry[2]) do weight = weight + #value end
  end
  bytes = bytes + weight
  if weight < 16384 then page = math.min(32, page * 2) else page = math.max(1, math.floor(page / 4)) end
  return #found
end

local function field_of(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
end

local function refuse(entry, id, client, seconds)
  redis.call('XACK', stream, group, entry)
  redis.call('XDEL', stream, entry)
  count = count + 1
  if most == '' then first, last = first or entry, entry else first, last = entry, last or entry end
  if told == '' or #client > 64 or not string.find(client, '^%w[%w_-]*$') then return end
  local reply = told .. client
  local said = redis.pcall('XADD', reply, 'MAXLEN', '~', REPLIES, '*', 'id', string.sub(id, 1, 80), 'state',
    'refused', 'error', problem .. ',"retry_after":' .. seconds .. '}', 'entry', entry)
  if not said.err and redis.call('PTTL', reply) < 0 then redis.call('PEXPIRE', reply, REPLY_MS) end
end

local function tell_audit()
  local known = redis.call('HMGET', tally, why .. ':n', why .. ':first', why .. ':at', why .. ':last')
  local n, began, ended = (known[1] or 0) + count, known[2] or first, last or known[4]
  if n > 0 and now - (known[3] or 0) >= 1000 then
    audit(audit_key, fleet, 'turned_away', 'fleet', fleet, 'why', why, 'count', whole(n), 'first', began, 'last', ended)
    redis.call('HDEL', tally, why .. ':n', why .. ':first', why .. ':last')
    redis.call('HSET', tally, why .. ':at', whole(now))
    redis.call('PEXPIRE', tally, 1000) -- nothing is left to be told: the next one is told at once
  elseif count > 0 then
    redis.call('HSET', tally, why .. ':n', n, why .. ':first', began, why .. ':last', ended)
    redis.call('PERSIST', tally)
  end
end

if most == '' then
  for i = 7, #ARGV, 3 do
    local entry = ARGV[i]
    if is_open(stream, group, entry) then -- else somebody else has answered it
      local found = redis.call('XRANGE', stream, entry, entry)[1]
      refuse(entry, found and field_of(found[2], 'id') or '', ARGV[i + 1], ARGV[i + 2])
    end
  end
  tell_audit()
  return {'refused', '', 0, 0}
end

-- What is behind the entry that was handed out last is unread. So many of it: all that is there, less what
-- is in work, once what is finished between those is gone.
local read_up_to, pending = nil, 0
for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  if info[2] == group then
    for i = 1, #info, 2 do
      if info[i] == 'last-delivered-id' then read_up_to = info[i + 1] end
      if info[i] == 'pending' then pending = info[i + 1] end
    end
  end
end
if not read_up_to then return {'unread', '', 0, 0} end

local behind, left = '-', PER_CALL
local function drop_finished(upto)
  while left > 0 do
    local wanted = math.min(left, page)
    local found = redis.call('XRANGE', stream, behind, upto, 'COUNT', wanted)
    for _, entry in ipairs(found) do redis.call('XDEL', stream, entry[1]) end
    left = left - weigh(found)
    if bytes > BYTES then left = 0 end
    if #found < wanted then return end
  end
end
if redis.call('XLEN', stream) - pending > tonumber(most) then
  local start = '-'
  repeat
    local held = redis.call('XPENDING', stream, group, start, '+', 100)
    for _, item in ipairs(held) do
      drop_finished('(' .. item[1])
      behind = '(' .. item[1]
      start = behind
    end
  until #held < 100 or left == 0
  drop_finished(read_up_to)
end

local over = redis.call('XLEN', stream) - pending - tonumber(most)
if left == 0 or over <= 0 then
  tell_audit()
  return {'unread', '', 0, math.max(0, over + tonumber(most))}
end

-- By Little's law the newest would wait as long as the oldest has waited.
local oldest = redis.call('XRANGE', stream, '(' .. read_up_to, '+', 'COUNT', 1)[1]
local waited = oldest and (now - string.match(oldest[1], '^%d+')) / 1000 or 1
local seconds = string.format('%.1f', math.min(math.max(waited, 1), 60))
while over > 0 and count < PER_CALL and bytes < BYTES do
  local found = redis.call('XREVRANGE', stream, '+', '(' .. read_up_to, 'COUNT', math.min(over, page))
  if weigh(found) == 0 then break end
  for _, entry in ipairs(found) do
    refuse(entry[1], field_of(entry[2], 'id') or '', field_of(entry[2], 'client') or '', seconds)
  end
  over = over - #found
end
tell_audit()
return {'unread', '', count, math.max(0, over + tonumber(most))}
