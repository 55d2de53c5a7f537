-- No change of state: an approver's edit of a parked action, which the caller has checked, is to be rated.
--
-- One edit of an action is rated at a time; one that has come to nothing for ten minutes (its rating was
-- lost) gives way to the next. The same edit once more is answered again: where it is being
-- rated, each of its entries (the first eight) is told what comes of it; where it has taken effect, what
-- stands is told.
--
-- KEYS: record, answers stream, the approver's own stream, edits
-- ARGV: group, entry, id, digest that the approver saw, edit (JSON), its proof, edited action, fleet,
--       what is told where this very edit has taken effect and the action still waits (JSON, '' where
--       the caller does not know that yet), keep_ms

local record, answers, told, edits = unpack(KEYS)
local group, entry, id, seen, edit, proof, event, fleet, body, keep_ms = unpack(ARGV)

local state, digest, deadline, rated, revised, verdict, asking = unpack(redis.call(
  'HMGET', record, 'state', 'digest', 'deadline', 'edit', 'revised', 'verdict', 'asking'))

if revised == proof then
  if verdict then
    tell(told, keep_ms, id, state, 'verdict', verdict, 'entry', entry)
  elseif body == '' then
    return {'moved', state}
  else
    tell(told, keep_ms, id, 'revised', 'body', body, 'entry', entry)
  end
  redis.call('XACK', answers, group, entry)
  return {'again', state}
end
if state ~= 'parked' then return {'wrong', state or ''} end
if digest ~= seen then return {'digest', state} end
if tonumber(deadline) <= now_ms() then return {'late', state} end
local other = rated and cjson.decode(rated)
local same = other and other.proof == proof
if other and not same and now_ms() - string.match(other.entry, '%d+') < 600000 then return {'busy', state} end

if same then
  asking = asking or ''
  local _, many = string.gsub(asking, '%S+', '')
  if many < 8 and not string.find(asking, entry, 1, true) then
    redis.call('HSET', record, 'asking', asking .. ' ' .. entry)
  end
else
  redis.call('HSET', record, 'edit', edit, 'asking', entry)
  redis.call('XADD', edits, '*', 'id', id, 'fleet', fleet, 'proof', proof, 'payload', event)
end
redis.call('XACK', answers, group, entry)
return {'editing', state}
