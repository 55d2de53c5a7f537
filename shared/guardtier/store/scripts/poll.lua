-- No change of state: a client asks for an earlier action and waits for it from now on.
--
-- Where it is halted, it is told so.
--
-- KEYS: record, actions stream, reply stream, halts
-- ARGV: group, entry, id, fleet, client, keep_ms, agent, conversation ('' for none): the record's own

local record, actions, reply, halts = unpack(KEYS)
local group, entry, id, fleet, client, keep_ms, agent, conversation = unpack(ARGV)

local state, owner, verdict, waiters, deadline, digest, asked =
  unpack(redis.call('HMGET', record, 'state', 'fleet', 'verdict', 'waiters', 'deadline', 'digest', 'asked'))

if not state or owner ~= fleet then return {'unknown', ''} end
local told = verdict and {'verdict', verdict} or {'deadline', deadline or '', 'digest', asked or digest}
if state == 'assessed' or state == 'parked' or state == 'approved' then
  local halt = halt_over(halts, fleet, agent, conversation)
  if halt ~= '' then
    told[#told + 1] = 'halted'
    told[#told + 1] = halt
  end
end
if not verdict then redis.call('HSET', record, 'waiters', with_waiter(waiters, client)) end
tell(reply, keep_ms, id, state, unpack(told))
redis.call('XACK', actions, group, entry)
return {'told', state}
