import TestSupport
import Testing

/// `http`, behind servers that speak one version, or both.
@Suite struct `An upstream's version of HTTP` {
    private let frames = Chunks.stream(["one", "two"])

    private func with(
        _ server: WebServer, _ upstream: StubUpstream, url: String, version: String, authorities: String? = nil,
        _ test: (Site) async throws -> Void
    ) async throws {
        let settings = oneUpstream(url: "\(url)/v1", authorities: authorities, "http = \"\(version)\"")
        try await Site.with(server, upstream: upstream, settings: settings, test)
    }

    @Test(arguments: WebServer.selected)
    func `may be 2 without TLS, by prior knowledge`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.stream(frames, each: gate))
        let front = try await UpstreamFront(for: upstream, listen: "http2", [], in: TemporaryDirectory())
        try await with(server, upstream, url: "http://127.0.0.1:\(front.port)", version: "2") { site in
            let stream = try site.call(chat())
            try await stream.arrives(frames, eachThrough: gate)
            #expect(try await upstream.request().head["X-Front-Protocol"] == "HTTP/2.0")
        }
        try await front.end()
    }

    @Test func `may be 2 without TLS through a proxy too`() async throws {
        let directory = try TemporaryDirectory()
        let upstream = try StubUpstream(.stream(frames))
        let front = try await UpstreamFront(for: upstream, listen: "http2", [], in: directory)
        let tinyproxy = try await Tinyproxy(in: directory)
        let settings = """
            retries = 0
            [upstreams.stub]
            url = "http://127.0.0.1:\(front.port)/v1"
            http = "2"
            proxy = "\(tinyproxy.url)"
            """
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            try await site.answers(frames)
            #expect(try await upstream.request().head["X-Front-Protocol"] == "HTTP/2.0")
            try await tinyproxy.tunnelled(to: "127.0.0.1:\(front.port)")
        }
        try await tinyproxy.end()
        try await front.end()
    }

    @Test(arguments: [("1.1", "HTTP/1.1"), ("2", "HTTP/2.0"), ("auto", "HTTP/2.0")])
    func `is the setting's where the server has both`(version: String, spoken: String) async throws {
        let directory = try TemporaryDirectory()
        let authority = try await Authority(in: directory)
        let upstream = try StubUpstream(.stream(frames))
        let front = try await UpstreamFront(for: upstream, authority.issue("front", for: "DNS:localhost"), in: directory)
        let url = "https://localhost:\(front.port)"
        try await with(WebServer.selected[0], upstream, url: url, version: version, authorities: authority.file) { site in
            try await site.answers(frames)
            #expect(try await upstream.request().head["X-Front-Protocol"] == spoken)
        }
        try await front.end()
    }

    @Test func `is an error in words when it is 2 and the server with TLS has none`() async throws {
        let directory = try TemporaryDirectory()
        let authority = try await Authority(in: directory)
        let upstream = try StubUpstream(.stream(frames))
        let front = try await UpstreamFront(
            for: upstream, authority.issue("front", for: "DNS:localhost"), http2: false, in: directory)
        let url = "https://localhost:\(front.port)"
        try await with(WebServer.selected[0], upstream, url: url, version: "2", authorities: authority.file) { site in
            try await site.fails(because: "the server speaks none of the versions of HTTP that are asked for")
            #expect(upstream.requests.value.isEmpty)
        }
        try await front.end()
    }

    @Test func `is an error in words when it is 2 and the server without TLS has none`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        let front = try await UpstreamFront(for: upstream, listen: "", [], in: TemporaryDirectory())
        try await with(WebServer.selected[0], upstream, url: "http://127.0.0.1:\(front.port)", version: "2") { site in
            try await site.fails(because: "the server speaks no HTTP/2")
            #expect(upstream.requests.value.isEmpty)
        }
        try await front.end()
    }
}
