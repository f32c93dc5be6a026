import Chat
import Clock
import EventLoop
import TestSupport
import Testing

@testable import Choosing

private typealias Row = SelectionScript
private typealias Target = ScriptedTarget

@Suite struct SelectionTests {
    @Test(arguments: [
        Row("one target answers", Target(.ok()), gives: "0 a, 50 a wins"),
        Row("the first of two answers", Target(.ok()), Target(.ok()), gives: "0 a, 50 a wins"),
        Row("503 once, then good", Target(.status(503), .ok()), gives: "0 a, 100 a again, 150 a wins"),
        Row(
            "503 three times, then good", Target(.status(503), .status(503), .status(503), .ok()), retries: 3,
            gives: "0 a, 100 a again, 300 a again, 700 a again, 750 a wins"),
        Row(
            "503 three times, then the next", Target(.status(503)), Target(.ok()),
            gives: "0 a, 100 a again, 300 a again, 300 then b, 350 b wins"),
        Row("no retries, the next at once", Target(.refused), Target(.ok()), retries: 0, gives: "0 a, 0 then b, 50 b wins"),
        Row("bad TLS", Target(.insecure), Target(.ok()), retries: 0, gives: "0 a, 0 then b, 50 b wins"),
        Row("408", Target(.status(408)), Target(.ok()), retries: 0, gives: "0 a, 0 then b, 50 b wins"),
        Row("409", Target(.status(409)), Target(.ok()), retries: 0, gives: "0 a, 0 then b, 50 b wins"),
        Row("500", Target(.status(500)), Target(.ok()), retries: 0, gives: "0 a, 0 then b, 50 b wins"),
        Row("599", Target(.status(599)), Target(.ok()), retries: 0, gives: "0 a, 0 then b, 50 b wins"),
        Row("cut before the first event", Target(.cut(after: 7)), Target(.ok()), retries: 0, gives: "0 a, 7 then b, 57 b wins"),
        Row(
            "cut again and again", Target(.cut()), retries: 1,
            gives: "0 a, 100 a again, 100 cut of a"),
        Row(
            "an error as the first event", Target(.event(#"{"error":{"message":"busy","type":"server_error"}}"#)), Target(.ok()),
            retries: 0, gives: "0 a, 0 then b, 50 b wins"),
        Row(
            "a verdict as the first event",
            Target(.event(#"{"error":{"message":"too long","type":"invalid_request_error"}}"#)), Target(.ok()),
            gives: "0 a, 0 400 of a"),
        Row(
            "a connection that takes its whole time is not tried again first", Target(.connectTimeout(after: 200)), Target(.ok()),
            gives: "0 a, 200 then b, 250 b wins"),
        Row(
            "but for want of another it is", Target(.connectTimeout(after: 200), .ok()),
            gives: "0 a, 300 a again, 350 a wins"),
        Row(
            "all fail, the last error is shown", Target(.refused), Target(.status(503)), Target(.status(500)), retries: 0,
            gives: "0 a, 0 then b, 0 then c, 0 500 of c"),
    ])
    func `failures before the first event are tried again, and then elsewhere`(_ row: SelectionScript) {
        #expect(row.play() == row.expected)
    }

    @Test(arguments: [400, 401, 403, 404, 413, 422])
    func `a verdict on the request is tried nowhere else`(_ status: Int) {
        let row = Row("", Target(.status(status)), Target(.ok()), gives: "0 a, 0 \(status) of a")
        #expect(row.play() == row.expected)
    }

    @Test(arguments: [400, 401, 403, 404, 413, 422])
    func `unless fallback_on lists it, and then not on the same target`(_ status: Int) {
        let row = Row("", Target(.status(status)), Target(.ok()), fallbackOn: [status], gives: "0 a, 0 then b, 50 b wins")
        #expect(row.play() == row.expected)
    }

    @Test(arguments: [402, 405, 418, 451, 498, 499])
    func `a word about the upstream's account or room goes to the next target, never to the same`(_ status: Int) {
        let row = Row("", Target(.status(status)), Target(.ok()), gives: "0 a, 0 then b, 50 b wins")
        #expect(row.play() == row.expected)
        let alone = Row("", Target(.status(status)), gives: "0 a, 0 \(status) of a")
        #expect(alone.play() == alone.expected)
    }

    @Test(arguments: [402, 429, 498])
    func `a word about the account behind 200 does the same, and a limit that passes is waited for`(_ status: Int) {
        let error = UpstreamError(body: Array(#"{"error":{"message":"x","code":\#(status)}}"#.utf8).span, depthMax: 8)
        let failure = AttemptFailure(.upstreamReported(error!, key: UpstreamKey()))
        #expect(failure.countsAgainstTarget)
        #expect((failure.consequence == .retry) == (status == 429))
    }

    @Test(arguments: ["insufficient_quota", "billing_hard_limit_reached"])
    func `a budget that is spent is waited for nowhere`(_ code: String) {
        let body = Array(#"{"error":{"message":"x","type":"t","code":"\#(code)"}}"#.utf8)
        let error = ChatError.upstreamAnswered(status: 429, body: body.span, key: UpstreamKey(), depthMax: 8)
        #expect(AttemptFailure(error).consequence == .onlyElsewhere)
    }

    @Test(arguments: [302, 399]) func `neither is a status that nobody expects`(_ status: Int) {
        let row = Row("", Target(.status(status)), Target(.ok()), gives: "0 a, 0 \(status) of a")
        #expect(row.play() == row.expected)
    }

    @Test(arguments: [
        Row(
            "a verdict over a later 503", Target(.status(404)), Target(.status(503)), retries: 0, fallbackOn: [404],
            gives: "0 a, 0 then b, 0 404 of a"),
        Row(
            "a verdict over an earlier 503", Target(.status(503)), Target(.status(400)), retries: 0,
            gives: "0 a, 0 then b, 0 400 of b"),
        Row(
            "our key's refusal is none", Target(.status(401)), Target(.status(503)), retries: 0, fallbackOn: [401],
            gives: "0 a, 0 then b, 0 503 of b"),
        Row(
            "a limit of rate is none", Target(.status(429)), Target(.status(503)), retries: 0,
            gives: "0 a, 0 then b, 0 503 of b"),
        Row("a failure over a full queue", Target(.refused), Target(.full), retries: 0, gives: "0 a, 0 not b, 0 refused of a"),
    ])
    func `the most telling error is shown`(_ row: SelectionScript) {
        #expect(row.play() == row.expected)
    }

    @Test(arguments: [
        Row("0: no sooner than the back-off", Target(.status(429, wait: "0"), .ok()), gives: "0 a, 100 a again, 150 a wins"),
        Row("2: waited for", Target(.status(429, wait: "2"), .ok()), Target(.ok()), gives: "0 a, 2000 a again, 2050 a wins"),
        Row("3: the next target", Target(.status(429, wait: "3"), .ok()), Target(.ok()), gives: "0 a, 0 then b, 50 b wins"),
        Row("10⁹: the next target", Target(.status(429, wait: "1000000000")), Target(.ok()), gives: "0 a, 0 then b, 50 b wins"),
        Row("10⁹ without another", Target(.status(429, wait: "1000000000")), gives: "0 a, 0 429 of a"),
        Row(
            "a date in 1 s", Target(.status(429, wait: "Thu, 01 Jan 2026 12:00:01 GMT"), .ok()), Target(.ok()),
            gives: "0 a, 1000 a again, 1050 a wins"),
        Row(
            "a date next year", Target(.status(429, wait: "Friday, 01-Jan-27 12:00:00 GMT")), Target(.ok()),
            gives: "0 a, 0 then b, 50 b wins"),
        Row("with 503 too", Target(.status(503, wait: "1"), .ok()), gives: "0 a, 1000 a again, 1050 a wins"),
        Row("garbage is none", Target(.status(429, wait: "soon"), .ok()), gives: "0 a, 100 a again, 150 a wins"),
        Row(
            "longer than there is time", Target(.status(429, wait: "2"), total: 1000), Target(.ok(), total: 1000),
            gives: "0 a, 0 then b, 50 b wins"),
    ])
    func `retry-after is obeyed up to a limit and else means the next target at once`(_ row: SelectionScript) {
        #expect(row.play() == row.expected)
    }

    @Test(arguments: [
        Row(
            "slow, without a hedge", Target(.ok(after: 900)), Target(.ok()),
            gives: "0 a, 900 a wins"),
        Row(
            "too slow, without a hedge", Target(.ok(after: 5000)), Target(.ok()),
            gives: "0 a, 1000 then b, 1000 a first_token, 1050 b wins"),
        Row(
            "both slow, and the last has all the time there is", Target(.ok(after: 5000)), Target(.ok(after: 5000)),
            gives: "0 a, 1000 then b, 1000 a first_token, 6000 b wins"),
        Row("the only one has it too", Target(.ok(after: 5000)), gives: "0 a, 5000 a wins"),
        Row("until total", Target(.silent), gives: "0 a, 10000 a total, 10000 total of a"),
        Row(
            "total counts from the request's start", Target(.silent), Target(.silent),
            gives: "0 a, 1000 then b, 1000 a first_token, 10000 b total, 10000 total of b"),
        Row(
            "total of one leaves another's", Target(.silent, firstToken: 5000, total: 700), Target(.ok()),
            gives: "0 a, 700 a total, 700 then b, 750 b wins"),
        Row(
            "three in turn", Target(.silent), Target(.silent, firstToken: 500), Target(.ok()),
            gives: "0 a, 1000 then b, 1000 a first_token, 1500 then c, 1500 b first_token, 1550 c wins"),
        Row(
            "one that rests is no reason to cut the last off", Target(.ok(after: 3000)), Target(.ok(), rests: true),
            gives: "0 a, 3000 a wins"),
        Row(
            "the slow one goes on while the next has no room", Target(.ok(after: 3000)), Target(.full),
            gives: "0 a, 1000 not b, 3000 a wins"),
        Row(
            "and while it waits in its queue", Target(.ok(after: 1500)), Target(.ok().queued(for: 800)),
            gives: "0 a, 1000 then b, 1500 b lost, 1500 a wins"),
        Row(
            "its failure meanwhile changes nothing", Target(.cut(after: 1500)), Target(.ok().queued(for: 800)),
            gives: "0 a, 1000 then b, 1850 b wins"),
        Row(
            "one that is the only one is tried again", Target(.silent, .ok()), endsAtFirstToken: true,
            gives: "0 a, 1000 a first_token, 1100 a again, 1150 a wins"),
        Row(
            "as often as it may be", Target(.silent), retries: 1, endsAtFirstToken: true,
            gives: "0 a, 1000 a first_token, 1100 a again, 2100 a first_token, 2100 first_token"),
        Row(
            "or not at all", Target(.silent), retries: 0, endsAtFirstToken: true,
            gives: "0 a, 1000 a first_token, 1000 first_token"),
        Row(
            "where the last has no more time than the others, they come before it is tried again", Target(.silent), Target(.ok()),
            endsAtFirstToken: true, gives: "0 a, 1000 a first_token, 1000 then b, 1050 b wins"),
        Row(
            "and it is cut off too", Target(.silent), Target(.silent), retries: 0, endsAtFirstToken: true,
            gives: "0 a, 1000 a first_token, 1000 then b, 2000 b first_token, 2000 first_token"),
    ])
    func `a slow first token is another target's turn, but the last is not cut off`(_ row: SelectionScript) {
        #expect(row.play() == row.expected)
    }

    @Test(arguments: [
        Row(
            "the hedge wins", Target(.ok(after: 900), hedgeAfter: 300), Target(.ok()),
            gives: "0 a, 300 b beside, 350 a lost, 350 b wins"),
        Row("a quick first token needs none", Target(.ok(after: 299), hedgeAfter: 300), Target(.ok()), gives: "0 a, 299 a wins"),
        Row(
            "the first wins after the hedge started", Target(.ok(after: 320), hedgeAfter: 300), Target(.ok()),
            gives: "0 a, 300 b beside, 320 b lost, 320 a wins"),
        Row(
            "both slow", Target(.ok(after: 2000), hedgeAfter: 300), Target(.ok(after: 3000)),
            gives: "0 a, 300 b beside, 2000 b lost, 2000 a wins"),
        Row(
            "both silent", Target(.silent, hedgeAfter: 300), Target(.silent),
            gives: "0 a, 300 b beside, 10000 a total, 10000 b total, 10000 total of b"),
        Row(
            "the hedge fails", Target(.ok(after: 900), hedgeAfter: 300), Target(.status(503)),
            gives: "0 a, 300 b beside, 900 a wins"),
        Row(
            "the hedge gets a verdict", Target(.ok(after: 900), hedgeAfter: 300), Target(.status(400)),
            gives: "0 a, 300 b beside, 900 a wins"),
        Row(
            "the hedge gets a verdict, then the first fails", Target(.cut(after: 900), hedgeAfter: 300), Target(.status(400)),
            Target(.ok()), gives: "0 a, 300 b beside, 900 400 of b"),
        Row(
            "the hedge's key is refused, then the first fails", Target(.cut(after: 900), .ok(), hedgeAfter: 300),
            Target(.status(401)), gives: "0 a, 300 b beside, 1000 a again, 1050 a wins"),
        Row(
            "the first fails, the hedge goes on", Target(.cut(after: 400), hedgeAfter: 300), Target(.ok(after: 500)),
            gives: "0 a, 300 b beside, 800 b wins"),
        Row(
            "both fail, then the first again", Target(.cut(after: 400), .ok(), hedgeAfter: 300),
            Target(.status(503, wait: "60", after: 200)),
            gives: "0 a, 300 b beside, 500 a again, 550 a wins"),
        Row(
            "both fail, then again the one that may be first", Target(.cut(after: 400), .ok(), hedgeAfter: 300),
            Target(.status(503, wait: "2", after: 200)), gives: "0 a, 300 b beside, 500 a again, 550 a wins"),
        Row(
            "in either order", Target(.status(503, wait: "2", after: 400), hedgeAfter: 300), Target(.cut(after: 200), .ok()),
            gives: "0 a, 300 b beside, 600 b again, 650 b wins"),
        Row(
            "both fail, then the next", Target(.cut(after: 400), hedgeAfter: 300), Target(.cut(after: 200)), Target(.ok()),
            retries: 0, gives: "0 a, 300 b beside, 500 then c, 550 c wins"),
        Row(
            "a verdict on the first ends the hedge", Target(.status(400, after: 400), hedgeAfter: 300), Target(.ok(after: 500)),
            gives: "0 a, 300 b beside, 400 b lost, 400 400 of a"),
        Row(
            "a verdict on the hedge ends what is to replace it", Target(.cut(after: 400), hedgeAfter: 300),
            Target(.status(400, after: 1200)), Target(.ok().queued(for: 800)), retries: 0,
            gives: "0 a, 300 b beside, 1300 then c, 1500 c lost, 1500 400 of b"),
        Row(
            "but not what has replaced the first", Target(.silent, hedgeAfter: 300), Target(.status(400, after: 900)),
            Target(.ok(after: 700)), gives: "0 a, 300 b beside, 1000 then c, 1000 a first_token, 1700 c wins"),
        Row(
            "over budget", Target(.ok(after: 900), hedgeAfter: 300), Target(.overBudget), gives: "0 a, 300 not b, 900 a wins"),
        Row(
            "over budget, and later its turn", Target(.silent, hedgeAfter: 300), Target(.overBudget, .ok()),
            gives: "0 a, 300 not b, 1000 then b, 1000 a first_token, 1050 b wins"),
        Row(
            "no room at the next, one further on", Target(.silent, hedgeAfter: 300), Target(.ok(), hasRoom: false), Target(.ok()),
            gives: "0 a, 300 c beside, 350 a lost, 350 c wins"),
        Row(
            "not on one that rests", Target(.ok(after: 900), hedgeAfter: 300), Target(.ok(), rests: true),
            gives: "0 a, 900 a wins"),
        Row("not without another", Target(.ok(after: 900), hedgeAfter: 300), gives: "0 a, 900 a wins"),
        Row(
            "one per request", Target(.silent, hedgeAfter: 300), Target(.cut(), hedgeAfter: 300), Target(.ok()),
            gives: "0 a, 300 b beside, 1000 then c, 1000 a first_token, 1050 c wins"),
        Row(
            "the time in the queue is not the target's", Target(.ok(after: 250).queued(for: 400), hedgeAfter: 300), Target(.ok()),
            gives: "0 a, 650 a wins"),
        Row(
            "a retry may be hedged", Target(.cut(), .silent, hedgeAfter: 300), Target(.ok()),
            gives: "0 a, 100 a again, 400 b beside, 450 a lost, 450 b wins"),
        Row(
            "before three, each once", Target(.silent, hedgeAfter: 300), Target(.silent), Target(.ok(after: 100)),
            gives: "0 a, 300 b beside, 1000 then c, 1000 a first_token, 1100 b lost, 1100 c wins"),
    ])
    func `a hedge is started beside a slow first token, and the first real event wins`(_ row: SelectionScript) {
        #expect(row.play() == row.expected)
    }

    @Test(arguments: [
        Row("the first rests", Target(.ok(), rests: true), Target(.ok()), gives: "0 b, 50 b wins"),
        Row(
            "all rest", Target(.ok(), rests: true), Target(.ok(), rests: true), gives: "0 a though it rests, 50 a wins"),
        Row(
            "all rest and fail", Target(.refused, rests: true), Target(.refused, rests: true), retries: 0,
            gives: "0 a though it rests, 0 then b though it rests, 0 refused of b"),
        Row(
            "the others failed", Target(.ok(), rests: true), Target(.refused), retries: 1,
            gives: "0 b, 100 b again, 100 then a though it rests, 150 a wins"),
        Row(
            "its probe fails, so it rests: no retry there", Target(.cut().andRests), Target(.ok()),
            gives: "0 a, 0 then b, 50 b wins"),
        Row("its probe succeeds", Target(.ok()), Target(.ok()), gives: "0 a, 50 a wins"),
        Row(
            "it rests since the request began", Target(.restsMeanwhile, .ok()), Target(.ok()),
            gives: "0 not a, 0 then b, 50 b wins"),
        Row(
            "all rest since the request began", Target(.restsMeanwhile, .ok()), Target(.restsMeanwhile),
            gives: "0 not a, 0 not b, 0 then a though it rests, 50 a wins"),
        Row(
            "it rests before its retry", Target(.cut(), .restsMeanwhile), Target(.ok()),
            gives: "0 a, 100 not a, 100 then b, 150 b wins"),
        Row(
            "the only one rests before its retry, and is tried again", Target(.cut(), .restsMeanwhile, .ok()),
            gives: "0 a, 100 not a, 100 a again though it rests, 150 a wins"),
        Row(
            "the only one rests with its failure, and is tried again", Target(.cut().andRests, .ok()),
            gives: "0 a, 100 a again though it rests, 150 a wins"),
        Row(
            "all that rest are silent", Target(.silent, rests: true), Target(.ok(), rests: true),
            gives: "0 a though it rests, 1000 then b though it rests, 1000 a first_token, 1050 b wins"),
    ])
    func `a target that rests is the last resort`(_ row: SelectionScript) {
        #expect(row.play() == row.expected)
    }

    @Test(arguments: [
        Row("the queue is full: the next", Target(.full), Target(.ok()), gives: "0 not a, 0 then b, 50 b wins"),
        Row("all are full", Target(.full), Target(.full), gives: "0 not a, 0 not b, 0 overloaded"),
        Row(
            "no budget: the next, without a retry", Target(.cut(), .overBudget), Target(.ok()),
            gives: "0 a, 100 not a, 100 then b, 150 b wins"),
        Row("no budget and no other", Target(.cut(), .overBudget), gives: "0 a, 100 not a, 100 cut of a"),
        Row(
            "no budget for any retry of the request", Target(.cut(), .overBudget), Target(.status(503), .ok()),
            gives: "0 a, 100 not a, 100 then b, 100 503 of b"),
    ])
    func `limits turn attempts away`(_ row: SelectionScript) {
        #expect(row.play() == row.expected)
    }

    @Test(arguments: [
        Row(
            "the least loaded of those with a weight", Target(.ok(), weight: 1, outstanding: 3),
            Target(.ok(), weight: 1, outstanding: 2),
            gives: "0 b, 50 b wins"),
        Row(
            "then the other, then the next in the order", Target(.cut(), weight: 1, outstanding: 3),
            Target(.cut(), weight: 1, outstanding: 2), Target(.ok()), retries: 0, gives: "0 b, 0 then a, 0 then c, 50 c wins"),
        Row(
            "order comes before load", Target(.ok(), outstanding: 9), Target(.ok(), weight: 1), gives: "0 a, 50 a wins"),
        Row(
            "one with room first", Target(.ok(), weight: 1, hasRoom: false), Target(.ok(), weight: 1, outstanding: 5),
            gives: "0 b, 50 b wins"),
        Row(
            "groups do not reach over one without a weight", Target(.ok(), weight: 1, outstanding: 5), Target(.ok()),
            Target(.ok(), weight: 1), gives: "0 a, 50 a wins"),
    ])
    func `targets with a weight share the load`(_ row: SelectionScript) {
        #expect(row.play() == row.expected)
    }

    @Test func `nothing is tried any more once the caller got something`() {
        var generator = SeededGenerator(seed: 1)
        let start = Instant(nanoseconds: 0)
        var selection = Selection([SelectionTarget(), SelectionTarget()], SelectionPlan(), at: start)
        _ = selection.next(at: start, using: &generator)
        selection.started(0, at: start)
        selection.won(0)
        selection.failed(0, AttemptFailure(.upstreamCutOff), targetRests: false, at: start, using: &generator)
        #expect(selection.next(at: start, using: &generator) == .win(0))
        #expect(selection.next(at: start + .seconds(3600), using: &generator) == .win(0))
    }
}
