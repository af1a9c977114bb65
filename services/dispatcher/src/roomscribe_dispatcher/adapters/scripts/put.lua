-- Replaces a meeting's record if nobody else did since it was read: 0 if somebody did, 2 if its room is another's.
-- KEYS: meeting, room, wanted
-- ARGV: version read, record, tenant, meeting id, member, check at (s), scheduled|room|over, kept for (s) once over,
--       prefix of all meetings
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
local holder = redis.call('HGET', KEYS[2], ARGV[3])
if ARGV[7] == 'room' and holder ~= ARGV[4] then
  local holders = redis.call('HGETALL', KEYS[2])
  for at = 1, #holders, 2 do
    if redis.call('EXISTS', ARGV[9] .. holders[at] .. ':' .. holders[at + 1]) == 1 then return 2 end
  end
  redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
end
redis.call('HSET', KEYS[1], 'record', ARGV[2], 'version', tostring(tonumber(ARGV[1]) + 1))
if ARGV[7] ~= 'over' then
  redis.call('ZADD', KEYS[3], ARGV[6], ARGV[5])
  return 1
end
redis.call('ZREM', KEYS[3], ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[8])
if holder == ARGV[4] then redis.call('HDEL', KEYS[2], ARGV[3]) end
return 1
