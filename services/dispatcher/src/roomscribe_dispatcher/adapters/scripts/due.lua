-- The wanted meetings that are to be looked at now; nobody else is given them for the next while.
-- KEYS: wanted
-- ARGV: most to return, the while (s), prefix of all meetings
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local records = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])) do
  local record = redis.call('HGET', ARGV[3] .. member, 'record')
  if record then
    redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), member)
    table.insert(records, record)
  else
    redis.call('ZREM', KEYS[1], member)
  end
end
return records
