-- SPDX-License-Identifier: MIT
-- wrk asks the prebuilt requests of the file that WRK_REQUESTS names (lines: path, space, key), in random order.
local built = {}

function init()
	math.randomseed(os.time())
	for line in io.lines(os.getenv("WRK_REQUESTS")) do
		local path, key = line:match("^(%S+) (%S+)$")
		built[#built + 1] = wrk.format("GET", path, {Authorization = "Bearer " .. key, Host = "bench"})
	end
end

function request()
	return built[math.random(#built)]
end

-- statuses: how many answers had a status over 399. Latencies in microseconds.
function done(summary, latency)
	local errors = summary.errors
	io.write(string.format('{"requests":%d,"seconds":%f,"socket_errors":%d,"statuses":%d,"p50":%f,"p99":%f}\n',
		summary.requests, summary.duration / 1e6, errors.connect + errors.read + errors.write + errors.timeout,
		errors.status, latency:percentile(50), latency:percentile(99)))
end
