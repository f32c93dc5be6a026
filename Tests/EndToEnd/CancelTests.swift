import TestSupport
import Testing

/// The caller leaves, and the upstream is called off.
@Suite struct `A caller who leaves` {
    /// Goes on for ever, or is silent where the server notices even so.
    private func steps(_ server: WebServer) -> [Reply.Step] {
        server.noticesLeavingClients
            ? [.silence]
            : Array(repeating: [.pause(.milliseconds(50)), .text(Chunks.content("more"))], count: 10_000).flatMap { $0 }
    }

    /// Where the server tells nothing until something is written, the heartbeat finds out.
    @Test(arguments: Route.all)
    func `before the first token closes the upstream`(route: Route) async throws {
        let upstream = try StubUpstream(.silence)
        let heartbeat = route.server.noticesLeavingClients ? "0s" : "1s"
        let settings = "heartbeat = \"\(heartbeat)\"\ntimeouts.first_token = \"1h\"\n" + plainSettings
        try await Site.with(route.server, upstream: upstream, settings: settings) { site in
            let staying = try site.call(chat("I stay"), over: route.client)
            let stayingRequest = try await upstream.request(containing: "I stay")
            let leaving = try site.call(chat("I leave"), over: route.client)
            let leavingRequest = try await upstream.request(containing: "I leave")
            leaving.close()
            try await leavingRequest.closedByPeer()
            // No timeout did it: the caller who came first and stays is still served.
            #expect(stayingRequest.ending.value == nil)
            #expect(staying.received.value.end == nil)
        }
    }

    @Test(arguments: Route.all)
    func `between tokens closes the upstream`(route: Route) async throws {
        let upstream = try StubUpstream(Reply([.text(Chunks.role()), .text(Chunks.content("one"))] + steps(route.server)))
        try await Site.with(route.server, upstream: upstream) { site in
            let staying = try site.call(chat("I stay"), over: route.client)
            try await staying.arrival(of: "one")
            let leaving = try site.call(chat("I leave"), over: route.client)
            try await leaving.arrival(of: "one")
            leaving.close()
            try await upstream.request(containing: "I leave").closedByPeer()
            #expect(try await upstream.request(containing: "I stay").ending.value == nil)
            #expect(staying.received.value.end == nil)
        }
    }

    /// Not by a heartbeat that cannot be written: there is none.
    @Test func `is nobody to begin anything new for, where answers are drained`() async throws {
        let gate = try Gate()
        let failure = "HTTP/1.1 503 Stub\r\nContent-Length: 0\r\n\r\n"
        let upstream = try StubUpstream { request in
            request.text.contains("I stay") ? .json(Chunks.completion("Hello")) : .raw(.wait(gate), .text(failure))
        }
        let settings = "on_disconnect = \"drain\"\nheartbeat = \"0s\""
        let model = "[[models]]\nmatch = \"*\"\nretries = 2\nretry_budget = \"100%\""
        try await ProcessSite.with(settings, upstream: upstream, upstreamLines: model, options: ["--workers", "1"]) { site in
            let call = { (text: String, isStreaming: Bool) in
                let body = String(decoding: chat(text, stream: isStreaming).body, as: UTF8.self)
                return try DirectCall(to: site.sluice.socket, "POST", "/v1/chat/completions", [], body: body)
            }
            let leaving = try call("I leave", true)
            _ = try await upstream.request(containing: "I leave")
            leaving.close()
            // His leaving has been read by then.
            _ = try await call("I stay", false).response()
            gate.open(3)
            try await site.logs(1, #""ending":"caller_left""#)
            #expect(upstream.requests.value.count == 2)
        }
    }

    /// Without a stream nothing can be written before the end, so only a server that watches its clients can tell.
    @Test(arguments: WebServer.selected.filter(\.noticesLeavingClients))
    func `while the answer does not stream closes the upstream`(server: WebServer) async throws {
        let upstream = try StubUpstream(.silence)
        try await Site.with(server, upstream: upstream) { site in
            let leaving = try site.call(chat("I leave", stream: false))
            let request = try await upstream.request()
            let staying = try site.call(chat("I stay", stream: false))
            let stayingRequest = try await upstream.request(containing: "I stay")
            leaving.close()
            try await request.closedByPeer()
            #expect(stayingRequest.ending.value == nil)
            #expect(staying.received.value.end == nil)
        }
    }

    /// Vapi posts on each partial transcript of a turn, and hangs up when the next one comes.
    @Test(arguments: WebServer.selected)
    func `five times in one turn has the sixth request answered all the same`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            request.text.contains("the whole sentence")
                ? Reply([.wait(gate)] + Chunks.stream(["Hello"]).map(Reply.Step.text))
                : Reply([.text(Chunks.begun())] + steps(server))
        }
        try await Site.with(server, upstream: upstream) { site in
            let call = #","call":{"id":"4f2c7a1e-vapi-call"}"#
            var partial: [(stream: HTTPStream, request: UpstreamRequest)] = []
            for number in 0..<5 {
                let stream = try site.call(chat("part \(number)", members: call))
                partial.append((stream, try await upstream.request(containing: "part \(number)")))
                try await stream.arrival(of: "assistant")
            }
            let last = try site.call(chat("the whole sentence", members: call))
            _ = try await upstream.request(containing: "the whole sentence")
            for (stream, _) in partial { stream.close() }
            for (_, request) in partial { try await request.closedByPeer() }
            gate.open()
            #expect(try await last.ended().content == Chunks.stream(["Hello"]).joined())
        }
    }

    @Test(arguments: WebServer.selected)
    func `in the middle of an event closes the upstream`(server: WebServer) async throws {
        let half = String(Chunks.content("never whole").prefix(40))
        let upstream = try StubUpstream(Reply([.text(Chunks.begun()), .text(half)] + steps(server)))
        try await Site.with(server, upstream: upstream) { site in
            let leaving = try site.call(chat())
            try await leaving.arrival(of: "assistant")
            leaving.close()
            try await upstream.peerClosed()
        }
    }
}
