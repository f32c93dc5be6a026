import Testing

@testable import HTTPClient
@testable import Sluice

/// What streams say of what stands on the way.
@Suite struct StreamChecksTests {
    /// As `sluice-probe` makes it; what comes before the end of it is the path's business.
    private static func answer(
        _ fields: [(name: String, value: String)] = [], version: ResponseHead.Version = .http11, comes: (Int) -> Int
    ) -> ProbeAnswer {
        let pieces = (0..<20).map { Piece.made(50 * $0, at: comes(50 * $0 + 3)) }
        return stream(pieces + [.done(at: comes(1003))], fields, version: version)
    }

    @Test func `events that come one by one pass`() {
        let check = StreamChecks.stream([Self.answer { $0 }])
        #expect(check.verdict == .pass && check.name == .stream)
        #expect(check.evidence == "20 events, made 50 ms apart, came one by one")
    }

    @Test func `a lump is a finding where each answer comes so`() {
        let lump = Self.answer([("server", "nginx")]) { _ in 1003 }
        let check = StreamChecks.stream([lump, lump, lump])
        #expect(check.verdict == .finding(.buffered))
        #expect(
            check.evidence
                == "20 events, made 50 ms apart, came in one lump, up to 950 ms late: response buffering by nginx, or in front "
                + "of it or behind it")
    }

    @Test func `one of two web servers that holds back is found, and a machine that once stood still is not`() {
        let lump = Self.answer([("server", "nginx")]) { _ in 1003 }
        let (flowing, lumps) = (Self.answer { $0 }, Self.answer { ($0 / 200 + 1) * 200 })
        for answers in [[flowing, lump, flowing, lump], [lump, flowing, lump]] {
            let check = StreamChecks.stream(answers)
            #expect(check.verdict == .finding(.buffered))
            #expect(check.evidence.hasPrefix("in 2 of \(answers.count) answers, and not in others: 20 events"), "\(check)")
            #expect(check.evidence.contains("response buffering by nginx"), "\(check)")
        }
        let once = StreamChecks.stream([flowing, lump, flowing, flowing, flowing, flowing])
        #expect(once.verdict == .unknown && once.evidence.hasPrefix("1 of 6 answers came in one lump"), "\(once)")
        #expect(StreamChecks.stream([lumps, flowing, flowing]).verdict == .pass)
    }

    @Test func `it is asked until more would tell no more`() {
        let (lump, flowing, lumps) = (Self.answer { _ in 1003 }, Self.answer { $0 }, Self.answer { ($0 / 200 + 1) * 200 })
        let late = stream([.text(at: 3)], failure: .timedOut(.total, after: .seconds(30)))
        for enough in [
            [flowing, flowing], [lumps, flowing, flowing, flowing], [lump, lump, lump], [lump, flowing, lump],
            [flowing, lump, lump],
            [late], Array(repeating: refusal(503), count: 6),
        ] {
            #expect(StreamChecks.isEnough(enough))
            #expect(!StreamChecks.isEnough(Array(enough.dropLast())))
        }
        #expect(!StreamChecks.isEnough([lump, flowing, flowing, flowing, flowing]))
        #expect(!StreamChecks.isEnough([]))
    }

    @Test(arguments: [true, false]) func `a part of each answer that is held is a finding`(isFirst: Bool) {
        let comes = { (moment: Int) in isFirst ? max(moment, 453) : moment >= 503 ? 1053 : moment }
        let part = isFirst ? "the first 10 came in one lump, up to 445 ms" : "the last 10 came in one lump, up to 545 ms"
        let words = "of 20 events, made 50 ms apart, \(part) late: response buffering"
        let (held, flowing) = (Self.answer(comes: comes), Self.answer { $0 })
        let check = StreamChecks.stream([held, held, held])
        #expect(check.verdict == .finding(.buffered) && check.evidence.hasPrefix(words), "\(check)")
        #expect(StreamChecks.isEnough([held, held, held]) && StreamChecks.isEnough([held, flowing, flowing, flowing]))
        #expect(!StreamChecks.isEnough([held, held]) && !StreamChecks.isEnough([held, flowing, held]))
        let other = StreamChecks.stream([held, flowing, held, held])
        #expect(other.verdict == .unknown)
        #expect(other.evidence.hasPrefix("in 3 of 4 answers, and not in others: of 20 events"), "\(other)")
        #expect(other.evidence.hasSuffix("late: a machine that stood still, or one of several web servers behind this name"))
        #expect(StreamChecks.stream([held, flowing, flowing, flowing]).verdict == .pass)
    }

    @Test func `an answer each event of which waits for others is a finding`() {
        let pieces = (0..<20).map { Piece.made(50 * $0, at: min(50 * $0 + 253, 1053)) }
        let late = stream(pieces + [.done(at: 1053)])
        let check = StreamChecks.stream([late, late])
        let words = "20 events, made 50 ms apart, came 245 ms late, each by itself, and the answer's end did not"
        #expect(check.verdict == .finding(.buffered) && check.evidence.hasPrefix(words), "\(check)")
        // So far away, or so busy.
        let far = stream((0..<20).map { .made(50 * $0, at: 50 * $0 + 253) } + [.done(at: 1303)])
        #expect(StreamChecks.stream([far, far]).verdict == .pass)
    }

    /// What comes over HTTP/2, what over HTTP/1.1, and what is told of both.
    @Test(
        arguments: [
            (ProbeCheck.pass(.stream, "a"), .pass(.stream, "a"), [ProbeCheck.pass(.stream, "a, over HTTP/2 and HTTP/1.1")]),
            (.pass(.stream, "a"), .pass(.stream, "b"), [.pass(.stream, "over HTTP/2: a; over HTTP/1.1: b")]),
            (.pass(.stream, "a"), .unknown(.stream, "b"), [.unknown(.stream, "over HTTP/1.1: b; over HTTP/2: a")]),
            (.unknown(.stream, "a"), .pass(.stream, "b"), [.unknown(.stream, "over HTTP/2: a; over HTTP/1.1: b")]),
            (
                .pass(.stream, "a"), .finding(.stream, .buffered, "b"),
                [.finding(.stream, .buffered, "over HTTP/1.1: b; over HTTP/2: a")]
            ),
            (
                .finding(.stream, .buffered, "a"), .unknown(.stream, "b"),
                [.finding(.stream, .buffered, "over HTTP/2: a; over HTTP/1.1: b")]
            ),
            (
                .finding(.stream, .buffered, "a"), .finding(.stream, .buffered, "a millisecond later"),
                [.finding(.stream, .buffered, "over HTTP/2 and HTTP/1.1: a")]
            ),
            (
                .finding(.stream, .broken, "a"), .finding(.stream, .buffered, "b"),
                [.finding(.stream, .broken, "over HTTP/2: a"), .finding(.stream, .buffered, "over HTTP/1.1: b")]
            ),
            (.pass(.stream, "a"), nil, [.pass(.stream, "over HTTP/2, and HTTP/1.1 is not spoken: a")]),
        ] as [(ProbeCheck, ProbeCheck?, [ProbeCheck])])
    func `of two versions the worse one is told first, and what is wrong with either`(
        new: ProbeCheck, old: ProbeCheck?, told: [ProbeCheck]
    ) {
        let checks = StreamChecks.stream(overHTTP2: new, overHTTP1: old)
        #expect(checks.map(\.verdict) == told.map(\.verdict))
        #expect(checks.map(\.evidence) == told.map(\.evidence))
        #expect(checks.allSatisfy { $0.name == .stream })
    }

    @Test func `who does not speak a version has no pace in it`() {
        let answer = failed(.tls(reason: "the server speaks none of the versions of HTTP that are asked for"))
        #expect(answer.hasNoHandshake && StreamChecks.stream([answer]).verdict == .unknown)
        #expect(!failed(.refused).hasNoHandshake && !refusal(503).hasNoHandshake)
    }

    @Test func `a stream that is late is told with where to look`() {
        var late = stream([.text(at: 3)])
        late.failure = .timedOut(.total, after: .seconds(60))
        for answer in [late, failed(.timedOut(.total, after: .seconds(60)))] {
            let check = StreamChecks.stream([answer])
            #expect(check.verdict == .finding(.broken) && check.evidence.contains("see the web server's log"), "\(check)")
            for (short, long) in [([], [answer]), ([answer], [])] as [([ProbeAnswer], [ProbeAnswer])] {
                let upstream = StreamChecks.stream(short: short, long: long)
                #expect(upstream.verdict == .finding(.broken), "\(upstream)")
            }
            #expect(!StreamChecks.stream([failed(.cutOff(afterBytes: 0))]).evidence.contains("log"))
        }
        #expect(StreamChecks.stream([late]).evidence.hasPrefix("an answer did not end within 60.0 s: "))
        #expect(StreamChecks.stream(short: [late], long: []).evidence.hasPrefix("an answer did not end within 60.0 s: "))
        var open = stream([.text(at: 3), .done(at: 3)])
        open.failure = .timedOut(.total, after: .seconds(60))
        for check in [
            StreamChecks.stream([open]), StreamChecks.stream(short: [open], long: []),
            StreamChecks.stream(short: [], long: [open]),
        ] {
            #expect(check.verdict == .finding(.broken))
            #expect(check.evidence.hasPrefix("an answer did not end within 60.0 s, though [DONE] came: "), "\(check)")
        }
        #expect(StreamChecks.firstToken([failed(.timedOut(.total, after: .seconds(60)))]).evidence.contains("log"))
    }

    @Test(arguments: [(3600, 900), (120, 30), (60, 15), (20, 10), (1, 10)])
    func `one answer that does not end leaves time for others`(limit: Int, share: Int) {
        #expect(ProbeClient.shareTime(of: .seconds(limit)) == .seconds(share))
    }

    @Test(arguments: [
        ([("content-encoding", "gzip"), ("server", "nginx")], "compression (Content-Encoding: gzip)"),
        ([("cf-ray", "1-FRA"), ("server", "cloudflare")], "a CDN (Cloudflare, CF-RAY), or response buffering behind it"),
        ([("x-amz-cf-id", "1"), ("via", "1.1 x")], "a CDN (CloudFront, X-Amz-Cf-Id), or response buffering behind it"),
        ([("via", "1.1 proxy")], "response buffering, by a proxy that names itself (Via: 1.1 proxy) or behind it"),
        ([("server", "lighttpd")], "response buffering by lighttpd, or in front of it or behind it"),
        (
            [("server", "nginx"), ("content-length", "99")],
            "response buffering by nginx, or in front of it or behind it: the whole answer was collected (Content-Length: 99)"
        ),
        ([], "response buffering"),
    ])
    func `who holds events back is told by the head`(fields: [(String, String)], words: String) {
        #expect(StreamChecks.suspects(head(200, fields.map { (name: $0.0, value: $0.1) })) == words)
    }

    @Test func `HTTP of the first version knows no chunks`() {
        #expect(StreamChecks.suspects(head(200, [], .http10)) == "a proxy that speaks HTTP/1.0, which knows no chunks")
    }

    @Test(arguments: [
        (Kind.refused(404), ProbeCheck.Verdict.finding(.broken)), (.refused(503), .unknown), (.refused(429), .unknown),
        (.json, .finding(.broken)), (.cut, .finding(.broken)),
    ])
    func `what is no whole stream is told`(kind: Kind, verdict: ProbeCheck.Verdict) {
        #expect(StreamChecks.stream([kind.answer]).verdict == verdict)
        #expect(StreamChecks.stream(short: [kind.answer], long: [kind.answer]).verdict == verdict)
    }

    @Test func `a stream that is cut is told, however whole the others are`() {
        let (cut, whole) = (Kind.cut.answer, Self.answer { $0 })
        for answers in [[cut, cut, whole], [whole, cut, cut], [cut, whole, cut]] {
            let check = StreamChecks.stream(answers)
            #expect(check.verdict == .finding(.broken))
            let words = "2 of 3 answers: the stream ended without [DONE]: cut off after 9 bytes of the body"
            #expect(check.evidence == words)
            #expect(StreamChecks.stream(short: [whole], long: answers).verdict == .finding(.broken))
        }
        #expect(StreamChecks.stream(short: [cut], long: [whole]).verdict == .finding(.broken))
        #expect(StreamChecks.stream([refusal(503), whole, whole]).verdict == .pass)
        // One token may be fewer than an upstream allows.
        let short = [refusal(400), stream([.text(at: 3), .done(at: 3)])]
        #expect(StreamChecks.stream(short: short, long: [whole]).verdict == .pass)
    }

    enum Kind: Sendable {
        case refused(Int), json, cut

        var answer: ProbeAnswer {
            switch self {
            case .refused(let status): refusal(status)
            case .json: SluiceTests.answer(200, "{}", [("content-type", "application/json")])
            case .cut: stream([.text(at: 3)], failure: .cutOff(afterBytes: 9))
            }
        }
    }

    @Test func `an upstream's own pace is not blamed on a server`() {
        let short = stream([.text(at: 100), .done(at: 100)])
        let quick = stream((0..<40).map { _ in Piece.text(at: 150) } + [.done(at: 150)])
        let late = stream((0..<40).map { _ in Piece.text(at: 2000) } + [.done(at: 2000)])
        let flowing = stream((0..<40).map { Piece.text(at: 100 + 20 * $0) } + [.done(at: 900)])
        #expect(StreamChecks.stream(short: [short, short], long: [quick, quick]).verdict == .unknown)
        #expect(StreamChecks.stream(short: [short, short], long: [late, late]).verdict == .finding(.buffered))
        #expect(StreamChecks.stream(short: [short, short], long: [late, flowing]).verdict == .pass)
        #expect(StreamChecks.stream(short: [short, short], long: [late, quick]).verdict == .unknown)
    }

    @Test(arguments: [
        ([(name: "content-encoding", value: "gzip")], ProbeCheck.Verdict.finding(.compressed)),
        ([(name: "content-encoding", value: "br")], .finding(.compressed)),
        ([(name: "content-encoding", value: "identity")], .pass), ([], .pass),
    ])
    func `compression is told by its header`(fields: [(name: String, value: String)], verdict: ProbeCheck.Verdict) {
        #expect(StreamChecks.compression(stream([.done(at: 3)], fields)).verdict == verdict)
    }

    @Test func `what is no stream says nothing of compression`() {
        for type in ["application/json", "text/html"] {
            let fields = [(name: "content-type", value: type), (name: "content-encoding", value: "gzip")]
            let check = StreamChecks.compression(SluiceTests.answer(200, "{}", fields))
            #expect(check.verdict == .unknown && check.evidence == "status 200, and no event stream")
        }
        #expect(StreamChecks.compression(refusal(503)).verdict == .unknown)
    }

    @Test func `the first token's times are those of the first text`() {
        let answers = (1...10).map { stream([.comment(at: 1), .text(at: 100 * $0), .done(at: 1001)]) }
        let check = StreamChecks.firstToken(answers)
        #expect(check.verdict == .pass && check.evidence == "p50 500 ms, p95 1.0 s, of 10 calls")
        #expect(StreamChecks.firstToken([answers[0]]).evidence.hasSuffix("of 1 call"))
        #expect(StreamChecks.firstToken([stream([.text(at: 6000), .done(at: 6000)])]).verdict == .finding(.slow))
        #expect(StreamChecks.firstToken([refusal(500)]).verdict == .unknown)
        #expect(StreamChecks.firstToken([]).verdict == .unknown)
        #expect(StreamChecks.vapiTimeout(answers).verdict == .pass)
        #expect(StreamChecks.vapiTimeout([stream([.text(at: 21_000)])]).verdict == .finding(.vapiTimeout))
    }

    /// Of ten calls those that fail, and what is told of them.
    @Test(arguments: [
        ([refusal(500)], ProbeCheck.Verdict.unknown, "1 of 10 calls failed: status 500; p50 50 ms, p95 50 ms, of 9 of 10 calls"),
        (
            [refusal(500), refusal(503)], .finding(.failedCalls),
            "2 of 10 calls failed: status 500, status 503; p50 50 ms, p95 50 ms, of 8 of 10 calls"
        ),
        (
            Array(repeating: refusal(500), count: 9), .finding(.failedCalls),
            "9 of 10 calls failed: status 500 (9 times); p50 50 ms, p95 50 ms, of 1 of 10 calls"
        ),
        (
            [refusal(500), refusal(429), refusal(429)], .unknown,
            "3 of 10 calls failed: status 500, status 429 (2 times); p50 50 ms, p95 50 ms, of 7 of 10 calls"
        ),
        (
            Array(repeating: failed(.cutOff(afterBytes: 0)), count: 10), .finding(.failedCalls),
            "10 of 10 calls failed: cut off before the first byte of the body (10 times)"
        ),
        (
            [stream([.text(at: 50)]), stream([.text(at: 50)], failure: .cutOff(afterBytes: 9))], .finding(.failedCalls),
            "2 of 10 calls failed: status 200, and no [DONE], status 200, and then cut off after 9 bytes of the body; "
                + "p50 50 ms, p95 50 ms, of 10 calls"
        ),
        (
            Array(repeating: stream([Piece(text: "data: {\"error\":{\"message\":\"No.\"}}\n\n", moment: 3)]), count: 2),
            .finding(.failedCalls),
            "2 of 10 calls failed: status 200, and an error in the stream (2 times); p50 50 ms, p95 50 ms, of 8 of 10 calls"
        ),
    ])
    func `calls that fail are told, whatever the others took`(
        failed: [ProbeAnswer], verdict: ProbeCheck.Verdict, words: String
    ) {
        let good = Array(repeating: stream([.text(at: 50), .done(at: 60)]), count: 10 - failed.count)
        let check = StreamChecks.firstToken(failed + good)
        #expect(check.verdict == verdict && check.evidence == words, "\(check)")
        let timeout = StreamChecks.vapiTimeout(failed + good)
        #expect(timeout.verdict == (failed.count > 1 ? .unknown : .pass), "\(timeout)")
    }

    /// What stands ahead of a silence.
    private static let begun: [Piece] = Array(repeating: .text(at: 50), count: ProbeModel.eventsBeforeSilence)

    @Test func `a silence has a heartbeat, or not, or ends the stream`() {
        let silence = Duration.seconds(12)
        let seen = stream(Self.begun + [.comment(at: 10_050), .text(at: 12_050), .done(at: 12_050)])
        let check = StreamChecks.heartbeat(seen, silence: silence)
        #expect(check.verdict == .pass && check.evidence == "a comment came after 10.0 s of silence")
        let none = stream(Self.begun + [.text(at: 12_050), .done(at: 12_050)])
        #expect(StreamChecks.heartbeat(none, silence: silence).verdict == .finding(.noHeartbeat))
        let cut = stream([.text(at: 50)], failure: .cutOff(afterBytes: 9), duration: 3050)
        #expect(StreamChecks.heartbeat(cut, silence: silence).verdict == .finding(.cutInSilence))
        #expect(StreamChecks.heartbeat(cut, silence: silence).evidence.contains("after 3.0 s of silence"))
        let texts: [Piece] = Array(repeating: .text(at: 12_050), count: ProbeModel.eventsBeforeSilence)
        let lump = stream(texts + [.comment(at: 12_050), .done(at: 12_050)])
        #expect(StreamChecks.heartbeat(lump, silence: silence).verdict == .unknown)
        let short = stream([.text(at: 50), .comment(at: 10_050), .done(at: 12_050)])
        #expect(StreamChecks.heartbeat(short, silence: silence).verdict == .unknown)
        #expect(StreamChecks.heartbeat(refusal(503), silence: silence).verdict == .unknown)
    }

    /// After how many milliseconds of silence the first comment comes, and the next text.
    @Test(arguments: [
        ("10000" as String?, 14, 10_000, 14_000, ProbeCheck.Verdict.pass, "after 10.0 s of silence"),
        ("10000", 14, 13_700, 13_700, .finding(.buffered), "after 13.7 s of silence, with the text that ended it, where"),
        ("10000", 14, 13_990, 14_000, .finding(.buffered), "due after 10.0 s: somebody on the way holds comments back"),
        ("10000", 12, 11_800, 14_000, .pass, "after 11.8 s of silence"),
        ("10000", 60, 30_000, 60_000, .finding(.buffered), "after 30.0 s of silence, where the heartbeat is due after 10.0 s"),
        ("1000", 4, 3_500, 4_000, .pass, "after 3.5 s"), ("10000", 10, 10_000, 10_000, .unknown, "--silence 12"),
        ("60000", 60, 60_000, 60_000, .unknown, "due after 60.0 s"), (nil, 14, 14_000, 14_000, .unknown, "not known"),
        (nil, 14, 10_000, 14_000, .pass, "after 10.0 s of silence"), ("0", 14, 14_000, 14_000, .unknown, "not known"),
    ])
    func `a comment is held against when it was due`(
        told: String?, silence: Int, comment: Int, text: Int, verdict: ProbeCheck.Verdict, words: String
    ) {
        let fields = told.map { [(name: "x-sluice-heartbeat-ms", value: $0)] } ?? []
        let pieces = Self.begun + [.comment(at: 50 + comment), .text(at: 50 + text), .done(at: 50 + text)]
        let check = StreamChecks.heartbeat(stream(pieces, fields), silence: .seconds(silence))
        #expect(check.verdict == verdict && check.evidence.contains(words), "\(check)")
    }

    /// Behind each text, and nothing in the silence; then with a heartbeat in it.
    @Test(arguments: [("1000" as String?, 10), ("1000", 0), (nil, 10), ("10000", 10)])
    func `a comment that belongs to a text is no heartbeat`(told: String?, after: Int) {
        let fields = told.map { [(name: "x-sluice-heartbeat-ms", value: $0)] } ?? []
        let texts = (1...3).flatMap { [Piece.text(at: 50 * $0), .comment(at: 50 * $0 + after)] }
        let behind: [Piece] = [.text(at: 14_150), .comment(at: 14_150 + after), .text(at: 16_150), .done(at: 16_150)]
        let check = StreamChecks.heartbeat(stream(texts + behind, fields), silence: .seconds(14))
        #expect(check.verdict == (after == 0 ? .unknown : .finding(.noHeartbeat)), "\(check)")
        #expect(after == 0 || check.evidence.hasPrefix("nothing came in 14.0 s of silence, but for a comment after 10 ms"))
        let beat = told == "1000" ? 1_150 : 10_150
        let seen = StreamChecks.heartbeat(stream(texts + [.comment(at: beat)] + behind, fields), silence: .seconds(14))
        #expect(seen.verdict == .pass && seen.evidence == "a comment came after \(beat / 1000).0 s of silence", "\(seen)")
    }

    @Test func `a comment that nobody looked for is not blamed on a server`() {
        let fields = [(name: "x-sluice-heartbeat-ms", value: "10000")]
        let pieces = Self.begun + [.comment(at: 14_050), .text(at: 14_050), .done(at: 14_050)]
        var answer = stream(pieces, fields)
        answer.reads[1] = .init(end: answer.body.count, moment: .milliseconds(14_050), blind: .milliseconds(5_000))
        let check = StreamChecks.heartbeat(answer, silence: .seconds(14))
        #expect(check.verdict == .unknown && check.evidence.hasSuffix("too busy to tell them apart"), "\(check)")
    }

    @Test(arguments: [
        ("10000" as String?, 12, ProbeCheck.Verdict.finding(.noHeartbeat), "due after 10.0 s"),
        ("10000", 10, .unknown, "--silence 12"),
        ("10000", 2, .unknown, "--silence 12"), ("30000", 12, .unknown, "--silence 32"),
        ("90000", 60, .unknown, "due after 90.0 s"),
        ("0", 2, .finding(.noHeartbeat), "heartbeat is off"), (nil, 12, .finding(.noHeartbeat), "nothing came"),
        (nil, 2, .unknown, "may be due after 10.0 s"), ("-1", 12, .finding(.noHeartbeat), "nothing came"),
    ])
    func `a silence that is shorter than the heartbeat shows nothing`(
        told: String?, silence: Int, verdict: ProbeCheck.Verdict, words: String
    ) {
        let fields = told.map { [(name: "x-sluice-heartbeat-ms", value: $0)] } ?? []
        let end = 50 + 1000 * silence
        let check = StreamChecks.heartbeat(
            stream(Self.begun + [.text(at: end), .done(at: end)], fields), silence: .seconds(silence))
        #expect(check.verdict == verdict && check.evidence.contains(words), "\(check)")
    }

    @Test func `an answer has come to its silence behind the events that stand ahead of it`() {
        let moments = 0..<ProbeModel.eventsBeforeSilence
        #expect(stream(moments.map { Piece.text(at: $0) }).hasComeToSilence)
        #expect(!stream(moments.dropLast().map { Piece.text(at: $0) } + [.comment(at: 9)]).hasComeToSilence)
        #expect(stream([Piece(text: "data: {\"error\":{\"message\":\"No.\"}}\n\n", moment: 3)]).hasComeToSilence)
    }

    @Test func `what Vapi demands of a stream`() {
        #expect(StreamChecks.vapiStream(stream([.text(at: 3), .done(at: 3)])).verdict == .pass)
        let bare = Piece(text: "data: {\"usage\":null}\n\n", moment: 3)
        for bad in [refusal(400), stream([.text(at: 3)]), stream([bare, .done(at: 3)])] {
            #expect(StreamChecks.vapiStream(bad).verdict == .finding(.vapiStream))
        }
        for later in [refusal(429), refusal(503), failed(.timedOut(.total, after: .seconds(30)))] {
            #expect(StreamChecks.vapiStream(later).verdict == .unknown)
        }
    }

    // MARK: Why a chat was not answered

    static func spoken(_ code: String) -> ProbeAnswer {
        stream([.text(at: 3), .done(at: 3)], [(name: "x-sluice-spoken-error", value: code)])
    }

    @Test func `a spoken error is no answer`() {
        let (error, whole) = (Self.spoken("failed.500"), stream([.text(at: 50), .done(at: 60)]))
        let words = "status 200, and a spoken error in the place of an answer, failed.500"
        #expect(error.failureWords == words && whole.failureWords == nil)
        for check in [
            StreamChecks.stream([error, error]), StreamChecks.stream(short: [error], long: [error]),
            StreamChecks.compression(error), StreamChecks.heartbeat(error, silence: .seconds(12)),
        ] { #expect(check.verdict == .unknown && check.evidence == words, "\(check)") }
        #expect(StreamChecks.vapiStream(error).verdict == .unknown)
        let all = Array(repeating: error, count: 10)
        #expect(StreamChecks.firstToken(all).verdict == .finding(.failedCalls))
        #expect(StreamChecks.firstToken(all).evidence == "10 of 10 calls failed: \(words) (10 times)")
        #expect(StreamChecks.vapiTimeout(all).verdict == .unknown)
        let once = StreamChecks.firstToken([error] + Array(repeating: whole, count: 9))
        #expect(once.verdict == .unknown && once.evidence.hasSuffix("; p50 50 ms, p95 50 ms, of 9 of 10 calls"), "\(once)")
        for code in ["rate_limit_exceeded", "insufficient_quota", "refused.429"] {
            #expect(StreamChecks.firstToken(Array(repeating: Self.spoken(code), count: 10)).verdict == .unknown)
        }
    }

    @Test(arguments: [
        refusal(404, [(name: "x-request-id", value: "1")], code: "model_not_found"), StreamChecksTests.spoken("model_not_found"),
        StreamChecksTests.spoken("refused.404"),
    ])
    func `a model that is not there is told as such`(answer: ProbeAnswer) {
        let words = "there is no such model, or this token may not ask it"
        let stream = StreamChecks.stream(short: [answer], long: [answer])
        #expect(stream.verdict == .finding(.broken) && stream.evidence.contains(words), "\(stream)")
        for check in [
            StreamChecks.firstToken(Array(repeating: answer, count: 10)), StreamChecks.vapiStream(answer),
            StreamChecks.compression(answer),
        ] { #expect(check.verdict == .unknown && check.evidence.contains(words), "\(check)") }
        #expect(ModelChoice.isAnother(neededAfter: answer))
        let unknown = refusal(404, [(name: "x-request-id", value: "1")], code: "unknown_url")
        #expect(!unknown.hasNoSuchModel && !refusal(404, code: "not_found").hasNoSuchModel)
    }
}
