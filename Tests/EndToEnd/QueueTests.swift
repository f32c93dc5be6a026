import TestSupport
import Testing

@Suite struct `An upstream that takes few requests at a time` {
    private func settings(_ queue: String) -> String {
        """
        retries = 0
        [upstreams.stub]
        url = "UPSTREAM"
        key = "sk-stub"
        concurrent = 1
        \(queue)
        """
    }

    private let frames = Chunks.stream(["Hello"])

    @Test(arguments: WebServer.selected)
    func `has others wait for their turn, and refuses those for whom there is no room`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.begun(frames, then: gate))
        try await Site.with(server, upstream: upstream, settings: settings("queue = 1\nqueue_wait = \"1m\"")) { site in
            let first = try site.call(chat("first"))
            try await first.arrival(of: "assistant")
            // One of two waits, and the other is told to come again. Which is which, the workers decide.
            let ended = Observed<[Received]>([])
            for text in ["second", "third"] {
                let other = try site.call(chat(text))
                Task {
                    let response = try await other.ended()
                    ended.update { $0.append(response) }
                }
            }
            let refused = try await ended.wait(for: "one to be refused") { $0.first }
            #expect(refused.status == 503)
            #expect(refused.head?["Retry-After"] == "1")
            #expect(refused.error?.type == "overloaded_error")
            #expect(upstream.requests.value.count == 1)
            gate.open(2)
            #expect(try await first.ended().content == frames.joined())
            #expect(try await ended.wait(for: "the other's turn") { $0.count > 1 ? $0[1] : nil }.content == frames.joined())
            #expect(upstream.requests.value.count == 2)
        }
    }

    @Test(arguments: WebServer.selected)
    func `has nobody wait for longer than the settings say`(server: WebServer) async throws {
        let upstream = try StubUpstream(.begun(frames))
        try await Site.with(server, upstream: upstream, settings: settings("queue_wait = \"100ms\"")) { site in
            let first = try site.call(chat("first"))
            try await first.arrival(of: "assistant")
            #expect(try await site.call(chat("second")).ended().status == 503)
            #expect(first.received.value.end == nil)
        }
    }

    /// Where the web server watches its callers.
    @Test(arguments: WebServer.selected.filter(\.noticesLeavingClients))
    func `forgets those who leave while they wait`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.begun(frames, then: gate))
        try await Site.with(server, upstream: upstream, settings: settings("queue = 1\nqueue_wait = \"1m\"")) { site in
            let first = try site.call(chat("first"))
            try await first.arrival(of: "assistant")
            for round in 1...5 {
                // One waits, the other is refused, so both have arrived when one has been answered.
                let others = try [site.call(chat("second")), site.call(chat("third"))]
                _ = try await site.requestLines(2 * round - 1)
                for other in others { other.close() }
                _ = try await site.requestLines(2 * round)
            }
            let next = try site.call(chat("next"))
            gate.open(2)
            #expect(try await first.ended().content == frames.joined())
            #expect(try await next.ended().content == frames.joined())
            #expect(upstream.requests.value.count == 2)
        }
    }
}
