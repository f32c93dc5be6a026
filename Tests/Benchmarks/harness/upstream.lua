-- A fast upstream: streams as many events as the request's field `user` orders, each with the monotonic time of its sending.
-- Generator/StreamRequest.swift is the other side: every byte here is checked there.

local ffi = require "ffi"
ffi.cdef [[
    struct benchmark_timespec { long seconds; long nanoseconds; };
    int clock_gettime(int clock, struct benchmark_timespec *time);
]]
local CLOCK_MONOTONIC = 1
local time = ffi.new("struct benchmark_timespec")

local function now()
    ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
    return string.format("%010d%09d", tonumber(time.seconds), tonumber(time.nanoseconds))
end

-- An event is printed as a table of its parts: LuaJIT interns strings by a hash of a few of their bytes, and whole events, which
-- differ in some digits only, would collide by the thousand.
local START = 'data: {"id":"chatcmpl-'
local OPENING = '","object":"chat.completion.chunk","created":1764000000,"model":"benchmark",'
    .. '"system_fingerprint":"fp_benchmark","choices":[{"index":0,"delta":{"content":"'
local CLOSING = '"},"logprobs":null,"finish_reason":null}]'
local LAST_CLOSING = '"},"logprobs":null,"finish_reason":"stop"}]'
local OBFUSCATION = "Kq7ZtW3xPa9LmR2v"

local function stream(number, events, interval, delay, is_varied)
    ngx.header["Content-Type"] = "text/event-stream"
    if delay > 0 then ngx.sleep(delay / 1000) end
    for event = 0, events - 1 do
        if event > 0 and interval > 0 then ngx.sleep(interval / 1000) end
        local place = string.format("%09d.%06d", number, event)
        local obfuscation = is_varied and ',"obfuscation":"' .. OBFUSCATION:sub(1, event % 16 + 1) .. '"' or ""
        ngx.print({
            START, is_varied and place or "benchmark", OPENING, place, ".", now(),
            event == events - 1 and LAST_CLOSING or CLOSING, obfuscation, "}\n\n",
        })
        if not ngx.flush(true) then return end
    end
    ngx.print("data: [DONE]\n\n")
end

-- By stream: when its connection was closed before its end, or OPEN.
local closed = ngx.shared.closed
local OPEN = "0"
-- Since the start.
local counts = ngx.shared.counts
local upstream = {}

function upstream.count(name) counts:incr(name, 1, 0) end

-- Where each connection has one request.
function upstream.count_handshake()
    upstream.count("handshakes")
    if ngx.var.ssl_session_reused == "r" then upstream.count("resumed") end
end

-- POST /v1/chat/completions. `thinking` gives, by a stream's number, how many milliseconds longer than ordered it takes.
local function complete(thinking)
    local number
    ngx.on_abort(function()
        if number then closed:set(number, now()) end
        ngx.exit(499)
    end)
    ngx.req.read_body()
    local order = '"user":%s*"benchmark (%d+) (%d+) (%d+) (%d+)( ?%a*)"'
    local events, interval, delay, form
    number, events, interval, delay, form = (ngx.req.get_body_data() or ""):match(order)
    if not number then return ngx.exit(400) end
    closed:set(number, OPEN)
    upstream.count("requests")
    if ngx.req.http_version() == 2 then upstream.count("http2") end
    delay = delay + thinking(tonumber(number))
    stream(tonumber(number), tonumber(events), tonumber(interval), delay, form == " varied")
end

function upstream.complete()
    complete(function() return 0 end)
end

local STALL = 5000

-- One of 20 streams that follow one another, which one is as good as random.
local function is_stalled(number)
    return number % 20 == ngx.crc32_short(math.floor(number / 20)) % 20
end

-- The same after 20 to 50 ms, another time for each upstream; one that stalls takes five seconds more for 5 % of the streams.
function upstream.think(stalls)
    complete(function(number)
        local thinking = 20 + ngx.crc32_short(ngx.var.server_port .. " " .. number) % 31
        if not (stalls and is_stalled(number)) then return thinking end
        upstream.count("stalls")
        return thinking + STALL
    end)
end

-- GET /counts: a line `NAME COUNT` for each of what is counted here, if there was any.
function upstream.report_counts()
    for _, name in ipairs(counts:get_keys(0)) do ngx.say(name, " ", counts:get(name)) end
end

-- GET /closed: a line `NUMBER TIME` for each stream that arrived, or was cut off, since the last report.
function upstream.report()
    for _, number in ipairs(closed:get_keys(0)) do ngx.say(number, " ", closed:get(number)) end
    closed:flush_all()
    closed:flush_expired()
end

return upstream
