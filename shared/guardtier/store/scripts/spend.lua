-- No action's state: what the agents of one fleet ask draws on the fleet's quota and on their own.
--
-- A bucket of tokens is one number, the time (µs, this server's clock) at which it is full again: who takes
-- a token moves it on by the time that a token takes to come back. It is never further away than an empty
-- bucket's, whatever stands there: a clock that was set back costs no more than one filling, and what can't be
-- read is a full bucket. A key lives until its bucket is full, so an agent that stops asking leaves nothing.
--
-- What is refused takes nothing from either bucket.
--
-- KEYS: the fleet's bucket, then those of the agents
-- ARGV: the fleet's µs a token (0: it has no quota) and tokens at once, an agent's likewise, then for each
--       request which of KEYS is its agent's (1: none)
-- Returns for each request two numbers: ms to wait for the fleet's quota, and for the agent's; 0 and 0: it
-- may go on.

local fleet_us, fleet_burst, agent_us, agent_burst = unpack(ARGV, 1, 4)
local limits = {fleet = {us = tonumber(fleet_us), burst = tonumber(fleet_burst)},
  agent = {us = tonumber(agent_us), burst = tonumber(agent_burst)}}
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full, spent = {}, {}

local function full_at(number, limit)
  if not full[number] then
    local said = tonumber(redis.pcall('GET', KEYS[number]) or nil)
    if not said or said ~= said then said = now end
    full[number] = math.min(math.max(said, now), now + limit.us * limit.burst)
  end
  return full[number]
end

local function wait_ms(number, limit)
  if limit.us == 0 then return 0 end
  return math.max(0, math.ceil((full_at(number, limit) - now - limit.us * (limit.burst - 1)) / 1000))
end

local function take(number, limit)
  if limit.us == 0 then return end
  full[number] = full_at(number, limit) + limit.us
  spent[number] = true
end

local said = {}
for i = 5, #ARGV do
  local number = tonumber(ARGV[i])
  local of_fleet = wait_ms(1, limits.fleet)
  local of_agent = number > 1 and wait_ms(number, limits.agent) or 0
  if of_fleet == 0 and of_agent == 0 then
    take(1, limits.fleet)
    if number > 1 then take(number, limits.agent) end
  end
  said[#said + 1], said[#said + 2] = of_fleet, of_agent
end
for number in pairs(spent) do
  redis.call('SET', KEYS[number], whole(full[number]), 'PX', whole(math.ceil((full[number] - now) / 1000)))
end
return said
