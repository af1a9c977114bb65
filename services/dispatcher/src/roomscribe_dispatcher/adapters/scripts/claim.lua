-- One record for its own id, for an idempotency key and, if it is a meeting, for a room, whosever that is; else what is
-- there already. A meeting that is not scheduled counts against the caps.
-- KEYS: ready, record, room, wanted, idempotency (the record's own key again where there is none),
--       counted of all, counted of the tenant, series (the record's own key again where it is of none),
--       owner of the id (the record's own key again where ids are each tenant's own)
-- ARGV: tenant, id, record, version, member, check at (s), idempotency ttl (s), prefix of the tenant's records,
--       "1" to claim before the wanted set is rebuilt, "1" if it is scheduled and so takes no room yet,
--       prefix of all records, cap of all, cap of the tenant, version of its series
local rebuilding, scheduled = ARGV[9] == '1', ARGV[10] == '1'
if not rebuilding and redis.call('EXISTS', KEYS[1]) == 0 then return {'cold'} end
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
if KEYS[9] ~= KEYS[2] and (redis.call('GET', KEYS[9]) or ARGV[1]) ~= ARGV[1] then return {'foreign'} end
if KEYS[8] ~= KEYS[2] and redis.call('HGET', KEYS[8], 'version') ~= ARGV[14] then return {'stale'} end
if not scheduled and not rebuilding then
  local holders = redis.call('HGETALL', KEYS[3])
  for at = 1, #holders, 2 do
    if redis.call('EXISTS', ARGV[11] .. holders[at] .. ':' .. holders[at + 1]) == 1 then return {'foreign'} end
  end
  local refused = full(KEYS[6], tonumber(ARGV[12]), KEYS[7], tonumber(ARGV[13]), ARGV[11], ARGV[5])
  if refused then return {'full', unpack(refused)} end
end
-- Leases and message ids know a meeting by its id alone; no meeting is wanted for longer than this.
if KEYS[9] ~= KEYS[2] then redis.call('SET', KEYS[9], ARGV[1], 'EX', 400 * 86400) end
redis.call('HSET', KEYS[2], 'record', ARGV[3], 'version', ARGV[4])
redis.call('ZADD', KEYS[4], ARGV[6], ARGV[5])
if not scheduled then
  redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
  count(KEYS[6], KEYS[7], ARGV[5])
end
if KEYS[5] ~= KEYS[2] then redis.call('SET', KEYS[5], ARGV[2], 'EX', ARGV[7]) end
return {'created'}
