-- Searches that are all different: one to three of the words in the file named by the first argument, the last of them
-- sometimes only begun, under a highest price that excludes nothing and that no other request has, so that no cache can
-- answer.
require "report"

function init(arguments)
  math.randomseed(1000 + thread_number)
  words = {}
  for word in io.lines(arguments[1]) do
    table.insert(words, word)
  end
  sequence = 0
end

function request()
  local query = {}
  for i = 1, math.random(1, 3) do
    query[i] = words[math.random(#words)]
  end
  if math.random(3) == 1 then
    query[#query] = query[#query]:sub(1, 4)
  end
  sequence = sequence + 1
  local path = string.format(
    "/api/products?q=%s&limit=24&price_max=%d", table.concat(query, "+"),
    1000000000 + thread_number * 100000000 + sequence)
  return wrk.format("GET", path)
end
