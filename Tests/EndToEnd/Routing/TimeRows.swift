// The routing table, second part: which targets are asked, by when each of them answers, and how many it is asked at once.

import TestSupport

private let never: [Reply] = []

/// Opened by the test. A stub takes one opening, so no row needs more than its own.
private func newGate() -> Gate {
    // A pipe that cannot be made is no result of a test.
    try! Gate()
}

// MARK: Time

private let slowGate = newGate()
private let lastGate = newGate()

let timeRows: [Row] = [
    Row(
        "a slow first token without a hedge", does: [[.waits(for: slowGate, says: "a")], never, never],
        act: (.called(1), .open(slowGate)), calls: [1], gets: said("a")),
    Row(
        "no first token in time", targets: #""one", "two""#, "retries = 0\ntimeouts = {first_token = \"100ms\"}",
        does: [[.silence], [.says("b")]], calls: [1, 2], cancels: [0], gets: said("b"),
        tried: ["one timeout.first_token", "two won"]),
    Row(
        "a role is no first token", targets: #""one", "two""#, "retries = 0\ntimeouts = {first_token = \"100ms\"}",
        does: [[Reply([.text(Chunks.role()), .silence])], [.says("b")]], calls: [1, 2], cancels: [0], gets: said("b"),
        tried: ["one timeout.first_token", "two won"]),
    Row(
        "a role of the last target, and then silence", targets: #""one", "two""#,
        "retries = 0\ntimeouts = {first_token = \"100ms\", idle = \"100ms\"}",
        does: [[.silence], [Reply([.text(Chunks.role()), .silence])]], calls: [1, 2], cancels: [0, 1],
        gets: .error(503, type: "upstream_timeout", code: "idle_timeout"),
        tried: ["one timeout.first_token", "two timeout.idle"], ending: "timeout.idle"),
    Row(
        "behind a role the first token has as long as ahead of it", targets: #""one""#,
        "retries = 0\ntimeouts = {first_token = \"10m\", idle = \"50ms\"}",
        does: [
            [
                Reply(
                    [.text(Chunks.role()), .pause(.milliseconds(500))]
                        + Chunks.stream(["b"]).dropFirst().map(Reply.Step.text))
            ]
        ], calls: [1], gets: said("b")),
    Row(
        "nor is reasoning", targets: #""one", "two""#, "retries = 0\ntimeouts = {first_token = \"100ms\"}",
        does: [[Reply([.text(Chunks.role() + Chunks.reasoning("Hm.")), .silence])], [.says("b")]], calls: [1, 2], cancels: [0],
        gets: said("b"), tried: ["one timeout.first_token", "two won"]),
    Row(
        "unless it counts", targets: #""one", "two""#,
        "retries = 0\nreasoning_counts = true\ntimeouts = {first_token = \"10m\", idle = \"100ms\"}",
        does: [[Reply([.text(Chunks.role() + Chunks.reasoning("Hm.")), .silence])], never], calls: [1], cancels: [0],
        gets: .brokenStream(Chunks.role() + Chunks.reasoning("Hm."), type: "upstream_timeout", code: "idle_timeout"),
        ending: "timeout.idle"),
    Row(
        "nor a thought that is left out", targets: #""one", "two""#,
        "retries = 0\nspeech = [\"think\"]\ntimeouts = {first_token = \"100ms\"}",
        does: [[Reply([.text(Chunks.begun("<think>Hm.</think>")), .silence])], [.says("b")]], calls: [1, 2], cancels: [0],
        gets: said("b"), tried: ["one timeout.first_token", "two won"]),
    Row(
        "a tool call is one", targets: #""one", "two""#, "retries = 0\ntimeouts = {idle = \"100ms\"}",
        does: [[Reply([.text(Chunks.role() + Chunks.toolCall(0, id: "c", name: "f", arguments: "")), .silence])], never],
        calls: [1], cancels: [0],
        gets: .brokenStream(
            Chunks.role() + Chunks.toolCall(0, id: "c", name: "f", arguments: ""), type: "upstream_timeout", code: "idle_timeout"),
        ending: "timeout.idle"),
    Row(
        "reasoning goes out with the first token", targets: #""one""#,
        does: [
            [
                Reply([
                    .text(Chunks.role()), .text(Chunks.reasoning("Hm.")), .read, .text(Chunks.content("a")),
                    .text(Chunks.finish() + Chunks.done),
                ])
            ]
        ], calls: [1],
        gets: .stream(Chunks.role() + Chunks.reasoning("Hm.") + Chunks.content("a") + Chunks.finish() + Chunks.done)),
    Row(
        "a cut behind the role of the only target is tried again", targets: #""one""#, "retries = 1",
        does: [[.closesAfterRole, .says("a")]], calls: [1, 1], gets: said("a"), tried: ["one cut", "one won"]),
    Row(
        "comments are no first token", targets: #""one", "two""#, "retries = 0\ntimeouts = {first_token = \"100ms\"}",
        does: [
            [Reply(Array(repeating: [.text(": wait\n\n"), .pause(.milliseconds(10))], count: 5_000).flatMap { $0 })],
            [.says("b")],
        ], calls: [1, 2], cancels: [0], gets: said("b"), tried: ["one timeout.first_token", "two won"]),
    Row(
        "a target's own first-token timeout", targets: #"{upstream = "one", first_token = "100ms"}, "two""#,
        does: [[.silence], [.waits(for: lastGate, says: "b")]], act: (.closed(0), .open(lastGate)), calls: [1, 2], cancels: [0],
        gets: said("b"), tried: ["one timeout.first_token", "two won"]),
    Row(
        "the last is not cut off for its first token", targets: #""one", "two""#,
        "retries = 0\ntimeouts = {first_token = \"100ms\"}",
        does: [[.silence], [Reply([.pause(.milliseconds(400))] + Chunks.stream(["b"]).map(Reply.Step.text))]], calls: [1, 2],
        cancels: [0], gets: said("b"), tried: ["one timeout.first_token", "two won"]),
    Row(
        "two are slow, the third is not", "retries = 0\ntimeouts = {first_token = \"100ms\"}",
        does: [[.silence], [.silence], [.says("c")]], calls: [1, 2, 3], cancels: [0, 1], gets: said("c"),
        tried: ["one timeout.first_token", "two timeout.first_token", "three won"]),
    Row(
        "one is slow, the next fails", targets: #""one", {upstream = "two", first_token = "15s"}, "three""#,
        "retries = 0\ntimeouts = {first_token = \"100ms\"}", does: [[.silence], [.status(500)], [.says("c")]],
        calls: [1, 2, 3], cancels: [0], gets: said("c"), tried: ["one timeout.first_token", "two failed.500", "three won"]),
    Row(
        "the only target is slow", targets: #""one""#, "retries = 0\ntimeouts = {first_token = \"100ms\"}", does: [[.silence]],
        calls: [1], cancels: [0], gets: .error(503, type: "upstream_timeout", code: "first_token_timeout"),
        ending: "timeout.first_token"),
    Row(
        "the time for all is over", targets: #""one", "two""#, "retries = 0\ntimeouts = {total = \"1s\"}",
        does: [[.silence], never], calls: [1], cancels: [0], gets: .error(503, type: "upstream_timeout", code: "total_timeout"),
        ending: "timeout.total"),
    Row(
        "the time for all is over in the last attempt", targets: #""one", "two""#,
        "retries = 0\ntimeouts = {first_token = \"100ms\", total = \"5s\"}", does: [[.silence], [.silence]], calls: [1, 2],
        cancels: [0, 1], gets: .error(503, type: "upstream_timeout", code: "total_timeout"),
        tried: ["one timeout.first_token", "two timeout.total"], ending: "timeout.total"),
    Row(
        "idle in mid-stream", "retries = 2\ntimeouts = {idle = \"100ms\"}", does: [[.stalls], never, never], calls: [1],
        cancels: [0],
        gets: .brokenStream(Chunks.role() + Chunks.content("Hel"), type: "upstream_timeout", code: "idle_timeout"),
        ending: "timeout.idle"),
    Row(
        "idle of the target in mid-stream", targets: #"{upstream = "one", idle = "100ms"}, "two""#, does: [[.stalls], never],
        calls: [1], cancels: [0],
        gets: .brokenStream(Chunks.role() + Chunks.content("Hel"), type: "upstream_timeout", code: "idle_timeout"),
        ending: "timeout.idle"),
    Row(
        "the caller leaves", does: [[.silence], never, never], act: (.called(1), .leave), calls: [1], cancels: [0],
        gets: .nothing, ending: "caller_left"),
    Row(
        "the caller leaves during a back-off", "retries = 1\nretry_after_max = \"1m\"",
        does: [[.isLastOfConnection(429, retryAfter: "30")], never, never], act: (.closed(0), .leave), calls: [1], cancels: [0],
        gets: .nothing, ending: "caller_left"),
]

