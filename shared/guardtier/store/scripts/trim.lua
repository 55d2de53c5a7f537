-- Drop what every group has finished, up to the oldest entry that is pending or unread.
--
-- By MINID and never by length: MAXLEN drops what is still in work.
--
-- KEYS: stream

if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end

local oldest
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
  if info['pending'] > 0 then keep = redis.call('XPENDING', KEYS[1], info['name'])[2] end
  if not oldest or earlier(keep, oldest) then oldest = keep end
end
if not oldest then return 0 end -- no group: nobody has finished anything
return redis.call('XTRIM', KEYS[1], 'MINID', oldest)
