import TestSupport
import Testing

@Suite struct `A proxy` {
    private let server = WebServer.selected[0]
    private let frames = Chunks.stream(["Hello"])

    @Test(arguments: ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
    func `that the environment names is asked for the upstream`(variable: String) async throws {
        let proxy = try StubUpstream(.stream(frames))
        let environment = ["OPENAI_API_KEY": "sk-stub", variable: "http://127.0.0.1:\(proxy.port)"]
        try await Site.with(
            server, upstream: proxy, upstreamURL: "http://upstream.invalid/v1", environment: environment
        ) { site in
            let stream = try await site.call(chat()).ended()
            #expect(stream.content == frames.joined())
            #expect(try await proxy.request().path == "http://upstream.invalid/v1/chat/completions")
        }
    }

    @Test func `that the environment names with a password gets it`() async throws {
        let proxy = try StubUpstream(.stream(frames))
        let environment = ["OPENAI_API_KEY": "sk-stub", "http_proxy": "user:p%40ss@127.0.0.1:\(proxy.port)"]
        try await Site.with(
            server, upstream: proxy, upstreamURL: "http://upstream.invalid/v1", environment: environment
        ) { site in
            try await site.answers(frames)
            #expect(try await proxy.request().head["Proxy-Authorization"] == "Basic dXNlcjpwQHNz")
        }
    }

    @Test(arguments: ["127.0.0.1", "127.0.0.0/8", "*"])
    func `is not asked for a host that the environment excepts`(exceptions: String) async throws {
        let (proxy, upstream) = (try StubUpstream(.silence), try StubUpstream(.stream(frames)))
        let environment = [
            "OPENAI_API_KEY": "sk-stub", "http_proxy": "http://127.0.0.1:\(proxy.port)", "NO_PROXY": exceptions,
        ]
        try await Site.with(server, upstream: upstream, environment: environment) { site in
            let stream = try await site.call(chat()).ended()
            #expect(stream.content == frames.joined())
            #expect(proxy.requests.value.isEmpty)
        }
        try await proxy.stop()
    }

    @Test func `of the environment is not asked by an upstream that wants none`() async throws {
        let upstream = try StubUpstream(.stream(frames))
        let settings = oneUpstream(url: "http://upstream.invalid/v1", "proxy = \"none\"")
        let environment = ["ALL_PROXY": "http://127.0.0.1:\(upstream.port)"]
        try await Site.with(server, upstream: upstream, settings: settings, environment: environment) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.status == 503)
            #expect(upstream.requests.value.isEmpty)
        }
    }

    @Test(arguments: ["check", "serve"], ["https://127.0.0.1:3128", "socks5://name:secret@127.0.0.1:1080"])
    func `that cannot be used is an error at the start, without its password`(command: String, proxy: String) async throws {
        let run = try await SluiceRun(
            [command, "--upstream", "https://upstream.invalid/v1"], environment: ["HTTPS_PROXY": proxy, "OPENAI_API_KEY": "k"])
        #expect(run.exit == .code(78))
        #expect(run.errors.contains("HTTPS_PROXY names a proxy that cannot be used"))
        #expect(!run.errors.contains("secret"))
    }
}

/// Through tinyproxy, which knows nothing of streams of events.
@Suite struct `A real proxy` {
    private static let credentials = "name:pass%77ord@"