// MARK: Hedges

private let hedged = "retries = 0\nhedge_after = \"100ms\""
private let hedgeGates = (0..<7).map { _ in newGate() }

let hedgeRows: [Row] = [
    Row(
        "one that answers at once is not hedged", "hedge_after = \"10s\"", does: [[.says("a")], never], calls: [1],
        gets: said("a")),
    Row(
        "the hedge wins", hedged, does: [[.silence], [.says("b")], never], calls: [1, 2], cancels: [0], gets: said("b"),
        tried: ["one lost", "two won"]),
    Row(
        "the first wins after the hedge started", hedged, does: [[.waits(for: hedgeGates[0], says: "a")], [.silence], never],
        act: (.called(2), .open(hedgeGates[0])), calls: [1, 2], cancels: [1], gets: said("a"), tried: ["two lost", "one won"]),
    Row(
        "both are slow", hedged, does: [[.silence], [.waits(for: hedgeGates[1], says: "b")], never],
        act: (.called(2), .open(hedgeGates[1])), calls: [1, 2], cancels: [0], gets: said("b"), tried: ["one lost", "two won"]),
    Row(
        "the first is slower than a first token may be, and its hedge says nothing",
        // The hedge has its time from when it was asked: the third answers before that is over.
        targets: #""one", {upstream = "two", first_token = "1h"}, "three""#,
        "retries = 0\nhedge_after = \"100ms\"\ntimeouts = {first_token = \"1500ms\"}",
        does: [[.silence], [.silence], [.says("c")]], calls: [1, 2, 3], cancels: [0, 1], gets: said("c"),
        tried: ["one timeout.first_token", "two lost", "three won"]),
    Row(
        "the hedge fails", hedged, does: [[.waits(for: hedgeGates[2], says: "a")], [.reports], never],
        act: (.closed(1), .open(hedgeGates[2])), calls: [1, 2], cancels: [1], gets: said("a"),
        tried: ["two upstream_reported_error", "one won"]),
    Row(
        "the hedge fails, and the first is too slow",
        "retries = 0\nhedge_after = \"100ms\"\ntimeouts = {first_token = \"6s\"}",
        does: [[.silence], [.status(500)], [.says("c")]], calls: [1, 2, 3], cancels: [0], gets: said("c"),
        tried: ["two failed.500", "one timeout.first_token", "three won"]),
    Row(
        "the first fails while the hedge runs", targets: #""one", "two""#, hedged,
        does: [
            [Reply([.wait(hedgeGates[3]), .text("data: \(Chunks.error("no", type: "server_error"))\n\n"), .silence])],
            [.waits(for: hedgeGates[6], says: "b")],
        ], act: (.called(2), .open(hedgeGates[3])), then: (.closed(0), .open(hedgeGates[6])), calls: [1, 2], cancels: [0],
        gets: said("b"), tried: ["one upstream_reported_error", "two won"]),
    Row(
        "the hedge is refused, and the first goes on", hedged,
        does: [[.waits(for: hedgeGates[4], says: "a")], [.refuses], never], act: (.closed(1), .open(hedgeGates[4])),
        calls: [1, 2], cancels: [1], gets: said("a"), tried: ["two refused.400", "one won"]),
    Row(
        "the first is refused while the hedge runs", hedged,
        does: [[Reply([.wait(hedgeGates[5]), .text(Reply.refuses.text), .silence])], [.silence], never],
        act: (.called(2), .open(hedgeGates[5])), calls: [1, 2], cancels: [0, 1],
        gets: .error(400, type: "invalid_request_error", code: nil), tried: ["one refused.400", "two lost"],
        ending: "refused.400"),
    Row(
        "as late as half of the recent answers", "retries = 0\nhedge_after = \"p50\"",
        does: [Array(repeating: .says("a"), count: 20) + [.silence], [.says("b")], never], before: 20,
        calls: Array(repeating: 1, count: 21) + [2], cancels: [20], gets: said("b"), tried: ["one lost", "two won"]),
    Row(
        "no hedge in the budget", targets: #""one", {upstream = "two", first_token = "15s"}"#,
        "retries = 0\nhedge_after = \"100ms\"\nhedge_max = \"0%\"\ntimeouts = {first_token = \"300ms\"}",
        does: [[.silence], [.says("b")]], calls: [1, 2], cancels: [0], gets: said("b"),
        tried: ["one timeout.first_token", "two won"]),
    Row(
        "no hedge on an upstream without a place", targets: #""narrow-one", {upstream = "narrow-one", model = "other"}, "three""#,
        "retries = 0\nhedge_after = \"100ms\"\ntimeouts = {first_token = \"300ms\"}", does: [[.silence], never, [.says("c")]],
        calls: [1, 3], cancels: [0], gets: said("c"),
        tried: ["narrow-one full", "narrow-one timeout.first_token", "three won"]),
    Row(
        "the caller leaves while two run", hedged, does: [[.silence], [.silence], never], act: (.called(2), .leave),
        calls: [1, 2], cancels: [0, 1], gets: .nothing, tried: ["one cancelled", "two cancelled"], ending: "caller_left"),
]

