-- A fleet's policy at run time: an approver's request, which the caller has checked, takes effect.
--
-- Compare and set: where another policy stands than the one that the request replaces, nothing
-- changes ('moved'), so an old request that is sent once more does nothing.
--
-- KEYS: policies set at run time, answers stream, audit, the approver's own stream, fleets
-- ARGV: group, entry, request's id, fleet, policy that it replaces ('' for none), policy (JSON), its
--       version, the version that it replaces, approver, keep_ms

local policies, answers, audit_key, told, fleets = unpack(KEYS)
local group, entry, id, fleet, replaces, policy, version, was, approver, keep_ms = unpack(ARGV)

if redis.call('SISMEMBER', fleets, fleet) == 0 then return {'unknown', ''} end
if (redis.call('HGET', policies, fleet) or '') ~= replaces then return {'moved', ''} end

if replaces ~= policy then -- else the same request once more: it is only told again
  if not is_open(answers, group, entry) then return {'stale', ''} end -- it was refused meanwhile
  audit(audit_key, id, 'configured', 'fleet', fleet, 'policy', version, 'was', was, 'by', approver)
  redis.call('HSET', policies, fleet, policy)
end
tell(told, keep_ms, id, 'configured', 'body', policy, 'entry', entry)
redis.call('XACK', answers, group, entry)
return {'configured', ''}
