-- Read before the scripts that may send an agent: whether one more is allowed, of a tenant and of all.
-- The sets hold the meetings that have an agent, or wait for one now. A meeting leaves them in the very write that ends
-- it, and one whose record is gone is not counted: so nothing is ever held that no meeting stands for.
local function in_use(set, limit, meetings)
  local used = redis.call('SCARD', set)
  if used < limit then return used end
  for _, member in ipairs(redis.call('SMEMBERS', set)) do
    if redis.call('EXISTS', meetings .. member) == 0 then redis.call('SREM', set, member) end
  end
  return redis.call('SCARD', set)
end

-- What refuses one more: {scope, limit, used}; nil if nothing does, or it is counted already.
local function full(of_all, all_limit, of_tenant, tenant_limit, meetings, member)
  if redis.call('SISMEMBER', of_all, member) == 1 then return nil end
  local used = in_use(of_tenant, tenant_limit, meetings)
  if used >= tenant_limit then return {'tenant', tostring(tenant_limit), tostring(used)} end
  used = in_use(of_all, all_limit, meetings)
  if used >= all_limit then return {'overall', tostring(all_limit), tostring(used)} end
  return nil
end

local function count(of_all, of_tenant, member)
  redis.call('SADD', of_all, member)
  redis.call('SADD', of_tenant, member)
end

local function give_free(of_all, of_tenant, member)
  redis.call('SREM', of_all, member)
  redis.call('SREM', of_tenant, member)
end