// MARK: Rests

let restRows: [Row] = [
    Row(
        "one that failed too often is left alone", targets: #""restful-one", "two""#, does: [[.status(500)], [.says("b")]],
        before: 2, calls: [1, 2, 1, 2, 2], gets: said("b")),
    Row(
        "one that failed less often is not", targets: #""restful-one", "two""#,
        does: [[.status(500), .says("a")], [.says("b")]], before: 1, calls: [1, 2, 1], gets: said("a")),
    Row(
        "an answer between two failures counts", targets: #""restful-one", "two""#,
        does: [[.status(500), .says("a"), .status(500), .says("a")], [.says("b")]], before: 3, calls: [1, 2, 1, 1, 2, 1],
        gets: said("a")),
    Row(
        "a refusal is no failure", targets: #""restful-one", "two""#, does: [[.status(400)], never], before: 2,
        calls: [1, 1, 1], gets: .error(400, type: "stub_error", code: nil), ending: "refused.400"),
    Row(
        "all rest: the first is tried all the same", targets: #""restful-one", "restful-two""#,
        does: [[.status(500), .status(500), .says("a")], [.status(500)]], before: 2, calls: [1, 2, 1, 2, 1], gets: said("a")),
    Row(
        "all rest and still fail: each is tried", targets: #""restful-one", "restful-two""#,
        does: [[.status(500)], [.status(502)]], before: 2, calls: [1, 2, 1, 2, 1, 2],
        gets: .error(503, type: "upstream_error", code: "upstream_status"),
        tried: ["restful-one failed.500", "restful-two failed.502"],
        ending: "failed.502"),
    Row(
        "the only target rests, and is tried", targets: #""restful-one""#, does: [[.status(500), .status(500), .says("a")]],
        before: 2, calls: [1, 1, 1], gets: said("a")),
]

