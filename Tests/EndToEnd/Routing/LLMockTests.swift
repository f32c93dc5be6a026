import Foundation
import TestSupport
import Testing

/// llmock breaks answers on demand, and judges from its side how its client took it.
@Suite(
    .enabled(
        if: ProcessInfo.processInfo.environment["SLUICE_TEST_LLMOCK"] != nil, "takes minutes: set SLUICE_TEST_LLMOCK to run it"))
struct `The judge llmock` {
    private static let callsCount = 100
    private static let grave = ["retry_after_ignored", "retried_non_retryable", "retry_storm", "no_backoff"]

    /// What llmock does wrong to streams, in its own words.
    struct Fault: Sendable, CustomTestStringConvertible {
        let name: String
        let behaviour: String
        /// The settings under which it is met.
        var timeouts = ""

        /// llmock asks for 1 s with a 429 or 503 unless told otherwise.
        static func status(_ status: Int, retryAfter: Int? = nil) -> Fault {
            let wish = retryAfter.map { ",\"retry_after\":\($0)" } ?? ""
            return Fault(
                name: "status \(status)\(retryAfter.map { " with retry-after \($0)" } ?? "")",
                behaviour: #"{"type":"fail","status":\#(status)\#(wish),"match":{"stream":true},"times":TIMES}"#)
        }

        static func stream(_ kind: String, after chunksCount: Int) -> Fault {
            // A busy llmock is slow in whatever it does: only what stalls is to be timed out.
            let timeouts =
                kind == "stall" ? "timeouts = {first_token = \"\(chunksCount < 2 ? "500ms" : "15s")\", idle = \"3s\"}" : ""
            return Fault(
                name: "\(kind) after \(chunksCount)",
                behaviour: #"""
                    {"type":"stream_fault","kind":"\#(kind)","after_chunks":\#(chunksCount),"stall_seconds":60,"times":TIMES}
                    """#,
                timeouts: timeouts)
        }

        var testDescription: String { name }
    }

    /// Each request meets the fault whenever llmock is asked, three times if it says when.
    @Test(arguments: [
        Fault.status(429), .status(429, retryAfter: 60), .status(503), .stream("stall", after: 0), .stream("stall", after: 1),
    ])
    func `finds no fault, and the next target answers`(fault: Fault) async throws {
        try await with(fault, model: Self.twoRetries) { site, judge in
            try await judge.queue(fault, times: nil)
            try await site.expectAnswersOfNextTarget(to: calls, connections: 50)
            try await judge.expectNoFindings(Self.grave)
        }
    }

    /// Each request meets the fault three times, and llmock measures the two waits. A busy machine can make the first seem as long
    /// as the second: ten calls of which llmock says so are made again, with other messages. Full jitter alone, of which llmock
    /// says so for every third call, cannot get through.
    @Test(
        .serialized,
        arguments: [
            Fault.status(500), .stream("disconnect", after: 0), .stream("disconnect", after: 1), .stream("truncate", after: 0),
            .stream("malformed", after: 0),
        ])
    func `finds that waits grow, and the next target answers`(fault: Fault) async throws {
        try await with(fault, model: Self.twoRetries) { site, judge in
            try await judge.queue(fault, times: nil)
            var roundsLeft = 40
            for ten in 0..<Self.callsCount / 10 {
                var findings: [Judge.Verdict.Finding]
                repeat {
                    roundsLeft -= 1
                    try await judge.forget()
                    let calls = (0..<10).map { chat("message \(ten)\($0), with \(roundsLeft) rounds left") }
                    try await site.expectAnswersOfNextTarget(to: calls, connections: 5)
                    findings = try await judge.findings(Self.grave)
                } while !findings.isEmpty && findings.allSatisfy { $0.code == "no_backoff" } && roundsLeft > 0
                #expect(findings.isEmpty)
                #expect(try await judge.verdict().attempts > 40, "more retries than calls")
            }
        }
    }

    /// The budget that stands in the settings' defaults, under calls of which each could have two retries.
    @Test(arguments: [Fault.status(500), .stream("disconnect", after: 0)])
    func `sees few retries under the default budget, and the next target answers`(fault: Fault) async throws {
        try await with(fault) { site, judge in
            try await judge.queue(fault, times: nil)
            for answer in try await site.answers(to: calls) { #expect(answer.content == Chunks.stream(["instead"]).joined()) }
            try await judge.expectNoFindings(Self.grave.filter { $0 != "no_backoff" })
            // 120 for 100 calls, and some more when they take longer than the budget's window of 10 s.
            #expect((Self.callsCount + 3..<Self.callsCount * 2).contains(try await judge.verdict().attempts))
        }
    }

    /// Each request meets the fault once, and then llmock as another target: no back-off takes its time, no budget ends it. llmock
    /// sees that what was broken off was not taken for an answer.
    @Test(arguments: [
        Fault.stream("disconnect", after: 0), .stream("disconnect", after: 1), .stream("truncate", after: 0),
        .stream("truncate", after: 1), .stream("malformed", after: 0), .stream("malformed", after: 1), .status(500),
    ])
    func `finds no fault, and its second answer goes to the caller`(fault: Fault) async throws {
        try await with(fault, model: "retries = 0", isTwice: true) { site, judge in
            for call in calls {
                try await judge.queue(fault, times: 1)
                let answer = try await site.call(call).ended()
                #expect(answer.status == 200, "\(answer.text)")
                #expect(answer.frames.last == Chunks.done, "\(answer.text)")
                #expect(!answer.text.contains("instead"))
            }
            try await judge.expectNoFindings(Self.grave + ["truncated_stream_accepted", "gave_up", "no_read_timeout"])
        }
    }

    @Test(arguments: [(Fault.status(400), 400), (.status(401), 503)])
    func `finds that what no retry helps is not retried`(fault: Fault, status: Int) async throws {
        try await with(fault) { site, judge in
            try await judge.queue(fault, times: nil)
            for answer in try await site.answers(to: calls) { #expect(answer.status == status) }
            try await judge.expectNoFindings(nil)
            #expect(try await judge.verdict().attempts == Self.callsCount)
        }
    }

    /// What has begun cannot be had elsewhere, and must not look whole: llmock cannot see that, the caller can.
    @Test(arguments: ["disconnect", "truncate", "malformed", "stall"])
    func `breaks a stream off, and the caller is told`(kind: String) async throws {
        let fault = Fault.stream(kind, after: 3)
        try await with(fault) { site, judge in
            try await judge.queue(fault, times: nil)
            for answer in try await site.answers(to: calls, connections: 50) {
                #expect(answer.status == 200)
                #expect(answer.end == .complete)
                #expect(answer.frames.count == 4, "\(answer.text)")
                #expect(answer.errorFrame?.type == (kind == "stall" ? "upstream_timeout" : "upstream_error"), "\(answer.text)")
                #expect(!answer.text.contains("[DONE]"))
            }
            try await judge.expectNoFindings(Self.grave)
            #expect(try await judge.verdict().attempts == Self.callsCount)
        }
    }

    /// With the plain calls of `expectAnswersOfNextTarget`, the budget has room for both.
    private static let twoRetries = "retries = 2\nretry_budget = \"100%\""

    private var calls: [ChatCall] { (0..<Self.callsCount).map { chat("message \($0)") } }

    /// A site whose first target is llmock, and whose last answers `instead`. No target rests.
    ///
    /// - Parameters:
    ///   - model: settings of the route.
    ///   - isTwice: whether llmock is the second target too.
    private func with(
        _ fault: Fault, model: String = "", isTwice: Bool = false, _ test: (Site, Judge) async throws -> Void
    ) async throws {
        let judge = try await Judge(in: TemporaryDirectory())
        let upstream = try StubUpstream(.says("instead"))
        let settings = """
            heartbeat = "0s"
            rest_for = "0s"
            [upstreams.llmock]
            url = "\(judge.url)/v1"
            [upstreams.stub]
            url = "UPSTREAM"
            [[models]]
            match = "*"
            targets = ["llmock", \(isTwice ? #"{upstream = "llmock", first_token = "15s"}, "# : "")"stub"]
            \(model)
            \(fault.timeouts)
            """
        let server = WebServer.selected[0]
        try await Site.with(server, upstream: upstream, settings: settings, changes: server.withoutLimits) {
            try await test($0, judge)
        }
        try await judge.process.end()
    }
}

extension Site {
    /// Before each call come two that do not stream, and so meet no fault: they pay for its second retry.
    fileprivate func expectAnswersOfNextTarget(to calls: [ChatCall], connections: Int) async throws {
        let calls = calls.flatMap { [chat(stream: false), chat(stream: false), $0] }
        for (number, answer) in try await answers(to: calls, connections: connections).enumerated() {
            #expect(answer.status == 200, "\(answer.text)")
            if number % 3 == 2 { #expect(answer.content == Chunks.stream(["instead"]).joined()) }
        }
    }
}

/// A running llmock.
private struct Judge {
    struct Verdict: Decodable {
        struct Finding: Decodable { let code, title: String }
        let calls, attempts: Int
        let findings: [Finding]
    }

    let process: ChildProcess
    private let port: UInt16

    init(in directory: TemporaryDirectory) async throws {
        let port = try freePort()
        self.port = port
        process = try ChildProcess(
            Python.interpreter, ["-m", "llmock.cli", "serve", "--port", "\(port)", "--log-level", "warning"],
            environment: ["PYTHONPYCACHEPREFIX": "\(repository)/.build/pycache"], in: directory)
        try await process.accepts { try Socket.connected(port: port) }
    }

    var url: String { "http://127.0.0.1:\(port)" }

    /// - Parameter times: for how many requests; nil for all.
    func queue(_ fault: `The judge llmock`.Fault, times: Int?) async throws {
        let behaviour = fault.behaviour.replacing("TIMES", with: times.map(String.init) ?? "null")
        let answer = try await call("scenario", #"{"behaviors":[\#(behaviour)]}"#)
        #expect(answer.status == 201, "\(answer.text)")
    }

    func verdict() async throws -> Verdict {
        try JSONDecoder().decode(Verdict.self, from: Data(try await call("verdict", method: "GET").body))
    }

    /// Forgets the calls, not the faults.
    func forget() async throws {
        #expect(try await call("requests", method: "DELETE").status == 200)
    }

    /// - Parameter codes: nil for all.
    func findings(_ codes: [String]?) async throws -> [Verdict.Finding] {
        let verdict = try await verdict()
        #expect(verdict.calls > 0)
        return verdict.findings.filter { codes?.contains($0.code) ?? true }
    }

    /// - Parameter codes: nil for all.
    func expectNoFindings(_ codes: [String]?) async throws {
        let findings = try await findings(codes)
        #expect(findings.isEmpty, "\(findings.count): \(findings.prefix(3))")
    }

    private func call(_ path: String, _ body: String = "", method: String = "POST") async throws -> Received {
        try await HTTPStream.plain(ChatCall(body, token: nil, path: "/_llmock/\(path)", method: method), port: port).ended()
    }
}
