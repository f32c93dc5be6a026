// The routing table, first part: which targets are asked, by what each of them answers.

import TestSupport

private let never: [Reply] = []

// MARK: One answer

let plainRows: [Row] = [
    Row("the first answers", does: [[.says("a")], never, never], calls: [1], gets: said("a")),
    Row(
        "a target has another model", targets: #"{upstream = "one", model = "other-1"}"#, does: [[.says("a")]], calls: [1],
        upstreamGets: [(1, #""model":"other-1""#)], gets: said("a")),
    Row(
        "the next target has another model", targets: #""one", {upstream = "two", model = "other-2"}"#,
        does: [[.status(500)], [.says("b")]], calls: [1, 2],
        upstreamGets: [(1, #""model":"row-"#), (2, #""model":"other-2""#)], gets: said("b"),
        tried: ["one failed.500", "two won"]),
    Row(
        "a target sets a parameter", targets: #"{upstream = "one", set = {temperature = 0.1}}, "two""#,
        does: [[.says("a")], never], calls: [1], upstreamGets: [(1, #""temperature":0.1"#)], gets: said("a")),
    Row(
        "the next target sets a parameter", targets: #""one", {upstream = "two", set = {seed = 7}}"#,
        does: [[.status(500)], [.says("b")]], calls: [1, 2], upstreamGets: [(2, #""seed":7"#)], gets: said("b"),
        tried: ["one failed.500", "two won"]),
    Row(
        "an unknown model is told the known names", does: [never, never, never], asksModel: "nobody's", calls: [],
        gets: .json(404, "row-0"), ending: "model_not_found"),
    Row(
        "an answer that is not streamed", does: [[.json(Chunks.completion("a"))], never], isStreaming: false, calls: [1],
        gets: .json(200, #""content":"a""#)),
    Row(
        "not streamed, of the next target", does: [[.status(500)], [.json(Chunks.completion("b"))]], isStreaming: false,
        calls: [1, 2], gets: .json(200, #""content":"b""#), tried: ["one failed.500", "two won"]),
    Row(
        "not streamed, cut in the middle",
        does: [
            [Reply(contentType: "application/json", [.text(#"{"id":"#), .read, .close])], [.json(Chunks.completion("b"))],
        ], isStreaming: false, calls: [1, 2], gets: .json(200, #""content":"b""#), tried: ["one cut", "two won"]),
    Row(
        "one object of which no stream can be made, then the next target",
        does: [[.json(#"{"choices":[]}"#)], [.says("b")], never], calls: [1, 2], gets: said("b"),
        tried: ["one upstream_no_answer", "two won"]),
    Row(
        "not streamed is not hedged", "retries = 0\nhedge_after = \"1ms\"",
        does: [[Reply(contentType: "application/json", [.pause(.milliseconds(100)), .text(Chunks.completion("a"))])], never],
        isStreaming: false, calls: [1], gets: .json(200, #""content":"a""#)),
    Row(
        "not streamed has no first-token timeout", "retries = 0\ntimeouts = {first_token = \"1ms\"}",
        does: [[Reply(contentType: "application/json", [.pause(.milliseconds(100)), .text(Chunks.completion("a"))])], never],
        isStreaming: false, calls: [1], gets: .json(200, #""content":"a""#)),
]

// MARK: Statuses

private func goesOn(_ status: Int) -> Row {
    Row(
        "\(status), then the next target", does: [[.status(status)], [.says("b")], never], calls: [1, 2], gets: said("b"),
        tried: ["one failed.\(status)", "two won"])
}

private func ends(_ status: Int, _ seen: Int, _ type: String, _ code: String?, ending: String) -> Row {
    Row(
        "\(status) is not tried elsewhere", "retries = 2", does: [[.status(status)], never, never], calls: [1],
        gets: .error(seen, type: type, code: code), ending: ending)
}

private func listed(_ status: Int, outcome: String) -> Row {
    Row(
        "\(status) that fallback_on lists", "fallback_on = [\(status)]", does: [[.status(status)], [.says("b")], never],
        calls: [1, 2], gets: said("b"), tried: ["one \(outcome)", "two won"])
}

let statusRows: [Row] =
    [408, 409, 500, 502, 503, 504, 529].map(goesOn) + [
        Row(
            "503 three times, then good", "retries = 3", does: [[.status(503), .status(503), .status(503), .says("a")], never],
            calls: [1, 1, 1, 1], gets: said("a"),
            tried: ["one failed.503", "one failed.503", "one failed.503", "one won"]),
        Row(
            "503 more often than there are retries", "retries = 2", does: [[.status(503)], [.says("b")]], calls: [1, 1, 1, 2],
            gets: said("b"), tried: ["one failed.503", "one failed.503", "one failed.503", "two won"]),
        Row(
            "no retries in the budget", "retries = 2\nretry_budget = \"0%\"", does: [[.status(503)], [.says("b")]],
            calls: [1, 2],
            gets: said("b"), tried: ["one failed.503", "two won"]),
        Row(
            "all fail", does: [[.status(500)], [.status(502)], [.status(503)]], calls: [1, 2, 3],
            gets: .error(503, type: "upstream_error", code: "upstream_status"),
            tried: ["one failed.500", "two failed.502", "three failed.503"], ending: "failed.503"),
        Row(
            "a refusal after a failure", does: [[.status(500)], [.status(400)], never], calls: [1, 2],
            gets: .error(400, type: "stub_error", code: nil), tried: ["one failed.500", "two refused.400"],
            ending: "refused.400"),
        Row(
            "503 with too long a text, then the next target", does: [[.isTooLong(503)], [.says("b")], never], calls: [1, 2],
            cancels: [0], gets: said("b"), tried: ["one failed.503", "two won"]),
        Row(
            "503 whose text stalls, then the next target", does: [[.breaksOff(503)], [.says("b")], never], calls: [1, 2],
            cancels: [0], gets: said("b"), tried: ["one failed.503", "two won"]),
        Row(
            "503 whose text stalls, and a retry", "retries = 1", does: [[.breaksOff(503), .says("a")], never, never],
            calls: [1, 1], cancels: [0], gets: said("a"), tried: ["one failed.503", "one won"]),
        Row(
            "all errors have too long a text", targets: #""one", "two""#, does: [[.isTooLong(500)], [.isTooLong(503)]],
            calls: [1, 2], cancels: [0, 1], gets: .error(503, type: "upstream_error", code: "upstream_status"),
            tried: ["one failed.500", "two failed.503"], ending: "failed.503"),
        Row(
            "429 whose text stalls, from the only target", targets: #""one""#, does: [[.breaksOff(429, retryAfter: "7")]],
            calls: [1], cancels: [0], gets: .error(429, type: "rate_limit_error", code: nil), fields: ["Retry-After": "7"],
            ending: "refused.429"),
        Row(
            "400 with too long a text", does: [[.isTooLong(400)], never, never], calls: [1], cancels: [0],
            gets: .error(400, type: "invalid_request_error", code: nil), ending: "refused.400"),
        Row(
            "400 whose text is late",
            does: [
                [
                    Reply(
                        status: 400, contentType: "application/json",
                        [.pause(.milliseconds(600)), .text(Chunks.error("late", type: "stub_error"))])
                ], never, never,
            ], calls: [1], gets: .error(400, type: "stub_error", code: nil), ending: "refused.400"),
        ends(400, 400, "stub_error", nil, ending: "refused.400"),
        ends(401, 503, "upstream_error", "upstream_key_refused", ending: "key_refused.401"),
        ends(403, 503, "upstream_error", "upstream_key_refused", ending: "key_refused.403"),
        ends(404, 404, "stub_error", nil, ending: "refused.404"), ends(413, 413, "stub_error", nil, ending: "refused.413"),
        ends(422, 422, "stub_error", nil, ending: "refused.422"), listed(400, outcome: "refused.400"),
        listed(401, outcome: "key_refused.401"), listed(403, outcome: "key_refused.403"),
        listed(404, outcome: "refused.404"), listed(413, outcome: "refused.413"), listed(422, outcome: "refused.422"),
    ]

// MARK: Retry-After

private func elsewhere(_ name: String, _ model: String, _ retryAfter: String?) -> Row {
    Row(
        name, model, does: [[.status(429, retryAfter: retryAfter)], [.says("b")], never], calls: [1, 2], gets: said("b"),
        tried: ["one refused.429", "two won"])
}

private func waited(_ name: String, _ model: String, _ retryAfter: String?) -> Row {
    Row(
        name, model, does: [[.status(429, retryAfter: retryAfter), .says("a")], never, never], calls: [1, 1], gets: said("a"),
        tried: ["one refused.429", "one won"])
}

let retryAfterRows: [Row] = [
    waited("429 without it", "retries = 1", nil), waited("0", "retries = 1", "0"),
    waited("2, and so much is waited for", "retries = 1\nretry_after_max = \"2s\"", "2"),
    elsewhere("2, and that is too much", "retries = 1\nretry_after_max = \"1s\"", "2"),
    elsewhere("10^9", "retries = 1", "1000000000"), elsewhere("a date to come", "retries = 1", "Wed, 21 Oct 2099 07:28:00 GMT"),
    waited("a date that is over", "retries = 1", "Wed, 21 Oct 2015 07:28:00 GMT"),
    waited("nonsense", "retries = 1", "soon"), elsewhere("0, without retries", "retries = 0", "0"),
    Row(
        "503 with too much of it", "retries = 1", does: [[.status(503, retryAfter: "3600")], [.says("b")]], calls: [1, 2],
        gets: said("b"), tried: ["one failed.503", "two won"]),
    Row(
        "10^9 of the only target goes to the caller", targets: #""one""#, "retries = 1",
        does: [[.status(429, retryAfter: "1000000000")]], calls: [1], gets: .error(429, type: "stub_error", code: nil),
        fields: ["Retry-After": "1000000000"], ending: "refused.429"),
    Row(
        "429 of all goes to the caller", targets: #""one", "two""#,
        does: [[.status(429, retryAfter: "7")], [.status(429, retryAfter: "9")]],
        calls: [1, 2], gets: .error(429, type: "stub_error", code: nil), fields: ["Retry-After": "9"],
        tried: ["one refused.429", "two refused.429"], ending: "refused.429"),
]

// MARK: Connections and cuts

let cutRows: [Row] = [
    Row(
        "a connection is refused", targets: #""refusing", "two""#, does: [never, [.says("b")]], calls: [2], gets: said("b"),
        tried: ["refusing upstream_connection_refused", "two won"]),
    Row(
        "nobody hears the connection", targets: #"{upstream = "deaf", connect = "100ms"}, "two""#, does: [never, [.says("b")]],
        calls: [2], gets: said("b"), tried: ["deaf timeout.connect", "two won"]),
    Row(
        "a certificate is not trusted", targets: #"{upstream = "insecure", connect = "1m"}, "two""#, does: [never, [.says("b")]],
        calls: [2], gets: said("b"), tried: ["insecure upstream_tls_failed", "two won"]),
    Row(
        "the only target refuses the connection", targets: #""refusing""#, does: [], calls: [],
        gets: .error(503, type: "upstream_error", code: "upstream_connection_refused"),
        ending: "upstream_connection_refused"),
    Row(
        "cut before the first event", does: [[.closes], [.says("b")], never], calls: [1, 2], gets: said("b"),
        tried: ["one upstream_no_answer", "two won"]),
    Row(
        "cut after the role", does: [[.closesAfterRole], [.says("b")], never], calls: [1, 2], gets: said("b"),
        tried: ["one cut", "two won"]),
    Row(
        "cut after the first token", does: [[.closesAfterToken], never, never], calls: [1],
        gets: .brokenStream(Chunks.role() + Chunks.content("Hel"), type: "upstream_error", code: "upstream_cut_off"),
        ending: "cut"),
    Row(
        "a cut is tried again", "retries = 1", does: [[.closesAfterRole, .says("a")], never], calls: [1, 1], gets: said("a"),
        tried: ["one cut", "one won"]),
    Row(
        "an error is the first event", does: [[.reports], [.says("b")], never], calls: [1, 2], cancels: [0], gets: said("b"),
        tried: ["one upstream_reported_error", "two won"]),
    Row(
        "an error behind the role",
        does: [
            [Reply([.text(Chunks.role()), .text("data: \(Chunks.error("no", type: "server_error"))\n\n"), .silence])],
            [.says("b")], never,
        ], calls: [1, 2], cancels: [0], gets: said("b"), tried: ["one upstream_reported_error", "two won"]),
    Row(
        "an error behind the first token",
        does: [
            [
                Reply([
                    .text(Chunks.content("Hel")), .read, .text("data: \(Chunks.error("no", type: "server_error"))\n\n"), .silence,
                ])
            ],
            never, never,
        ], calls: [1], cancels: [0],
        gets: .brokenStream(Chunks.content("Hel"), type: "upstream_error", code: "upstream_reported_error"),
        ending: "upstream_reported_error"),
    Row(
        "garbage is the first event", does: [[Reply([.text("data: {\n\n"), .silence])], [.says("b")], never], calls: [1, 2],
        cancels: [0], gets: said("b"), tried: ["one upstream_garbage", "two won"]),
    Row(
        "no HTTP at all", does: [[.raw(.text("hello\r\n\r\n"), .close)], [.says("b")], never], calls: [1, 2], gets: said("b"),
        tried: ["one upstream_garbage", "two won"]),
    Row(
        "a stream without an event", does: [[.stream([])], [.says("b")], never], calls: [1, 2], gets: said("b"),
        tried: ["one upstream_no_answer", "two won"]),
]

// MARK: Spoken errors

private let sorry = Row.Outcome.json(200, "Sorry.")

let spokenRows: [Row] = [
    Row(
        "after all have failed", targets: #""one", "two""#, does: [[.status(500)], [.status(502)]], calls: [1, 2], gets: sorry,
        tried: ["one failed.500", "two failed.502"], ending: "failed.502"),
    Row(
        "not while another target answers", targets: #""one", "two""#, does: [[.status(500)], [.says("b")]], calls: [1, 2],
        gets: said("b"), tried: ["one failed.500", "two won"]),
]
