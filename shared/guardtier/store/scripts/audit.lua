-- How a script writes the audit stream: every line is chained to the one before it. Put between the prelude and
-- the scripts that call it; the partition's chain is the last of their KEYS.
--
-- The chain's end, 'n h entry' of the last line, is kept beside the stream. A line has the fields of its event,
-- then n and h. n counts the partition's lines from 1. h is the SHA-1 of these, packed as MessagePack strings, so
-- that no two lines are packed alike: the chain's end before it ('' where there is none), then every field and
-- value in order. SHA-1 is what Redis has; the export chains the lines by SHA-256 once more. Where the end can't
-- be read the chain begins anew, which nobody overlooks: store/chain.py checks all this.

local chain_key = table.remove(KEYS)

-- One line of the audit stream: id, event, then pairs of field and value, all of them strings: a number
-- would be packed as one.
local function audit(key, id, event, ...)
  local ends, n = redis.pcall('GET', chain_key)
  if type(ends) == 'string' then n = string.match(ends, '^(%d+) %x+ %d+%-%d+$') end
  if not n then ends, n = '', 0 end
  n = n + 1 .. '' -- exact up to 10^14
  local fields = {'id', id, 'event', event, ...}
  -- Measured: 1.6 µs for packing and hash; netstrings put together in Lua are 5 µs alone.
  local h = redis.sha1hex(cmsgpack.pack(ends, unpack(fields)))
  local last = #fields
  fields[last + 1], fields[last + 2], fields[last + 3], fields[last + 4] = 'n', n, 'h', h
  redis.call('SET', chain_key, n .. ' ' .. h .. ' ' .. redis.call('XADD', key, '*', unpack(fields)))
end
