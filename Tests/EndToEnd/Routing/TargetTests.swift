import TestSupport
import Testing

/// Targets over several requests: what one request does to the next.
@Suite struct `A target` {
    /// Two upstreams whose requests are told in one list, and a site that asks the first before the second.
    private struct Pair: Sendable {
        /// The upstreams' numbers, in the order of their requests.
        let calls = Observed<[Int]>([])
        let first: StubUpstream
        let second: StubUpstream

        init(_ replies: @escaping @Sendable (_ upstream: Int, _ earlierCount: Int) -> Reply) throws {
            let stub = { [calls] (number: Int) in
                try StubUpstream { _ in
                    let earlierCount = calls.update { calls in
                        calls.append(number)
                        return calls.count { $0 == number } - 1
                    }
                    return replies(number, earlierCount)
                }
            }
            (first, second) = (try stub(1), try stub(2))
        }

        /// - Parameter first: further lines of the first upstream.
        func with(
            _ server: WebServer, first lines: String = "", targets: String = #""one", "two""#,
            _ test: (Site) async throws -> Void
        ) async throws {
            let settings = """
                heartbeat = "0s"
                retries = 0
                [upstreams.one]
                url = "\(first.url)"
                \(lines)
                [upstreams.two]
                url = "\(second.url)"
                [[models]]
                match = "stub-1"
                targets = [\(targets)]
                [[models]]
                match = "other-*"
                targets = ["two"]
                [[models]]
                match = "other"
                targets = ["two"]
                """
            try await Site.with(server, upstream: first, settings: settings, changes: server.withoutLimits, test)
            try await second.stop()
        }

        /// Makes calls, each answered by the second, until one reaches the first.
        ///
        /// - Returns: that call, which may still be open.
        func callUntilFirstIsAsked(_ site: Site) async throws -> HTTPStream {
            while true {
                let count = calls.value.count
                let stream = try site.call(chat())
                try await calls.wait(for: "a request at an upstream") { $0.count > count }
                if calls.value[count] == 1 { return stream }
                #expect(try await stream.ended().content == Chunks.stream(["two"]).joined())
            }
        }
    }

    private static let resting = "rest_after = 2\nrest_for = \"5s\""

    @Test(arguments: WebServer.selected.prefix(1))
    func `that rests is back when its probe succeeds`(server: WebServer) async throws {
        let gate = try Gate()
        let pair = try Pair { upstream, earlierCount in
            if upstream == 2 { return .says("two") }
            return switch earlierCount {
            case 0...1: .status(500)
            case 2: .waits(for: gate, says: "one")
            default: .says("one")
            }
        }
        try await pair.with(server, first: Self.resting) { site in
            for _ in 0..<2 { #expect(try await site.call(chat()).ended().content == Chunks.stream(["two"]).joined()) }
            #expect(pair.calls.value == [1, 2, 1, 2])
            let probe = try await pair.callUntilFirstIsAsked(site)
            // One is enough to find out.
            #expect(try await site.call(chat()).ended().content == Chunks.stream(["two"]).joined())
            gate.open()
            #expect(try await probe.ended().content == Chunks.stream(["one"]).joined())
            #expect(try await site.call(chat()).ended().content == Chunks.stream(["one"]).joined())
        }
    }

    @Test(arguments: WebServer.selected.prefix(1))
    func `that rests goes on resting when its probe fails, and the probe's caller gets an answer`(server: WebServer) async throws
    {
        let pair = try Pair { upstream, _ in upstream == 2 ? .says("two") : .status(500) }
        try await pair.with(server, first: Self.resting) { site in
            for _ in 0..<2 { _ = try await site.call(chat()).ended() }
            let probe = try await pair.callUntilFirstIsAsked(site)
            #expect(try await probe.ended().content == Chunks.stream(["two"]).joined())
            for _ in 0..<3 { #expect(try await site.call(chat()).ended().content == Chunks.stream(["two"]).joined()) }
            #expect(pair.calls.value.suffix(5) == [1, 2, 2, 2, 2])
        }
    }

    @Test(arguments: WebServer.selected.prefix(1))
    func `has its share of the open streams, by weight`(server: WebServer) async throws {
        let pair = try Pair { _, _ in .stalls }
        let targets = #"{upstream = "one", weight = 3}, {upstream = "two", weight = 1}"#
        try await pair.with(server, targets: targets) { site in
            var open: [HTTPStream] = []
            for _ in 0..<40 {
                let stream = try site.call(chat())
                try await stream.arrival(of: "Hel")
                open.append(stream)
            }
            #expect(pair.calls.value.count { $0 == 1 } == 30)
            #expect(pair.calls.value.count { $0 == 2 } == 10)
        }
    }

    /// Patterns are no names that a caller could ask for. The upstream of one is asked for its models, and tells none here.
    @Test(arguments: WebServer.selected.prefix(1))
    func `is listed by its model's name`(server: WebServer) async throws {
        let pair = try Pair { _, _ in .says("never") }
        try await pair.with(server) { site in
            let list = try await site.call(ChatCall("", path: "/v1/models", method: "GET")).ended()
            #expect(list.text.contains(#""id":"stub-1""#))
            #expect(!list.text.contains("other-"))
            #expect(pair.calls.value == [2])
        }
    }
}
