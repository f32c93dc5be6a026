// The contract's rules about answers.

import TestSupport

// MARK: Streams (contract §3.1)

private func event(_ members: String) -> String { "data: {\(members)}\n\n" }

private let first = Chunks.content("Hello")
private let otherFinish = Chunks.finish().replacing(#""index":0"#, with: #""index":1"#)
private let start = [Chunks.role(), first]

private func streams(
    _ name: String, _ frames: [String], gives: [String]? = nil, sends: String = streaming(), asked body: String = asked()
) -> Rule {
    Rule(name, sends: sends, upstreamGets: body, answer: .stream(frames), callerGets: gives.map { .stream($0.joined()) } ?? .same)
}

/// A stream that the caller must not take for a whole one.
private func breaks(
    _ name: String, _ reply: Reply, after frames: [String] = start, type: String = "upstream_error", code: String?
) -> Rule {
    Rule(name, upstreamGets: asked(), answer: reply, callerGets: .brokenStream(frames.joined(), type: type, code: code))
}

private let usage = Chunks.usage(prompt: 3, completion: 1)
private let usageShown = #","stream_options":{"include_usage":true}"#

private let completionHead =
    #"data: {"id":"chatcmpl-stub","created":1732960800,"model":"stub-1","object":"chat.completion.chunk","choices":["#

/// `Chunks.completion("Hello")` as a stream.
private let completionFrames = [
    completionHead
        + #"{"index":0,"logprobs":null,"delta":{"role":"assistant","content":"Hello","refusal":null},"finish_reason":null}]}"#,
    completionHead + #"{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
].map { $0 + "\n\n" }

private let completionUsage = completionHead + #"],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"# + "\n\n"

/// A chunk of a completion in Hume's session `s`.
private func inSession(_ frame: String) -> String {
    frame.replacing(#""model":"stub-1","#, with: #""model":"stub-1","system_fingerprint":"s","#)
}

let streamRules: [Rule] = [
    Rule(
        "the head", upstreamGets: asked(),
        callerFields: ["Cache-Control": "no-cache", "Content-Type": "text/event-stream; charset=utf-8"]),
    streams(
        "events in their original bytes",
        [event(#" "choices" : [ {"delta":{"content":"\u00e9 é"},"index":0,"x":1e3} ] "#), Chunks.finish(), Chunks.done]),
    streams("an event with its id and type", ["event: message\nid: 7\n" + first, Chunks.finish(), Chunks.done]),
    streams("events with CR LF", start.map { $0.replacing("\n", with: "\r\n") } + [Chunks.finish(), Chunks.done]),
    streams(
        "comments between events", [": processing\n\n", Chunks.role(), ":\n\n", first, Chunks.finish(), Chunks.done],
        gives: [": processing\n\n", Chunks.role(), ":\n\n", first, Chunks.finish(), Chunks.done]),
    streams(
        "a byte order mark goes", ["\u{FEFF}" + Chunks.role(), Chunks.finish(), Chunks.done],
        gives: [Chunks.role(), Chunks.finish(), Chunks.done]),
    streams(
        "DONE left out after a finish reason", [Chunks.role(), Chunks.finish()],
        gives: [Chunks.role(), Chunks.finish(), Chunks.done]),
    streams("what comes after DONE is not passed on", Chunks.stream(["Hi"]) + [first], gives: Chunks.stream(["Hi"])),
    streams(
        "Azure's first chunk without choices",
        [event(#""choices":[],"prompt_filter_results":[{"prompt_index":0}]"#)] + Chunks.stream(["Hi"])),
    streams(
        "a frame that has no choices is left out", [event(#""object":"ping""#)] + Chunks.stream(["Hi"]),
        gives: Chunks.stream(["Hi"])),
    streams(
        "usage that the caller did not ask for", Chunks.stream(["Hi"]).dropLast() + [usage, Chunks.done],
        gives: Chunks.stream(["Hi"])),
    streams(
        "usage that the caller asked for", Chunks.stream(["Hi"]).dropLast() + [usage, Chunks.done], sends: streaming(usageShown),
        asked: streaming(usageShown)),
    streams(
        "usage in a chunk with choices stays",
        [
            Chunks.role(),
            event(
                #""choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}"#),
            Chunks.done,
        ]),
    streams(
        "tool calls are not touched",
        [
            event(
                #""choices":[{"index":0,"delta":{"tool_calls":[{"index":3,"id":"c","function":{"name":"f","arguments":"{\""}}]}}]"#
            ),
            event(#""choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"a\":1}"}}]}}]"#),
            Chunks.finish("tool_calls"), Chunks.done,
        ]),
    streams(
        "several choices",
        [
            event(#""choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}]"#), Chunks.finish(),
            Chunks.done,
        ]),
    streams(
        "an empty error in each chunk",
        (start + [Chunks.finish()]).map { $0.replacing("data: {", with: #"data: {"error":"","#) } + [Chunks.done]),
    streams("a refusal", [event(#""choices":[{"index":0,"delta":{"refusal":"No."}}]"#), Chunks.finish(), Chunks.done]),
    streams("a content filter's end", [Chunks.role(), Chunks.finish("content_filter"), Chunks.done]),
    Rule(
        "a stream that is not called one", upstreamGets: asked(),
        answer: Reply(contentType: "text/plain", Chunks.stream(["Hi"]).map(Reply.Step.text)),
        callerGets: .stream(Chunks.stream(["Hi"]).joined())),
    Rule(
        "one completion becomes chunks", upstreamGets: asked(), answer: .json(Chunks.completion("Hello")),
        callerGets: .stream(completionFrames.joined() + Chunks.done)),
    Rule(
        "one completion with usage becomes chunks of Hume's session", sends: streaming(usageShown),
        path: "/chat/completions?custom_session_id=s", upstreamGets: streaming(usageShown),
        answer: .json(Chunks.completion("Hello")),
        callerGets: .stream((completionFrames + [completionUsage]).map(inSession).joined() + Chunks.done)),
    Rule(
        "usage in Hume's session", sends: streaming(usageShown), path: "/chat/completions?custom_session_id=s",
        upstreamGets: streaming(usageShown), answer: .stream(Chunks.stream(["Hi"]).dropLast() + [usage, Chunks.done]),
        callerGets: .stream((Chunks.stream(["Hi"]).dropLast() + [usage]).map { fingerprinted($0, "s") }.joined() + Chunks.done)),
    Rule(
        "one completion with usage asked for", sends: streaming(usageShown), upstreamGets: streaming(usageShown),
        answer: .json(Chunks.completion("Hello")), callerGets: .stream(completionFrames.joined() + completionUsage + Chunks.done)),
    Rule(
        "the upstream's limits and request id come through, nothing else", upstreamGets: asked(),
        answer: Reply(
            fields: [
                ("x-ratelimit-remaining-tokens", "9"), ("x-request-id", "up-1"), ("Set-Cookie", "a=b"), ("openai-version", "1"),
            ],
            Chunks.stream(["Hi"]).map(Reply.Step.text)),
        callerFields: [
            "x-ratelimit-remaining-tokens": "9", "x-upstream-request-id": "up-1", "Set-Cookie": nil, "openai-version": nil,
        ]),

    breaks("closed in mid-stream", Reply(start.map(Reply.Step.text) + [.close]), code: "upstream_cut_off"),
    breaks("reset in mid-stream", Reply(start.map(Reply.Step.text) + [.read, .reset]), code: "upstream_cut_off"),
    breaks(
        "closed inside an event",
        Reply(start.map(Reply.Step.text) + [.text("data: {\"choices\":[{\"delta\":{\"content\":\"to"), .close]),
        code: "upstream_cut_off"),
    breaks("ended without a finish reason", .stream(start), code: "upstream_cut_off"),
    Rule(
        "ended with one of two choices unfinished", sends: streaming(#","n":2"#), upstreamGets: asked(#","n":2"#),
        answer: .stream([Chunks.begun(), Chunks.finish()]),
        callerGets: .brokenStream(Chunks.begun() + Chunks.finish(), type: "upstream_error", code: "upstream_cut_off")),
    streams(
        "ended with both choices finished", [Chunks.role(), Chunks.finish(), otherFinish],
        gives: [Chunks.role(), Chunks.finish(), otherFinish, Chunks.done], sends: streaming(#","n":2"#),
        asked: asked(#","n":2"#)),
    breaks(
        "an error event", .stream(start + [event(#""error":{"message":"overloaded","type":"server_error"}"#)]),
        code: "upstream_reported_error"),
    breaks(
        "an error event about the request",
        .stream(
            start + [event(#""error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}"#)]),
        type: "invalid_request_error", code: "context_length_exceeded"),
    breaks("an event that is no JSON", .stream(start + ["data: oops\n\n"]), code: "upstream_garbage"),
    breaks(
        "an event above the limit", .stream(start + [Chunks.content(String(repeating: "x", count: 1 << 20))]),
        code: "upstream_event_too_large"),
]

// MARK: Whole answers (contract §3.2)

let wholeRules: [Rule] = [
    Rule("a completion", sends: whole(), upstreamGets: whole()),
    Rule(
        "a completion in its original bytes", sends: whole(), upstreamGets: whole(),
        answer: .json("{ \"choices\" : [ {\"message\":{\"content\":\"\\u00e9\"}} ], \"x\":1.0 }\n")),
    Rule("a completion's head", sends: whole(), upstreamGets: whole(), callerFields: ["Content-Type": "application/json"]),
    Rule(
        "Hume's session without a stream", sends: whole(), path: "/chat/completions?custom_session_id=s", upstreamGets: whole(),
        answer: .json(#"{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}"#),
        callerGets: .json(
            200, #"{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}],"system_fingerprint":"s"}"#)),
    Rule(
        "no completion", sends: whole(), upstreamGets: whole(), answer: .json(#"{"hello":1}"#),
        callerGets: .error(503, type: "upstream_error", code: "upstream_garbage")),
    Rule(
        "no JSON", sends: whole(), upstreamGets: whole(), answer: .json("<html>"),
        callerGets: .error(503, type: "upstream_error", code: "upstream_garbage")),
    Rule(
        "an error behind a status of 200", sends: whole(), upstreamGets: whole(),
        answer: .json(#"{"error":{"message":"no","type":"invalid_request_error","code":null}}"#),
        callerGets: .error(400, type: "invalid_request_error", code: nil)),
    Rule(
        "cut off", sends: whole(), upstreamGets: whole(),
        answer: Reply(contentType: "application/json", [.text(#"{"choices":[{"mess"#), .close]),
        callerGets: .error(503, type: "upstream_error", code: "upstream_cut_off")),
]

// MARK: Errors before the stream (contract §3.3)

private func fails(_ name: String, _ reply: Reply, _ status: Int, _ type: String, _ code: String?, param: String? = nil) -> Rule {
    Rule(name, upstreamGets: asked(), answer: reply, callerGets: .error(status, type: type, code: code, param: param))
}

/// The same for an upstream that ends the connection without a byte.
private func endsWithoutAWord(_ name: String, _ reply: Reply) -> Rule {
    var rule = fails(name, reply, 503, "upstream_error", "upstream_no_answer")
    rule.mayComeTwice = true
    return rule
}

private let refusal = #"{"error":{"message":"no","type":"t","param":"p","code":"c"}}"#

let errorRules: [Rule] =
    [400, 404, 413, 422, 429].map { status in
        Rule(
            "the upstream's \(status) with its own object", upstreamGets: asked(),
            answer: .json(
                #"{ "error" : {"message":"no","x":[1.0],"type":"t","code":null,"param":null} , "y":1}"#, status: status),
            callerGets: .json(status, #"{"error":{"message":"no","x":[1.0],"type":"t","code":null,"param":null}}"#))
    }
    + [401, 403].map { status in
        fails(
            "the upstream's \(status) is about our key", .json(refusal, status: status), 503, "upstream_error",
            "upstream_key_refused")
    }
    + [500, 502, 503, 504, 529, 302, 418].map { status in
        fails("the upstream's \(status)", .json(refusal, status: status), 503, "upstream_error", "upstream_status")
    } + [
        fails(
            "an error in the first event", .stream([event(#""error":{"message":"m","type":"server_error"}"#)]), 503,
            "upstream_error", "upstream_reported_error"),
        fails(
            "a refusal in the first event",
            .stream([event(#""error":{"message":"m","type":"invalid_request_error","code":"c","param":"p"}"#)]), 400,
            "invalid_request_error", "c", param: "p"),
        fails(
            "a limit in the first event",
            .stream([event(#""error":{"message":"m","type":"tokens","code":"rate_limit_exceeded"}"#)]), 429, "tokens",
            "rate_limit_exceeded"),
        fails("a status without a word", Reply(status: 400, contentType: "text/plain", []), 400, "invalid_request_error", nil),
        Rule(
            "vLLM's form of an error", upstreamGets: asked(),
            answer: .json(#"{"object":"error","message":"too long","type":"BadRequestError","code":400}"#, status: 400),
            callerGets: .json(
                400, #"{"error":{"object":"error","message":"too long","type":"BadRequestError","code":400}}"#)),
        fails(
            "FastAPI's form of an error", .json(#"{"detail":"no such thing"}"#, status: 422), 422, "invalid_request_error", nil),
        fails("an error that is bare text", .json(#"{"error":"slow down"}"#, status: 429), 429, "rate_limit_error", nil),
        fails(
            "an HTML page", Reply(status: 502, contentType: "text/html", [.text("<h1>Bad gateway</h1>")]),
            503, "upstream_error",
            "upstream_status"),
        endsWithoutAWord("closed without a word", .raw(.close)),
        endsWithoutAWord("reset without a word", .raw(.reset)),
        fails("no HTTP", .raw(.text("SSH-2.0-OpenSSH_9.2\r\n"), .close), 503, "upstream_error", "upstream_garbage"),
        fails("an empty stream", Reply([]), 503, "upstream_error", "upstream_no_answer"),
        fails("comments alone", .stream([": hello\n\n"]), 503, "upstream_error", "upstream_no_answer"),
        fails("no JSON in the first event", .stream(["data: oops\n\n"]), 503, "upstream_error", "upstream_garbage"),
        fails(
            "cut in the first event", Reply([.text("data: {\"choices\""), .close]), 503, "upstream_error", "upstream_cut_off"),
        Rule(
            "retry-after comes through", upstreamGets: asked(),
            answer: .json(
                refusal, status: 429,
                fields: [("Retry-After", "7"), ("retry-after-ms", "6500"), ("x-ratelimit-limit-requests", "1"), ("Server", "x")]),
            callerGets: .error(429, type: "t", code: "c", param: "p"),
            callerFields: ["Retry-After": "7", "retry-after-ms": "6500", "x-ratelimit-limit-requests": "1"]),
    ]

// MARK: Errors as the settings say

let eventErrorRules: [Rule] = [
    Rule(
        "before the stream", upstreamGets: asked(), answer: .json(#"{"error":{"message":"a \"b\"","type":"t"}}"#, status: 400),
        callerGets: .stream("data: {\"error\":\"a \\\"b\\\"\"}\n\n")),
    Rule(
        "inside it", upstreamGets: asked(), answer: .stream(start),
        callerGets: .stream(
            start.joined()
                + "data: {\"error\":\"The model's server broke off before its answer was complete. What has arrived is not the whole answer.\"}\n\n"
        )),
    Rule(
        "without a stream", sends: whole(), upstreamGets: whole(), answer: .json(refusal, status: 400),
        callerGets: .error(400, type: "t", code: "c", param: "p")),
    Rule("bad JSON", sends: "{", callerGets: .error(400, type: "invalid_request_error", code: "invalid_json")),
]

let spokenSettings = """
    spoken_error = "Sorry, say \\"that\\" again?"
    refusal = "speak"

    """ + plainSettings

private let spoken = Rule.Outcome.says("Sorry, say \"that\" again?")

/// The spoken error of the request `req-1` in Hume's session `session-1`.
private let spokenChunks = [
    #"{"role":"assistant","content":""},"finish_reason":null"#,
    #"{"content":"Sorry, say \"that\" again?"},"finish_reason":null"#,
    #"{},"finish_reason":"stop""#,
].map {
    #"data: {"id":"req-1","object":"chat.completion.chunk","created":NUMBER,"model":"m","system_fingerprint":"session-1","#
        + #""choices":[{"index":0,"delta":\#($0)}]}"# + "\n\n"
}

let spokenRules: [Rule] = [
    Rule("an answer is as ever", upstreamGets: asked(), callerFields: ["X-Sluice-Spoken-Error": nil]),
    Rule(
        "an upstream that fails", upstreamGets: asked(), answer: .json(refusal, status: 500), callerGets: spoken,
        callerFields: ["X-Sluice-Spoken-Error": "failed.500"]),
    Rule(
        "an upstream that refuses", upstreamGets: asked(), answer: .json(refusal, status: 429), callerGets: spoken,
        callerFields: ["X-Sluice-Spoken-Error": "refused.429"]),
    Rule(
        "Hume's session in every chunk", path: "/chat/completions?custom_session_id=session-1",
        fields: [("X-Request-Id", "req-1")], upstreamGets: asked(), answer: .json(refusal, status: 500),
        callerGets: .stream((spokenChunks + [Chunks.done]).joined())),
    Rule(
        "without a stream", sends: whole(), upstreamGets: whole(), answer: .json(refusal, status: 500),
        callerGets: .error(503, type: "upstream_error", code: "upstream_status"), callerFields: ["X-Sluice-Spoken-Error": nil]),
    Rule("bad JSON", sends: "{", callerGets: .error(400, type: "invalid_request_error", code: "invalid_json")),
    breaks("inside the stream", .stream(start), code: "upstream_cut_off"),
    streams(
        "a refusal is spoken",
        [
            event(#""choices":[{"index":0,"delta":{"role":"assistant","content":null,"refusal":"I \u0063annot."}}]"#),
            Chunks.finish(), Chunks.done,
        ],
        gives: [
            event(#""choices":[{"index":0,"delta":{"role":"assistant","content":"I \u0063annot.","refusal":"I \u0063annot."}}]"#),
            Chunks.finish(), Chunks.done,
        ]),
]

/// Comments that have committed the 200 come before all of these.
let heartbeatRules: [Rule] = [
    Rule(
        "an answer that is slow to begin", upstreamGets: asked(),
        answer: Reply([.pause(.milliseconds(150))] + Chunks.stream(["Hel", "lo"]).map(Reply.Step.text)),
        callerGets: .says("Hello")),
    Rule(
        "an answer with a pause inside", upstreamGets: asked(),
        answer: Reply(
            [.text(Chunks.begun("Hel")), .pause(.milliseconds(150))] + Chunks.stream(["lo"]).dropFirst().map(Reply.Step.text)),
        callerGets: .says("Hello")),
    Rule(
        "an upstream that fails slowly", upstreamGets: asked(),
        answer: .raw(.pause(.milliseconds(150)), .text("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")), callerGets: spoken,
        callerFields: ["X-Sluice-Spoken-Error": nil]),
]

/// Its time is over behind some of them.
let silenceRules: [Rule] = [
    Rule("an upstream that is silent", upstreamGets: asked(), answer: .silence, callerGets: spoken)
]
