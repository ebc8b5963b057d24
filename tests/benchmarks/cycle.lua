-- wrk's script: POST the lines of a file, one after the other, and print what came of it as one line of JSON.
-- wrk ... http://127.0.0.1:PORT/PATH -- FILE

local requests, turn = {}, 0

function init(arguments)
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    for body in io.lines(arguments[1]) do
        wrk.body = body
        -- Made once: while wrk is measuring it only hands out finished bytes.
        requests[#requests + 1] = wrk.format()
    end
    if #requests == 1 then
        request = nil -- then wrk itself repeats the last body, and its connections share one copy of it
    end
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "seconds": %f, "refused": %d, "broken": %d, "p50_ms": %f, "p99_ms": %f}\n',
        summary.requests, summary.duration / 1e6, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
    ))
end
