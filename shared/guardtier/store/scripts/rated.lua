-- No change of state: an edited action has been rated; a policy worker decides what becomes of the edit.
--
-- KEYS: record, edits, assessed stream
-- ARGV: group, entry, id, proof of the edit, fleet, agent, tool, conversation ('' for none), digest,
--       edited action, assessment, '1' where the entry holds what must not stay ('' if not)

local record, edits, assessed = unpack(KEYS)
local group, entry, id, proof, fleet, agent, tool, conversation, digest, event, assessment, wipe =
  unpack(ARGV)

local state, edit = unpack(redis.call('HMGET', record, 'state', 'edit'))
if not state then return {'gone', ''} end -- nobody asked for this: the caller keeps a dead letter
local wanted = edit and cjson.decode(edit).proof == proof

if wanted then
  redis.call('XADD', assessed, '*', 'op', 'edited', 'id', id, 'proof', proof, 'fleet', fleet, 'agent', agent,
    'tool', tool, 'conversation', conversation, 'digest', digest, 'payload', event,
    'assessment', assessment)
end
redis.call('XACK', edits, group, entry)
if wipe ~= '' then redis.call('XDEL', edits, entry) end
return {wanted and 'rated' or 'stale', ''}
