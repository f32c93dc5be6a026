import Testing

@testable import Sluice

/// What the status says of a caller who left a silent model.
@Suite struct LeavingChecksTests {
    private static func gone(_ milliseconds: Int) -> LeavingChecks.Leaving {
        .gone(.init(left: .milliseconds(milliseconds), silent: .milliseconds(milliseconds + 10)))
    }

    private static func stays(_ seconds: Int) -> LeavingChecks.Leaving {
        .stays(.init(left: .seconds(seconds), silent: .seconds(seconds)))
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let leaving: LeavingChecks.Leaving
        /// In seconds.
        let heartbeat: Int?
        let answering: ProbeServer?
        let verdict: ProbeCheck.Verdict
        let words: String

        init(
            _ description: String, _ leaving: LeavingChecks.Leaving, _ heartbeat: Int?, _ answering: ProbeServer?,
            _ verdict: ProbeCheck.Verdict, _ words: String
        ) {
            (testDescription, self.leaving, self.heartbeat) = (description, leaving, heartbeat)
            (self.answering, self.verdict, self.words) = (answering, verdict, words)
        }

        static let all = [
            Row("at once", gone(15), 10, .nginx, .pass, "Sluice gave the call up within 15 ms"),
            Row("ahead of the heartbeat", gone(7000), 10, .nginx, .pass, "within 7.0 s"),
            Row("nginx, by the heartbeat", gone(10_000), 10, .nginx, .finding(.callerNotNoticed), "only by the heartbeat"),
            Row("nginx, by the second one", gone(20_000), 10, .nginx, .finding(.callerNotNoticed), "only by the heartbeat"),
            Row("the usual heartbeat", gone(10_000), nil, .nginx, .finding(.callerNotNoticed), "only by the heartbeat"),
            Row("lighttpd, by the heartbeat", gone(10_000), 10, .lighttpd, .pass, "lighttpd finds out when it writes"),
            Row("HAProxy, by the heartbeat", gone(1000), 1, .haproxy, .pass, "HAProxy finds out when it writes"),
            Row("nobody known", gone(10_000), 10, nil, .unknown, "nginx can tell at once"),
            Row("without a heartbeat", gone(7000), 0, .nginx, .pass, "within 7.0 s"),
            Row("not at all", stays(22), 10, .nginx, .finding(.callerNotNoticed), "open still 22.0 s after"),
            Row("not at all, though it writes", stays(22), 10, .lighttpd, .finding(.callerNotNoticed), "open still 22.0 s"),
            Row("nothing to write", stays(8), 0, .lighttpd, .finding(.callerNotNoticed), "while the model was silent"),
            Row("written once, perhaps", stays(25), 14, .caddy, .unknown, "due after 14.0 s"),
            Row("nothing to write yet", stays(25), 60, .lighttpd, .unknown, "due after 60.0 s"),
            Row("nginx needs nothing to write", stays(25), 60, .nginx, .finding(.callerNotNoticed), "open still 25.0 s"),
            Row("no status", .hidden("status 404"), 10, .nginx, .unknown, "(status 404): ask from the server's own machine"),
            Row("no call", .refused("status 429"), 10, .nginx, .unknown, "there was no call to leave: status 429"),
            Row("a status without end", .tooLarge, 10, .nginx, .unknown, "larger than what is looked at"),
            Row(
                "others alone, behind the call", .untold, 10, .nginx, .unknown, "the process that had the call told nothing more"),
            Row("another process", .unlisted, 10, .nginx, .unknown, "another process may have it"),
        ]
    }

    @Test(arguments: Row.all) func `a caller who leaves a silent model is to be noticed ahead of the heartbeat`(row: Row) {
        let check = LeavingChecks.leaving(
            row.leaving, heartbeat: row.heartbeat.map { .seconds($0) }, answering: row.answering)
        #expect(check.name == .leaving && check.verdict == row.verdict)
        #expect(check.evidence.contains(row.words), "\(check)")
    }

    @Test(arguments: [(10, 22), (1, 8), (60, 25), (0, 8), (nil, 22)] as [(Int?, Int)])
    func `a request is looked at for two heartbeats, within limits`(heartbeat: Int?, seconds: Int) {
        let patience = LeavingChecks.patience(heartbeat: heartbeat.map { .seconds($0) })
        #expect(patience == .seconds(seconds) && patience + .seconds(5) <= ProbeModel.silenceMax)
    }
}