    /// A stub upstream behind a proxy; `PROXY` in the settings stands for the proxy's host and port.
    private func with(
        _ server: WebServer, _ upstream: StubUpstream, secure: Bool, proxy: String = "http://PROXY", credentials: String? = nil,
        names: String = "DNS:localhost", _ test: (Site, Tinyproxy) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        let authority = try await Authority(in: directory)
        let front = try await UpstreamFront(for: upstream, authority.issue("front", for: names), in: directory)
        let tinyproxy = try await Tinyproxy(credentials: credentials, in: directory)
        let settings = oneUpstream(
            url: "\(secure ? "https://localhost:\(front.port)" : "http://127.0.0.1:\(upstream.port)")/v1",
            authorities: authority.file, "proxy = \"\(proxy.replacing("PROXY", with: "127.0.0.1:\(tinyproxy.port)"))\"",
            "key = \"sk-stub\"")
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            try await test(site, tinyproxy)
            if secure { try await tinyproxy.tunnelled(to: "localhost:\(front.port)") }
        }
        try await tinyproxy.end()
        try await front.end()
    }

    @Test(arguments: WebServer.selected, [false, true])
    func `lets a stream through event by event`(server: WebServer, secure: Bool) async throws {
        let frames = Chunks.stream(["one", "two"])
        let gate = try Gate()
        let upstream = try StubUpstream(.stream(frames, each: gate))
        try await with(server, upstream, secure: secure) { site, _ in
            let stream = try site.call(chat())
            try await stream.arrives(frames, eachThrough: gate)
            let request = try await upstream.request()
            #expect(request.head["Authorization"] == "Bearer sk-stub")
            #expect(request.head["Proxy-Authorization"] == nil)
            if secure { #expect(request.head["X-Front-Protocol"] == "HTTP/2.0") }
        }
    }

    @Test(arguments: WebServer.selected.filter(\.noticesLeavingClients), [false, true])
    func `has the upstream told that the caller has left`(server: WebServer, secure: Bool) async throws {
        let upstream = try StubUpstream(Reply([.text(Chunks.begun()), .silence]))
        try await with(server, upstream, secure: secure) { site, _ in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            stream.close()
            try await upstream.peerClosed()
        }
    }

    @Test(arguments: [false, true])
    func `that wants a password gets the one of the setting`(secure: Bool) async throws {
        let frames = Chunks.stream(["Hello"])
        let upstream = try StubUpstream(.stream(frames))
        try await with(
            WebServer.selected[0], upstream, secure: secure, proxy: "http://\(Self.credentials)PROXY",
            credentials: "name password"
        ) { site, _ in
            try await site.answers(frames)
            #expect(try await upstream.request().head["Proxy-Authorization"] == nil)
        }
    }

    @Test(arguments: [
        ("", "the proxy wants a user name and password (407)"),
        ("name:wrong@", "the proxy refused the user name and password (401)"),
    ])
    func `that wants another password is told in words`(credentials: String, reason: String) async throws {
        let upstream = try StubUpstream(.stream([]))
        try await with(
            WebServer.selected[0], upstream, secure: true, proxy: "http://\(credentials)PROXY", credentials: "name password"
        ) { site, _ in
            try await site.fails(because: reason)
            #expect(!site.sluice.process.errors.value.text.contains("wrong"))
            #expect(upstream.requests.value.isEmpty)
        }
    }

    @Test func `that wants another password fails an upstream without TLS too`() async throws {
        let upstream = try StubUpstream(.stream([]))
        try await with(WebServer.selected[0], upstream, secure: false, credentials: "name password") { site, _ in
            try await site.fails(because: "the proxy wants a user name and password (407)")
            #expect(upstream.requests.value.isEmpty)
        }
    }

    /// The tunnel ends where the certificate must be for.
    @Test func `does not lend the upstream its name`() async throws {
        let upstream = try StubUpstream(.stream([]))
        try await with(WebServer.selected[0], upstream, secure: true, names: "IP:127.0.0.1") { site, _ in
            try await site.fails(because: "the certificate is for another name than localhost")
        }
    }

    @Test func `that cannot reach the upstream is told in words`() async throws {
        let directory = try TemporaryDirectory()
        let tinyproxy = try await Tinyproxy(in: directory)
        let settings = oneUpstream(url: "https://127.0.0.1:\(try freePort())/v1", "proxy = \"\(tinyproxy.url)\"")
        try await Site.with(WebServer.selected[0], upstream: try StubUpstream(.silence), settings: settings) { site in
            try await site.fails(because: "the proxy refused with status 500")
        }
        try await tinyproxy.end()
    }
}

