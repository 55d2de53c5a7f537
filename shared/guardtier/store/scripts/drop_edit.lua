-- No change of state: an edit that was rated does not take effect; its approver is told why.
--
-- An edit of another proof stands for itself: then there is nobody to be told. Where the caller has seen none
-- though this very one stands ('moved'), it has read elsewhere, from a master that is none any more: it looks
-- again.
--
-- KEYS: record, the stream it came by, audit, dead letters, the approver's own stream
-- ARGV: group, entry, id, the edit as the caller saw it (JSON, '' where it is gone), approver, error (JSON),
--       keep_ms, dead letter's why, the proof of the edit that was rated

local record, stream, audit_key, dead, told = unpack(KEYS)
local group, entry, id, edit, approver, problem, keep_ms, why, proof = unpack(ARGV)

local state, standing, asking = unpack(redis.call('HMGET', record, 'state', 'edit', 'asking'))

if edit ~= '' then
  if standing and standing ~= edit then return {'moved', state or ''} end
  if standing then
    audit(audit_key, id, 'edit_refused', 'by', approver, 'error', problem, 'stream', stream, 'entry', entry)
    redis.call('HDEL', record, 'edit', 'asking')
    tell_all(told, keep_ms, id, asking, 'refused', 'error', problem)
  end
elseif standing and cjson.decode(standing).proof == proof then
  return {'moved', state or ''}
end
if why ~= '' then entomb(dead, why, id, stream, '', entry) end
redis.call('XACK', stream, group, entry)
return {'dropped', state or ''}
