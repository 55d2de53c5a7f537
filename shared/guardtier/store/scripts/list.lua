-- No change of state: an agent is told which of its actions are open.
--
-- The caller has looked at them; whatever it found to be over leaves the list, where it still is over.
--
-- A listing is large and asked for by 200 bytes, so a fleet has 8 MiB of them at the most, in blocks of 4 KiB:
-- the oldest go, or its credential could fill the memory with what nobody reads. (117 kB a request, measured.)
-- Their streams are those of the fleet's other clients: not among KEYS, in the same slot.
--
-- KEYS: actions stream, reply stream, the agent's open actions, which listings the fleet has, record of each
--       that seems to be over
-- ARGV: group, entry, request, listing (JSON), keep_ms, id of each that seems to be over

local BLOCK, MOST_BLOCKS = 4096, 2048
local actions, reply, open, listings = unpack(KEYS, 1, 4)
local group, entry, request, listing, keep_ms = unpack(ARGV, 1, 5)

local told = tell(reply, keep_ms, request, 'listed', 'body', listing)
for _ = 0, math.floor(#listing / BLOCK) do redis.call('RPUSH', listings, told .. ' ' .. reply) end
redis.call('PEXPIRE', listings, whole(2 * keep_ms))
while redis.call('LLEN', listings) > MOST_BLOCKS do
  local oldest, stream = string.match(redis.call('LPOP', listings), '^(%S+) (.+)$')
  redis.call('XDEL', stream, oldest)
end
for i = 5, #KEYS do
  local state = redis.call('HGET', KEYS[i], 'state')
  if state ~= 'assessed' and state ~= 'parked' and state ~= 'approved' then
    redis.call('ZREM', open, ARGV[i + 1])
  end
end
redis.call('XACK', actions, group, entry)
return {'listed', ''}
