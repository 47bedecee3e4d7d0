-- Orders: each with a key of its own, one piece of one of the SKUs in the file named by the first argument.
-- The second argument makes the keys of one run different from those of all others.
require "report"

local body = [[{"lines": [{"sku": "%s", "quantity": 1}], "email": "ada@example.com", "shipping_method": "standard",
"shipping_address": {"name": "Ada L.", "line1": "1 High St", "city": "Leeds", "postal_code": "LS1 1AA", "country": "GB"},
"payment": {"token": "tok_approved"}}]]

function init(arguments)
  math.randomseed(2000 + thread_number)
  skus = {}
  for sku in io.lines(arguments[1]) do
    table.insert(skus, sku)
  end
  run = arguments[2]
  sequence = 0
  headers = { ["Content-Type"] = "application/json" }
end

function request()
  sequence = sequence + 1
  headers["Idempotency-Key"] = string.format("%s-%d-%d", run, thread_number, sequence)
  return wrk.format("POST", "/api/orders", headers, string.format(body, skus[math.random(#skus)]))
end

function response(status)
  count(status)
end
