-- approved → redeemed: a verdict given by a person is used once.
--
-- The token names one call of redeem(), so the same call sent again after a broken connection gets
-- its answer, and any other call is told that the verdict is used.
--
-- Not while it is halted ('halted', with what stands): the approval stays, and counts once it is resumed.
-- Nor by a client that does not take the approver's edit which was approved ('edited').
--
-- KEYS: record, actions stream, audit, reply stream, the agent's open actions, halts
-- ARGV: group, entry, id, fleet, token, keep_ms, agent, conversation ('' for none): the record's own;
--       'edit' where the client takes an approver's edit ('' if not)

local record, actions, audit_key, reply, open, halts = unpack(KEYS)
local group, entry, id, fleet, token, keep_ms, agent, conversation, accepts = unpack(ARGV)

local state, owner, digest, verdict, used, asked =
  unpack(redis.call('HMGET', record, 'state', 'fleet', 'digest', 'verdict', 'token', 'asked'))

if not state or owner ~= fleet then return {'unknown', ''} end
if asked and accepts == '' and state == 'approved' then return {'edited', state} end
if state == 'approved' then
  local halt = halt_over(halts, fleet, agent, conversation)
  if halt ~= '' then return {'halted', state, halt} end
  audit(audit_key, id, 'redeemed', 'fleet', fleet, 'digest', digest, asked_by(agent, conversation, ''))
  redis.call('HSET', record, 'state', 'redeemed', 'token', token)
  redis.call('ZREM', open, id)
elseif state ~= 'redeemed' or used ~= token then
  return {'wrong', state}
end
tell(reply, keep_ms, id, 'redeemed', 'verdict', verdict, 'token', token)
redis.call('XACK', actions, group, entry)
return {'redeemed', 'redeemed'}