/// Whose way leads through a proxy that does something else than it should.
@Suite struct `An upstream behind a bad proxy` {
    private let server = WebServer.selected[0]

    struct Answer: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let reply: Reply
        let reason: String

        init(_ description: String, _ reply: Reply, _ reason: String) {
            (testDescription, self.reply, self.reason) = (description, reply, reason)
        }
    }

    private func settings(port: UInt16, connect: String = "30s") -> String {
        """
        retries = 0
        timeouts.connect = "\(connect)"
        timeouts.first_token = "60s"
        [upstreams.stub]
        url = "https://upstream.invalid/v1"
        proxy = "http://127.0.0.1:\(port)"
        key = "sk-stub"
        """
    }

    @Test(arguments: [
        Answer("no", .raw(.text("HTTP/1.1 403 Filtered\r\nContent-Length: 2\r\n\r\nno")), "the proxy refused with status 403"),
        Answer("a redirection", .raw(.text("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n")), "the proxy refused with status 302"),
        Answer(
            "bytes behind 200", .raw(.text("HTTP/1.1 200 OK\r\n\r\nsurplus"), .silence), "the proxy sent more than an answer"),
        Answer(
            "200 with a body", .raw(.text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), .silence),
            "the proxy sent more than an answer"),
        Answer("garbage", .raw(.text("\u{16}\u{3}\u{1} no HTTP\r\n\r\n"), .silence), "the proxy's answer is not HTTP"),
        Answer("a close", .raw(.close), "the proxy closed the connection"),
        Answer("a reset", .raw(.reset), "the proxy closed the connection"),
        Answer("half a head", .raw(.text("HTTP/1.1 200 O"), .close), "the proxy closed the connection"),
        Answer("200 and a close", .raw(.text("HTTP/1.1 200 OK\r\n\r\n"), .close), "TLS: "),
        Answer(
            "an endless head", .raw(.text("HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: 70_000))"), .silence),
            "the proxy's answer is not HTTP"),
        Answer(
            "interim answers without end", .raw(.text(String(repeating: "HTTP/1.1 103 Hint\r\n\r\n", count: 1_000)), .silence),
            "the proxy's answer is not HTTP"),
    ])
    func `is unavailable, and the log says why`(answer: Answer) async throws {
        let proxy = try StubUpstream(answer.reply)
        try await Site.with(server, upstream: proxy, settings: settings(port: proxy.port)) { site in
            try await site.fails(because: answer.reason)
            let request = try await proxy.request()
            #expect(request.method == "CONNECT")
            #expect(request.path == "upstream.invalid:443")
            #expect(request.head["Host"] == "upstream.invalid:443")
            // Neither key nor message is the proxy's business.
            #expect(request.head["Authorization"] == nil)
            #expect(request.body.isEmpty)
        }
    }

    @Test func `is unavailable when the proxy is down`() async throws {
        try await Site.with(server, upstream: try StubUpstream(.silence), settings: settings(port: try freePort())) { site in
            try await site.fails(because: "the proxy: connection refused")
        }
    }

    @Test func `is given up when the proxy does not answer in time`() async throws {
        let proxy = try StubUpstream(.silence)
        try await Site.with(server, upstream: proxy, settings: settings(port: proxy.port, connect: "300ms")) { site in
            try await site.fails(because: "no connection within 300ms", type: "upstream_timeout")
            try await proxy.peerClosed()
        }
    }

    @Test(arguments: WebServer.selected.filter(\.noticesLeavingClients))
    func `is left at once when the caller leaves while the proxy does not answer`(server: WebServer) async throws {
        let proxy = try StubUpstream(.silence)
        try await Site.with(server, upstream: proxy, settings: settings(port: proxy.port)) { site in
            let stream = try site.call(chat())
            _ = try await proxy.request()
            stream.close()
            try await proxy.peerClosed()
            #expect(try await site.requestLines(1)[0].contains(#""ending":"caller_left""#))
        }
    }
}
