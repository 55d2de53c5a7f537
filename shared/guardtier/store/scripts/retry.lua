-- No action's state: what stood in the outbox and was given up is done once more, at the request of an approver
-- that the caller has checked. It is work as any other from now on, and no dead letter any more.
--
-- What else may be a dead letter has told its sender that it failed: that is not done behind their back
-- ('wrong'). A request that comes once more finds no such letter, and changes nothing.
--
-- KEYS: answers stream, dead letters, outbox, audit, the approver's own stream
-- ARGV: group, entry, request's id, the dead letter's entry, fleet ('*' where it can't be told), by, reason,
--       keep_ms

local answers, dead, outbox, audit_key, told = unpack(KEYS)
local group, entry, id, letter, fleet, by, reason, keep_ms = unpack(ARGV)

if not is_open(answers, group, entry) then return {'again', ''} end
local found = redis.call('XRANGE', dead, letter, letter)[1]
if not found then return {'unknown', ''} end
local kept = {}
for i = 1, #found[2], 2 do kept[found[2][i]] = found[2][i + 1] end
if kept.stream ~= outbox or not kept.op or kept.op == '' then return {'wrong', ''} end

redis.call('XRANGE', outbox, '-', '-') -- of another type: no line at each delivery
audit(audit_key, kept.id, 'retried', 'fleet', fleet, 'by', by, 'reason', reason,
  'details', cjson.encode({op = kept.op, letter = letter}))
local work = redis.call('XADD', outbox, '*', 'id', kept.id, 'op', kept.op, 'body', kept.payload)
redis.call('XDEL', dead, letter)
tell(told, keep_ms, id, 'retried', 'body', work, 'entry', entry)
redis.call('XACK', answers, group, entry)
return {'retried', work}
