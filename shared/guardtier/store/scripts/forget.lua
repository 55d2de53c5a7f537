-- Drop what is old of the audit stream, but nothing that an export still lacks, nor the last line: the next one
-- is chained to it. Where an export is on and has not said yet how far it has got, nothing goes.
--
-- KEYS: audit, how far each export has got
-- ARGV: the oldest time (ms) that stays, '1' where an export is on

local audit, exported = unpack(KEYS)
local oldest, is_on = unpack(ARGV)

local newest = redis.call('XREVRANGE', audit, '+', '-', 'COUNT', 1)[1]
if not newest then return 0 end
local reached = redis.call('HVALS', exported)
if is_on ~= '' and #reached == 0 then return 0 end

local ms, seq = tonumber(oldest), 0
local function not_beyond(entry)
  local at, part = string.match(entry, '^(%d+)%-(%d+)')
  if not at then at, part = 0, 0 end -- it can't be read: everything stays
  at, part = tonumber(at), tonumber(part)
  if at < ms or (at == ms and part < seq) then ms, seq = at, part end
end
not_beyond(newest[1])
for i = 1, #reached do not_beyond(reached[i]) end
return redis.call('XTRIM', audit, 'MINID', '~', whole(ms) .. '-' .. whole(seq))
