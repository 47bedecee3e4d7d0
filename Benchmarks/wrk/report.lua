-- Prints what a run measured as one line of JSON, the last line of the output. Microseconds throughout.
-- A script that wants its answers counted by status defines `response` with `count`, see orders.lua.

statuses = {}

function count(status)
  statuses[status] = (statuses[status] or 0) + 1
end

local threads = {}

function setup(thread)
  thread:set("thread_number", #threads)
  table.insert(threads, thread)
end

function done(summary, latency, requests)
  local totals = {}
  for _, thread in ipairs(threads) do
    for status, number in pairs(thread:get("statuses") or {}) do
      totals[status] = (totals[status] or 0) + number
    end
  end
  local by_status = {}
  for status, number in pairs(totals) do
    table.insert(by_status, string.format('"%d": %d', status, number))
  end
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "duration": %d, "bytes": %d, "p50": %d, "p90": %d, "p99": %d, "p999": %d, "max": %d, ' ..
    '"errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}, "statuses": {%s}}\n',
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9), latency.max,
    e.connect, e.read, e.write, e.status, e.timeout, table.concat(by_status, ", ")))
end
