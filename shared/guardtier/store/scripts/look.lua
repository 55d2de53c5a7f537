-- No change of state: an approver is shown what it has looked for.
--
-- What is shown is large and read at once, so only the last few replies of this kind are kept: who looks
-- every second would fill the memory with what nobody reads any more.
--
-- KEYS: answers stream, the approver's own stream, which of its entries hold records
-- ARGV: group, entry, request's id, what is shown (JSON), keep_ms, how many replies are kept

local answers, told, kept = unpack(KEYS)
local group, entry, id, body, keep_ms, most = unpack(ARGV)

local shown = tell(told, keep_ms, id, 'shown', 'body', body, 'entry', entry)
redis.call('RPUSH', kept, shown)
redis.call('PEXPIRE', kept, whole(2 * keep_ms))
while redis.call('LLEN', kept) > tonumber(most) do
  redis.call('XDEL', told, redis.call('LPOP', kept))
end
redis.call('XACK', answers, group, entry)
return {'shown', ''}
