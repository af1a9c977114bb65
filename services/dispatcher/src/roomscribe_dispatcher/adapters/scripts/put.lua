-- Replaces a record if nobody else did since it was read: {'changed'} if somebody did, {'taken'} if its room is another's,
-- {'full', …} if a cap is reached. A meeting takes its room, and counts, when it is no longer scheduled.
-- KEYS: record, room, wanted, counted of all, counted of the tenant
-- ARGV: version read, record, tenant, id, member, check at (s), scheduled|room|over, kept for (s) once over,
--       prefix of all records, cap of all, cap of the tenant
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return {'changed'} end
local holder = redis.call('HGET', KEYS[2], ARGV[3])
if ARGV[7] == 'room' and holder ~= ARGV[4] then
  local holders = redis.call('HGETALL', KEYS[2])
  for at = 1, #holders, 2 do
    if redis.call('EXISTS', ARGV[9] .. holders[at] .. ':' .. holders[at + 1]) == 1 then return {'taken'} end
  end
  local refused = full(KEYS[4], tonumber(ARGV[10]), KEYS[5], tonumber(ARGV[11]), ARGV[9], ARGV[5])
  if refused then return {'full', unpack(refused)} end
  redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
end
redis.call('HSET', KEYS[1], 'record', ARGV[2], 'version', tostring(tonumber(ARGV[1]) + 1))
if ARGV[7] ~= 'over' then
  if ARGV[7] == 'room' then count(KEYS[4], KEYS[5], ARGV[5]) end
  redis.call('ZADD', KEYS[3], ARGV[6], ARGV[5])
  return {'written'}
end
give_free(KEYS[4], KEYS[5], ARGV[5])
redis.call('ZREM', KEYS[3], ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[8])
if holder == ARGV[4] then redis.call('HDEL', KEYS[2], ARGV[3]) end
return {'written'}
