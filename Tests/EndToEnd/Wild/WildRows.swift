// What servers in the wild were reported to answer.

import TestSupport

// MARK: What upstreams send

/// An event of a chunk with these choices.
private func event(choices: String, _ members: String = "") -> String {
    #"data: {"id":"c","object":"chat.completion.chunk","created":1732291256,"model":"m","choices":\#(choices)\#(members)}"#
        + "\n\n"
}

private func delta(_ text: String, finish: String = "null", index: Int = 0, _ members: String = "") -> String {
    event(choices: #"[{"index":\#(index),"delta":{"content":\#(quoted(text))},"finish_reason":\#(finish)}]"#, members)
}

private func ending(_ reason: String = #""stop""#, index: Int = 0) -> String {
    event(choices: #"[{"index":\#(index),"delta":{},"finish_reason":\#(reason)}]"#)
}

private func data(_ text: String) -> String { "data: \(text)\n\n" }

private let hello = delta("Hello")
private let world = delta(" world")
private let good = [hello, world, ending(), Chunks.done]
private let wildUsage = #""usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}"#

/// Each row says in its name where it comes from or what of it it varies.
let wildRows: [WildRow] = wildErrors + wildStatuses + wildEnds + wildAnswers + wildRequests

private func json(_ text: String, status: Int) -> Reply { .json(text, status: status, fields: [("Connection", "close")]) }

// MARK: Errors in every shape, behind 200

private let tooLong = "a prompt of 9000 tokens does not fit into 4096"

private let wildErrors: [WildRow] = [
    WildRow(
        "llamacpp-error-field",
        .frames(#"error: {"code":400,"message":"\#(tooLong)","type":"invalid_request_error"}"# + "\n\n", Chunks.done),
        .error(400, tooLong)),
    WildRow(
        "llamacpp-error-field-later", .frames(hello, #"error: {"code":500,"message":"out of slots"}"# + "\n\n", Chunks.done),
        .broken(hello, "out of slots")),
    WildRow(
        "minimax-base-resp",
        .frames(
            data(
                #"{"id":"0","choices":null,"usage":null,"base_resp":{"status_code":1008,"status_msg":"your balance is used up"}}"#
            ),
            Chunks.done),
        .error(503, "your balance is used up")
    ).asked(3),
    WildRow(
        "minimax-base-resp-second",
        .frames(data(#"{"choices":null,"base_resp":{"status_code":1008,"status_msg":"used up"}}"#), Chunks.done), .stream("")
    ).thenSecond.asked(3),
    WildRow(
        "minimax-base-resp-zero",
        .frames([delta("a", #","base_resp":{"status_code":0,"status_msg":""}"#), ending(), Chunks.done]),
        .stream(delta("a", #","base_resp":{"status_code":0,"status_msg":""}"#) + ending() + Chunks.done)),
    WildRow(
        "dashscope-event-error",
        .frames(
            "id:1\nevent:error\n:HTTP_STATUS/429\n"
                + #"data:{"code":"Throttling.AllocationQuota","message":"the quota of this minute is used up","request_id":"r-1"}"#
                + "\n\n"), .error(429, "the quota of this minute is used up")
    ).asked(3),
    WildRow(
        "event-error-of-any-JSON", .frames(hello, "event: error\ndata: {\"oops\":\"the engine died\"}\n\n"),
        .broken(hello, "the engine died")),
    WildRow(
        "event-error-of-text", .frames(hello, "event: error\ndata: the engine died\n\n"), .broken(hello, "the engine died")),
    WildRow(
        "venice-error-message",
        .frames(data(#"{"error_type":"context_length_exceeded","error_message":"more than the 163840 tokens that fit"}"#)),
        .error(400, "more than the 163840 tokens that fit")),
    WildRow(
        "glm-zero-chunk",
        .frames(
            data(#"{"id":"","object":"","created":0,"model":"","system_fingerprint":null,"choices":null,"usage":null}"#),
            Chunks.done), .error(503, "ended before it answered")
    ).asked(3),
    WildRow(
        "done-without-its-field", .frames(hello, ending(), "[DONE]\n\n"), .stream(hello + ending() + Chunks.done)),
    WildRow("done-without-its-field-at-the-end", .frames(hello, ending(), "[DONE]"), .stream(hello + ending() + Chunks.done)),
    WildRow("done-in-an-error-field", .frames(hello, ending(), "error: [DONE]\n\n"), .stream(hello + ending() + Chunks.done)),
    WildRow("done-without-its-field-only", .frames("[DONE]\n\n"), .error(503, "no chat completion")).asked(3),
    WildRow("done-only", .frames(Chunks.done), .error(503, "ended before it answered")).asked(3),
    WildRow("done-only-second", .frames(Chunks.done), .stream("")).thenSecond.asked(3),
    WildRow(
        "done-behind-a-role",
        .frames(event(choices: #"[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]"#), Chunks.done), .stream("")
    ).thenSecond.asked(3),
    WildRow(
        "unframed-json-error",
        .frames(#"{"error":{"code":400,"message":"\#(tooLong)","type":"context_error"}}"# + "\n"), .error(400, tooLong)),
    WildRow(
        "unframed-json-later", .frames(hello, #"{"error":{"code":500,"message":"worker lost"}}"# + "\n"),
        .broken(hello, "worker lost")),
    WildRow(
        "unframed-json-on-lines", .frames(hello, "{\n  \"error\": {\n    \"message\": \"worker lost\"\n  }\n}\n\n"),
        .broken(hello, "worker lost")),
    WildRow(
        "runpod-200-error",
        json(#"{"code":404,"message":"there is no model x","object":"error","param":null,"type":"NotFoundError"}"#, status: 200),
        .error(404, "there is no model x")),
    WildRow(
        "openrouter-empty-choices-error",
        .frames(hello, event(choices: "[]", #","error":{"code":502,"message":"the worker is full: 33 of 32"}"#), Chunks.done),
        .broken(hello, "the worker is full: 33 of 32")),
    WildRow(
        "perplexity-first-event-error",
        .frames(
            "event: error\ndata: {\"error\": {\"message\": \"no such parameter\", \"type\": \"invalid_request\", \"code\": 400}}\n\n"
        ),
        .error(400, "no such parameter")),
    WildRow("code-and-message-later", .frames(hello, data(#"{"code":500,"message":"boom"}"#)), .broken(hello, "boom")),
    WildRow("array-later", .frames(hello, data(#"[{"error":{"code":500,"message":"boom"}}]"#)), .broken(hello, "boom")),
    WildRow("errors-later", .frames(hello, data(#"{"errors":[{"message":"boom"}]}"#)), .broken(hello, "boom")),
    WildRow(
        "unknown-frame-then-the-end", .frames(hello, data(#"{"fault":"the engine died"}"#)), .broken(hello, "the engine died")),
    WildRow(
        "unknown-frame-then-done", .frames(hello, data(#"{"fault":"the engine died"}"#), Chunks.done),
        .broken(hello, "the engine died")),
    WildRow(
        "unknown-frame-then-more", .frames([hello, data(#"{"note":"queued"}"#), ending(), Chunks.done]),
        .stream(hello + ending() + Chunks.done)),
    WildRow(
        "unknown-frame-without-words-then-done", .frames(hello, data(#"{"usage_meta":{"cost":1}}"#), Chunks.done),
        .broken(hello, "error of its own")),
    WildRow(
        "unknown-frame-behind-the-finish-reason",
        .frames([hello, ending(), data(#"{"usage_meta":{"cost":1}}"#), data(#"{"type":"meta","note":"done"}"#), Chunks.done]),
        .stream(hello + ending() + Chunks.done)),
    WildRow(
        "error-5xx-first", .frames(data(#"{"error":{"code":502,"message":"the worker is full"}}"#)),
        .error(503, "the worker is full")
    ).asked(3),
    WildRow(
        "error-message-is-an-object",
        .frames(data(#"{"error":{"code":400,"message":{"detail":[{"loc":["body","stop"],"msg":"too many"}]}}}"#)),
        .error(400, "too many (body.stop)")),
    WildRow(
        "html-200", Reply(contentType: "text/html", [.text("<!doctype html>\n<html><body>Welcome</body></html>\n")]),
        .error(503, "no chat completion")
    ).asked(3),
]

// MARK: Errors by status

private let long = String(repeating: "tell me more, ", count: 400)

private let wildStatuses: [WildRow] = [
    WildRow(
        "gemini-array-error",
        json(
            #"[{"error":{"code":400,"message":"There is no field of the name \"web_search_options\".","status":"INVALID_ARGUMENT"}}]"#,
            status: 400), .error(400, #"There is no field of the name "web_search_options"."#)),
    WildRow(
        "mistral-422-detail-list",
        json(
            #"{"detail":[{"type":"extra_forbidden","loc":["body","store"],"msg":"this field is not allowed","input":false}]}"#,
            status: 422), .error(422, "this field is not allowed")),
    WildRow(
        "scaleway-error-word",
        json(#"{"status":429,"error":"QUOTA","message":"This project may not ask so much at once."}"#, status: 429),
        .error(429, "This project may not ask so much at once.")
    ).asked(3),
    WildRow(
        "cloudflare-errors-list",
        json(
            #"{"result":null,"success":false,"errors":[{"code":7003,"message":"there is no such account"}],"messages":[]}"#,
            status: 404), .error(404, "there is no such account")),
    WildRow(
        "deepseek-402",
        json(
            #"{"error":{"message":"the account is empty","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
            status: 402), .error(503, "account down (HTTP 402): the account is empty")
    ).with { $0.callerLacks = ["Try again"] },
    WildRow("deepseek-402-second", json(#"{"error":{"message":"empty"}}"#, status: 402), .stream("")).thenSecond,
    WildRow(
        "groq-498-fallback",
        json(
            #"{"error":{"message":"no flexible capacity is left","type":"internal_server_error","code":"flex_capacity_exceeded"}}"#,
            status: 498), .stream("")
    ).thenSecond,
    WildRow(
        "insufficient-quota",
        json(
            #"{"error":{"message":"the budget is spent","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            status: 429), .error(429, "the budget is spent")
    ).with { $0.kind = "openai" },
    WildRow(
        "insufficient-quota-second",
        json(#"{"error":{"message":"spent","type":"insufficient_quota","code":"insufficient_quota"}}"#, status: 429),
        .stream("")
    ).thenSecond,
    WildRow(
        "in-band-402", .frames(data(#"{"error":{"code":402,"message":"no credits"}}"#)), .error(503, "no credits")
    ).with { $0.callerLacks = ["Try again"] },
    WildRow(
        "words-behind-500", json(#"{"error":{"message":"CUDA out of memory"}}"#, status: 500), .error(503, "CUDA out of memory")
    )
    .asked(3),
    WildRow(
        "words-of-plain-text", Reply(status: 400, contentType: "text/plain", [.text("model is not loaded\r\n")]),
        .error(400, "model is not loaded")),
    WildRow(
        "words-of-a-page",
        Reply(
            status: 404, contentType: "text/html",
            [.text("<html><head><style>p{}</style><title>404</title></head><body><p>no backend here</p></body>")]),
        .error(404, "no backend here")),
    WildRow("words-too-many", json(#"{"error":{"message":"\#(long)"}}"#, status: 400), .error(400, "tell me more,"))
        .with { $0.callerLacks = [String(long.prefix(1100))] },
    WildRow(
        "words-with-control-characters", json(#"{"error":{"message":"a\u001b[31mred\u0000b\u009bc\u007f"}}"#, status: 400),
        .error(400, "a [31mred b c")
    ).with { $0.callerLacks = ["\u{1b}", "u001b", "\u{9b}", "\u{7f}"] },
    WildRow(
        "words-with-keys",
        json(
            #"{"error":{"message":"wrong key sk-proj-abcdefgh12345678 or top-secret at https://u:pw@h/","type":"t"}}"#,
            status: 400),
        .error(400, "wrong key *** or *** at https://***@h/")
    ).with { $0.callerLacks = ["sk-proj", "top-secret", "u:pw"] },
    WildRow(
        "words-about-our-key", json(#"{"error":{"message":"Incorrect API key provided: top-secret."}}"#, status: 401),
        .error(503, "Incorrect API key provided: ***.")
    ).with { $0.callerLacks = ["top-secret"] },
    WildRow(
        "words-that-are-compressed",
        Reply(
            status: 400, contentType: "application/json", fields: [("Content-Encoding", "gzip")], framing: .contentLength,
            [.bytes([0x1F, 0x8B, 8, 0])]), .error(400, "compressed with gzip")),
    WildRow("no-words", json("{}", status: 400), .error(400, "gave no reason")),
]

// MARK: Where an answer ends

private let twoChoices = #","n":2"#
private let reasoning = event(choices: #"[{"index":0,"delta":{"reasoning_content":"So"},"finish_reason":null}]"#)

private let wildEnds: [WildRow] = [
    WildRow(
        "two-finish-reasons", .frames(hello, ending(#""tool_calls""#), ending()), .broken(hello, "broke off")
    ).with { $0.members = twoChoices },
    WildRow(
        "two-choices-finished", .frames(hello, ending(index: 1), ending()),
        .stream(hello + ending(index: 1) + ending() + Chunks.done)
    ).with { $0.members = twoChoices },
    WildRow(
        "finish-reason-empty-then-cut", .frames(delta("Hello", finish: #""""#), delta(" wor", finish: #""""#)),
        .broken(delta("Hello", finish: #""""#), "broke off")),
    WildRow(
        "finish-reason-null-string-then-cut", .frames(delta("Hello", finish: #""null""#), delta(" wor", finish: #""null""#)),
        .broken(delta("Hello", finish: #""null""#), "broke off")),
    WildRow(
        "goes-on-behind-a-finish-reason-then-cut", .frames(hello, ending(#""tool_calls""#), world),
        .broken(hello + ending(#""tool_calls""#) + world, "broke off")),
    WildRow(
        "reasons-on-behind-a-finish-reason-then-cut", .frames(hello, ending(#""tool_calls""#), reasoning),
        .broken(hello + ending(#""tool_calls""#) + reasoning, "broke off")),
    WildRow(
        "one-of-two-choices-goes-on-then-cut", .frames(hello, ending(index: 1), ending(), world),
        .broken(hello + ending(index: 1) + ending() + world, "broke off")
    ).with { $0.members = twoChoices },
    WildRow(
        "one-of-two-choices-goes-on-to-its-end", .frames(hello, ending(index: 1), ending(), world, ending()),
        .stream(hello + ending(index: 1) + ending() + world + ending() + Chunks.done)
    ).with { $0.members = twoChoices },
    WildRow(
        "finish-reason-in-each-chunk-and-a-pause",
        .frames(
            [delta("He", finish: #""stop""#), delta("l", finish: #""stop""#)],
            end: [.pause(.milliseconds(2500)), .text(delta("lo", finish: #""stop""#) + Chunks.done)]),
        .stream(["He", "l", "lo"].map { delta($0, finish: #""stop""#) }.joined() + Chunks.done)),
    WildRow(
        "half-a-megabyte-behind-the-end",
        .frames([
            hello, ending(), #"data: {"choices":[],"x":""# + String(repeating: "x", count: 1 << 19), "\"}\n\n", Chunks.done,
        ]),
        .says([hello, ending()])),
    WildRow(
        "open-after-finish", .frames([hello, world, ending()], end: [.silence]),
        .stream(hello + world + ending() + Chunks.done)
    ).with { $0.isLetGo = true },
    WildRow(
        "usage-late-then-open",
        .frames(
            [hello, ending()],
            end: [.read, .pause(.milliseconds(50)), .text(event(choices: "[]", ",\(wildUsage)")), .silence]),
        .stream(hello + ending() + event(choices: "[]", ",\(wildUsage)") + Chunks.done)
    ).with { $0.members = #","stream_options":{"include_usage":true}"# },
    WildRow(
        "invalid-utf8-in-text",
        Reply([
            .text(hello),
            .bytes(Array(#"data: {"choices":[{"delta":{"content":""#.utf8) + [0xF0, 0x9F] + Array("\"}}]}\n\n".utf8)),
        ]),
        .broken(hello, "no chat completion")),
    WildRow(
        "big-event", .frames([hello, delta(String(repeating: "x", count: 1 << 20)), ending(), Chunks.done]),
        .broken(hello, "1048576 bytes")),
]

// MARK: Good answers

private let gzipped: [UInt8] = [
    0x1f, 0x8b, 0x08, 0x00, 0xc7, 0xe0, 0x0a, 0x6b, 0x02, 0xff, 0xd5, 0x8e, 0xc1, 0x0a, 0xc2, 0x30, 0x10, 0x44, 0xef, 0xf9, 0x8a,
]

private let limits = (0..<60).map { number in
    (name: "x-ratelimit-limit-model-0\(number)", value: String(repeating: "9", count: 60))
}

private let unneeded =
    (0..<300).map { (name: "X-Proxy-\($0)", value: "1") } + [("X Proxy Note", "2"), ("X-Via ", "3"), ("", "4")]

private let wildAnswers: [WildRow] = [
    WildRow("empty-data-frame", .frames([hello, "data:\n\n", world, ending(), Chunks.done]), .stream(good.joined())),
    WildRow("empty-data-frame-first", .frames(["data: \n\n", "data\n\n"] + good), .stream(good.joined())),
    WildRow("blank-data-frame", .frames([hello, "data:   \ndata:\n\n", world, ending(), Chunks.done]), .stream(good.joined())),
    WildRow("null-frame", .frames([hello, data("null"), world, ending(), Chunks.done]), .stream(good.joined())),
    WildRow("colon-only-comment", .frames([":\n\n", hello, ":\n\n", world, ending(), Chunks.done]), .says(["Hello", " world"])),
    WildRow("retry-only-event", .frames(["retry: 3000\n\n"] + good), .says(["Hello", " world"])),
    WildRow(
        "empty-error-beside-choices",
        .frames(
            [hello, world, ending()].map {
                $0.replacing("}\n\n", with: #","error":{"message":"","type":"","param":"","code":null}}"# + "\n\n")
            } + [Chunks.done]), .says(["Hello", " world"])),
    WildRow(
        "usage-without-choices",
        .frames([hello, world, ending(), data(#"{"id":"c","model":"m",\#(wildUsage)}"#), Chunks.done]),
        .stream(hello + world + ending() + data(#"{"id":"c","model":"m",\#(wildUsage),"choices":[]}"#) + Chunks.done)
    ).with {
        $0.members = #","stream_options":{"include_usage":true}"#
        $0.logged = [#""prompt_tokens":9"#, #""completion_tokens":2"#]
    },
    WildRow(
        "usage-with-null-choices",
        .frames([hello, world, ending(), data(#"{"choices":null,\#(wildUsage)}"#), Chunks.done]),
        .stream(hello + world + ending() + data(#"{"choices":[],\#(wildUsage)}"#) + Chunks.done)
    ).with { $0.members = #","stream_options":{"include_usage":true}"# },
    WildRow(
        "usage-without-choices-not-asked-for",
        .frames([hello, world, ending(), data(#"{"id":"c",\#(wildUsage)}"#), Chunks.done]), .stream(good.joined())
    ).with { $0.logged = [#""prompt_tokens":9"#] },
    WildRow(
        "whole-without-finish-reason",
        json(
            #"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello world"}}]}"#,
            status: 200), .says(["Hello world", #""finish_reason":"stop""#])),
    WildRow("sse-labelled-json", .frames(good, type: "application/json"), .stream(good.joined())),
    WildRow(
        "blanks-first", Reply([.text("\n"), .text(" \n\n"), .text("\n")] + good.map(Reply.Step.text)), .says([good.joined()])),
    WildRow(
        "mark-before-json",
        Reply([.bytes([0xEF]), .read, .bytes([0xBB, 0xBF]), .read, .text(Chunks.completion("Hello world"))]),
        .says(["Hello world"])),
    WildRow(
        "mark-before-json-not-streamed", Reply([.text("\u{FEFF}" + Chunks.completion("Hello world"))]),
        .stream(Chunks.completion("Hello world"))
    ).with { $0.isStreaming = false },
    WildRow(
        "blanks-before-json", Reply([.text(" "), .text("\n \n "), .text(Chunks.completion("Hello world"))]),
        .says(["Hello world", #""finish_reason":"stop""#])),
    WildRow("sse-labelled-text", .frames(good, type: "text/plain"), .stream(good.joined())),
    WildRow(
        "json-labelled-sse",
        Reply([.text(Chunks.completion("Hello world"))]), .says(["Hello world", #""finish_reason":"stop""#])),
    WildRow("status-201", .frames(good, status: 201), .stream(good.joined())),
    WildRow(
        "gzip-unasked",
        Reply(fields: [("Content-Encoding", "gzip")], [.bytes(gzipped)]), .error(503, "compressed with gzip")),
    WildRow(
        "duplicate-transfer-encoding", .frames(good, fields: [("Transfer-Encoding", "chunked")]), .stream(good.joined())),
    WildRow(
        "big-rate-limit-headers",
        .frames(good, fields: [("x-request-id", String(repeating: "r", count: 5000))] + limits),
        .stream(good.joined())
    ).with { $0.callerLacks = ["rrrr", "model-059"] },
    WildRow(
        "many-headers",
        .frames(good, fields: (0..<150).map { ("x-ratelimit-\($0)", "1") } + [("Retry-After", "7")]), .stream(good.joined())
    ).with { $0.callerFields = ["Retry-After": "7", "x-ratelimit-0": "1"] },
    WildRow(
        "headers-nobody-needs",
        .frames(good, fields: unneeded + [("Retry-After", "7")]), .stream(good.joined())
    ).with { $0.callerFields = ["Retry-After": "7"] },
    WildRow(
        "empty-chunks-by-the-thousand", .frames([String(repeating: "data: {\"choices\":[]}\n\n", count: 10_000)] + good),
        .says([#"{"choices":[],"system_fingerprint":"xx"#, "Hello", "world"])
    ).with {
        $0.hasSecond = true
        $0.path += "?custom_session_id=" + String(repeating: "x", count: 256)
    },
    WildRow("stream-though-not-asked", .frames(good), .error(503, "no chat completion"))
        .with { $0.isStreaming = false }.asked(3),
]

// MARK: Requests

private let history = #"""
    {"role":"user","content":"What time is it?"},{"role":"assistant","content":null,"reasoning_content":"Call the clock.",\#
    "tool_calls":[{"id":"c1","type":"function","function":{"name":"clock","arguments":"{}"}}],"time":{"begin":1},"models":{}},\#
    {"role":"tool","tool_call_id":"c1","content":"10:30"}
    """#

private func request(_ name: String, _ members: String, gets: [String] = [], lacks: [String] = []) -> WildRow {
    WildRow(name, .frames(good), .stream(good.joined())).with {
        ($0.members, $0.upstreamGets, $0.upstreamLacks) = (members, gets, lacks)
    }
}

private func openAI(_ model: String, _ name: String, _ members: String, gets: [String] = [], lacks: [String] = []) -> WildRow {
    request(name, members, gets: gets, lacks: lacks).with { ($0.kind, $0.asksModel) = ("openai", model) }
}

private let sampling = #","stop":["\nUser:"],"temperature":0.5,"max_tokens":250"#

private let wildRequests: [WildRow] = [
    request("reasoning-content-back", "", gets: [#""reasoning_content":"Call the clock.""#], lacks: [#""time""#, #""models""#])
        .with { $0.messages = history },
    request("reasoning-content-to-openai", "", lacks: ["reasoning_content", #""time""#])
        .with { ($0.messages, $0.kind) = (history, "openai") },
    openAI("gpt-5-mini", "gpt-5-stop", sampling, gets: [#""max_completion_tokens":250"#], lacks: [#""stop""#, "temperature"]),
    openAI("o3", "o3-stop", sampling, gets: [#""max_completion_tokens":250"#], lacks: [#""stop""#, "temperature"]),
    openAI("gpt-5.1", "gpt-5.1-temperature", sampling, gets: [#""temperature":0.5"#], lacks: [#""stop""#]),
    openAI(
        "gpt-5.2", "gpt-5.2-temperature-without-effort", sampling + #","reasoning_effort":"none""#,
        gets: [#""temperature":0.5"#]),
    openAI("gpt-5.3", "gpt-5.3-temperature-with-effort", sampling + #","reasoning_effort":"low""#, lacks: ["temperature"]),
    request("gpt-5-behind-a-gateway", #","max_tokens":250"#, gets: [#""max_tokens":250"#])
        .with { $0.asksModel = "openai/gpt-5-mini" },
    request("tools-empty-choice-null", #","tools":[],"tool_choice":null"#, lacks: ["tool_choice", #""tools""#, "parallel"]),
    request(
        "tools-null-choice-auto", #","tools":null,"tool_choice":"auto","parallel_tool_calls":true"#,
        lacks: ["tool_choice", #""tools""#, "parallel"]),
    request("no-tools-choice-none", #","tool_choice":"none""#, lacks: ["tool_choice", #""tools""#, "parallel"]),
    request("tools-keep-their-choice", #","tools":[{}],"tool_choice":"auto""#, gets: [#""tool_choice":"auto""#]),
    WildRow("compressed-request", .silence, .error(415, "gzip")).asked(0).with {
        $0.fields = [("Content-Encoding", "gzip")]
        $0.callerFields = ["Accept-Encoding": "identity"]
    },
    request("identity-request", "").with { $0.fields = [("Content-Encoding", "identity")] },
    request("doubled-v1", "").with { $0.path = "/v1/v1/chat/completions" },
    WildRow("session-of-any-length", .frames(good), .stream(good.joined())).with {
        $0.path = "/chat/completions?custom_session_id=" + String(repeating: "s", count: 257)
    },
    WildRow("session-of-256-bytes", .frames(good), .says([#""system_fingerprint":"\#(String(repeating: "s", count: 256))""#]))
        .with {
            $0.path = "/chat/completions?custom_session_id=" + String(repeating: "s", count: 256)
        },
]
