-- No change of state: an approver is told what a request came to, which is done with that.
--
-- KEYS: answers stream, the approver's own stream
-- ARGV: group, entry, request's id, what it is, body (JSON), keep_ms

local answers, told = unpack(KEYS)
local group, entry, id, what, body, keep_ms = unpack(ARGV)

tell(told, keep_ms, id, what, 'body', body, 'entry', entry)
redis.call('XACK', answers, group, entry)
return {'reported', ''}
