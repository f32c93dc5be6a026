import Clock
import Testing

@testable import Sluice

/// What a status says of open requests, and whose it is.
@Suite struct ProbeStatusTests {
    private static let started = Instant(nanoseconds: 5_000_000_000)

    /// - Parameters:
    ///   - age: in milliseconds, as the status has it.
    ///   - asked: how many milliseconds after the start of the process.
    private static func status(
        _ requests: [String], process: Int = 7, startTime: String = "2026-11-30T20:00:00Z", age: Int = 1000, asked: Int = 998,
        more: String = ""
    ) -> ProbeStatus? {
        let listed = requests.map { "{\"id\":\"\($0)\"}" }.joined(separator: ",")
        let milliseconds = String(repeating: "0", count: max(0, 3 - "\(age % 1000)".count)) + "\(age % 1000)"
        let body =
            #"{"process":\#(process),"start_time":"\#(startTime)","start_since":\#(age / 1000).\#(milliseconds),"#
            + #""active_requests":[\#(listed)]\#(more)}"#
        return ProbeStatus(
            Array(body.utf8), asked: started + .milliseconds(asked), received: started + .milliseconds(asked + 5))
    }

    @Test(
        arguments: [
            (["a", "b"], "", true), (["a"], "", false), ([], "", false),
            (["a"], #","active_requests_left_out":0,"silent_workers":0"#, false), (["a"], #","active_requests_left_out":3"#, nil),
            (["a"], #","silent_workers":1"#, nil), (["b"], #","silent_workers":1"#, true),
        ] as [([String], String, Bool?)])
    func `a status tells whether a request is open, if it lists all`(requests: [String], more: String, isOpen: Bool?) throws {
        let status = try #require(Self.status(requests, more: more))
        #expect(status.isOpen("b") == isOpen)
    }

    @Test(arguments: [
        "{}", "[]", "no JSON", #"{"active_requests":{}}"#, #"{"active_requests":[]}"#,
        #"{"process":1,"start_time":"x","start_since":"x","active_requests":[]}"#,
    ])
    func `what is no status says nothing`(body: String) {
        #expect(ProbeStatus(Array(body.utf8), asked: Self.started, received: Self.started)?.isOpen("b") == nil)
    }

    @Test func `a process is known again by its number and its start`() throws {
        let first = try #require(Self.status(["a"]))
        let later = try #require(Self.status([], age: 61_000, asked: 60_999))
        #expect(first.isOfSameProcess(as: later) && later.isOfSameProcess(as: first))
        for other in [
            Self.status(["a"], process: 8), Self.status(["a"], startTime: "2026-11-30T20:00:01Z"),
            // The first process of two containers, begun within one second.
            Self.status(["a"], age: 900), Self.status(["a"], age: 1100),
        ] {
            let other = try #require(other)
            #expect(!first.isOfSameProcess(as: other))
        }
    }
}