// MARK: Places

let placeRows: [Row] = [
    Row(
        "an upstream is full: the next target", targets: #""narrow-one", "two""#, does: [[.stalls], [.says("b")]], beside: 1,
        calls: [1, 2], cancels: [0], gets: said("b"), tried: ["narrow-one full", "two won"]),
    Row(
        "the only upstream is full", targets: #""narrow-one""#, does: [[.stalls]], beside: 1, calls: [1], cancels: [0],
        gets: .error(503, type: "overloaded_error", code: "overloaded"), fields: ["Retry-After": "1"], ending: "overloaded"),
    Row(
        "all upstreams are full", targets: #""narrow-one", "narrow-two""#, does: [[.stalls], [.stalls]], beside: 2,
        calls: [1, 2], cancels: [0, 1], gets: .error(503, type: "overloaded_error", code: "overloaded"),
        fields: ["Retry-After": "1"], tried: ["narrow-one full", "narrow-two full"], ending: "overloaded"),
    Row(
        "a place is free again", targets: #""narrow-one""#, does: [[.says("a")]], before: 3, calls: [1, 1, 1, 1],
        gets: said("a")),
]

// MARK: Heartbeats

private let fallsBack = "retries = 0\ntimeouts = {first_token = \"300ms\"}"

let heartbeatRows: [Row] = [
    Row(
        "while another target's turn comes", targets: #""one", "two""#, fallsBack, does: [[.silence], [.says("b")]],
        calls: [1, 2], cancels: [0], gets: .lateStream(Chunks.stream(["b"]).joined()),
        tried: ["one timeout.first_token", "two won"]),
    Row(
        "do not end the fallback", targets: #""one", {upstream = "two", first_token = "1h"}, "three""#, fallsBack,
        does: [[.silence], [Reply([.pause(.milliseconds(100)), .close])], [.says("c")]],
        calls: [1, 2, 3], cancels: [0], gets: .lateStream(Chunks.stream(["c"]).joined()),
        tried: ["one timeout.first_token", "two upstream_no_answer", "three won"]),
    Row(
        "and an error of all after them", targets: #""one", "two""#, fallsBack, does: [[.silence], [.status(500)]],
        calls: [1, 2],
        cancels: [0], gets: .lateError(type: "upstream_error", code: "upstream_status"),
        tried: ["one timeout.first_token", "two failed.500"], ending: "failed.500"),
]
