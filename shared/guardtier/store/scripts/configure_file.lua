-- The policy file that stands for all fleets: an approver's request, which the caller has checked, takes
-- effect.
--
-- Compare and set, as configure.lua. What stands is a small pointer; the text that it names is written
-- with it. The text that was replaced is kept for as long as audit lines tell of decisions under it.
--
-- KEYS: policies set at run time, answers stream, audit, the approver's own stream, the new text, the text
--       that it replaces (where there is none of the two: the other, or any key that holds no text)
-- ARGV: group, entry, request's id, pointer that it replaces ('' for none), pointer (JSON), its version, the
--       version that it replaces, approver, keep_ms, text ('' for a reset), audit_ms,
--       digest of the text ('' for a reset)

local policies, answers, audit_key, told, new, old = unpack(KEYS)
local group, entry, id, replaces, pointer, version, was, approver, keep_ms, text, audit_ms, digest =
  unpack(ARGV)

if (redis.call('HGET', policies, '*') or '') ~= replaces then return {'moved', ''} end

if replaces ~= pointer then -- else the same request once more: it is only told again
  if not is_open(answers, group, entry) then return {'stale', ''} end -- it was refused meanwhile
  audit(audit_key, id, 'configured', 'fleet', '*', 'policy', version, 'was', was, 'by', approver,
    'digest', digest)
  if text ~= '' then redis.call('SET', new, text) end
  redis.call('HSET', policies, '*', pointer)
  if old ~= new then redis.call('PEXPIRE', old, audit_ms) end
end
tell(told, keep_ms, id, 'configured', 'body', pointer, 'entry', entry)
redis.call('XACK', answers, group, entry)
return {'configured', ''}
