import TestSupport
import Testing

/// The limits of the shipped configuration, made small enough to reach.
@Suite struct `A caller above its limits` {
    private static let limiting = WebServer.fronts.filter(\.limitsRequests)

    private func expectRefusal(_ response: Received) throws {
        #expect(response.status == 429)
        #expect(response.head?.contentType == "application/json")
        #expect(response.head?["Retry-After"] != nil)
        #expect(response.error?.type == "rate_limit_error")
    }

    @Test(arguments: limiting)
    func `of open streams is told so in JSON, and others are served`(server: WebServer) async throws {
        let upstream = try StubUpstream { request in
            request.text.contains("open") ? Reply([.text(Chunks.begun()), .silence]) : .stream(Chunks.stream(["Hello"]))
        }
        let changes =
            server == .nginx
            ? [Change("limit_conn sluice_streams 1000;", to: "limit_conn sluice_streams 2;")]
            : [Change("sc_conn_cur(0) gt 1000", to: "sc_conn_cur(0) gt 2")]
        try await Site.with(server, upstream: upstream, changes: changes) { site in
            let open = try (0..<2).map { try site.call(chat("open \($0)")) }
            for stream in open { try await stream.arrival(of: "assistant") }
            try expectRefusal(try await site.call(chat()).ended())
            var other = chat()
            other.token = RunningServer.otherToken
            #expect(try await site.call(other).ended().status == 200)
            // One stream less is one place more.
            open[0].close()
            try await upstream.request(containing: "open 0").closedByPeer()
            // The web server has let go of the upstream, and is about to give the place back.
            try await eventually("its place") { try await site.call(chat()).ended().status == 200 }
        }
    }

    /// Sluice's own limit, over all callers.
    @Test(arguments: WebServer.selected)
    func `of Sluice's requests is told when to come again, and served then`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            request.text.contains("open")
                ? Reply([.text(Chunks.begun()), .wait(gate), .text(Chunks.finish()), .text(Chunks.done)])
                : .stream(Chunks.stream(["Hello"]))
        }
        try await Site.with(server, upstream: upstream, settings: "limits.requests = 1\n" + plainSettings) { site in
            let open = try site.call(chat("open"))
            try await open.arrival(of: "assistant")
            for stream in [true, false] {
                let response = try await site.call(chat(stream: stream)).ended()
                #expect(response.status == 503)
                #expect(response.head?["Retry-After"] == "1")
                #expect(response.error?.type == "overloaded_error")
            }
            gate.open()
            #expect(try await open.ended().end == .complete)
            #expect(try await site.call(chat()).ended().status == 200)
        }
    }

    @Test(arguments: limiting)
    func `of requests is told so in JSON, and others are served`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"])))
        let changes =
            server == .nginx
            ? [Change("rate=100r/s", to: "rate=1r/m"), Change("burst=500", to: "burst=2")]
            : [
                Change("http_req_rate(1s)", to: "http_req_rate(10m)"),
                Change("http_req_rate(0) gt 500", to: "http_req_rate(0) gt 3"),
            ]
        try await Site.with(server, upstream: upstream, changes: changes) { site in
            for _ in 0..<3 { #expect(try await site.call(chat()).ended().status == 200) }
            try expectRefusal(try await site.call(chat()).ended())
            var other = chat()
            other.token = RunningServer.otherToken
            #expect(try await site.call(other).ended().status == 200)
        }
    }
}
