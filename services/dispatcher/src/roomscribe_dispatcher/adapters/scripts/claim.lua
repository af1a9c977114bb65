-- One meeting for a room, whosever it is, for an idempotency key, and for its own id; else what is there already.
-- KEYS: ready, meeting, room, wanted, idempotency (the meeting's own key again where there is none)
-- ARGV: tenant, meeting id, record, version, member, check at (s), idempotency ttl (s), prefix of the tenant's meetings,
--       "1" to claim before the wanted set is rebuilt, "1" if it is scheduled and so takes no room yet,
--       prefix of all meetings
if ARGV[9] ~= '1' and redis.call('EXISTS', KEYS[1]) == 0 then return {'cold'} end
local scheduled = ARGV[10] == '1'
local function record(key)
  return redis.call('HGET', key, 'record')
end
local found = record(KEYS[2])
if not found and KEYS[5] ~= KEYS[2] then
  local id = redis.call('GET', KEYS[5])
  found = id and record(ARGV[8] .. id)
end
if not found and not scheduled then
  local id = redis.call('HGET', KEYS[3], ARGV[1])
  found = id and record(ARGV[8] .. id)
end
if found then return {'found', found} end
if not scheduled and ARGV[9] ~= '1' then
  local holders = redis.call('HGETALL', KEYS[3])
  for at = 1, #holders, 2 do
    if redis.call('EXISTS', ARGV[11] .. holders[at] .. ':' .. holders[at + 1]) == 1 then return {'foreign'} end
  end
end
redis.call('HSET', KEYS[2], 'record', ARGV[3], 'version', ARGV[4])
redis.call('ZADD', KEYS[4], ARGV[6], ARGV[5])
if not scheduled then redis.call('HSET', KEYS[3], ARGV[1], ARGV[2]) end
if KEYS[5] ~= KEYS[2] then redis.call('SET', KEYS[5], ARGV[2], 'EX', ARGV[7]) end
return {'created'}
