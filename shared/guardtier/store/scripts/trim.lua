-- Drop what every group has finished, up to the oldest entry that is pending or unread: where there is none,
-- all of it, since what came may hold a secret.
--
-- By MINID and never by length: MAXLEN drops what is still in work.
--
-- Who adds an entry may name it, also one of a time to come: all that follow are dated so too, and behind the
-- last possible one nobody can add any more. Once nothing waits in such a stream, it is made anew.
--
-- KEYS: stream

if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end

local oldest
local waits, newest, least = false, '0-0', nil
local function earlier(a, b) -- compares 'ms-seq' as the two numbers that it is
  local a_ms, a_seq = string.match(a, '(%d+)-(%d+)')
  local b_ms, b_seq = string.match(b, '(%d+)-(%d+)')
  a_ms, a_seq, b_ms, b_seq = tonumber(a_ms), tonumber(a_seq), tonumber(b_ms), tonumber(b_seq)
  return a_ms < b_ms or (a_ms == b_ms and a_seq < b_seq)
end

for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local info = {}
  for i = 1, #group, 2 do info[group[i]] = group[i + 1] end
  local keep = info['last-delivered-id']
  if info['pending'] > 0 then waits = true end
  if earlier(newest, keep) then newest = keep end
  if not least or earlier(keep, least) then least = keep end
  local ms, seq = string.match(keep, '(%d+)-(%d+)')
  if #seq < 15 then keep = ms .. '-' .. whole(seq + 1) end -- a longer one is a forger's: no number here
  if info['pending'] > 0 then keep = redis.call('XPENDING', KEYS[1], info['name'])[2] end
  if not oldest or earlier(keep, oldest) then oldest = keep end
end
if not oldest then return 0 end -- no group: nobody has finished anything

local function is_unread() -- nothing may stand behind what every group was given
  local found = redis.call('XRANGE', KEYS[1], least, '+', 'COUNT', 2)
  return #found == 2 or (#found == 1 and found[1][1] ~= least)
end

if is_ahead(newest) and not waits and not is_unread() then
  local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
  local count = redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
  redis.call('DEL', KEYS[1])
  for _, group in ipairs(groups) do
    for i = 1, #group, 2 do
      if group[i] == 'name' then redis.call('XGROUP', 'CREATE', KEYS[1], group[i + 1], '0', 'MKSTREAM') end
    end
  end
  return count
end
return redis.call('XTRIM', KEYS[1], 'MINID', oldest)
