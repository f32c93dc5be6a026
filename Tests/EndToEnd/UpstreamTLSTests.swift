import Foundation
import TestSupport
import Testing

@Suite struct `An upstream with TLS and HTTP2` {
    private func with(
        _ server: WebServer, _ upstream: StubUpstream, http2: Bool = true, trusted: Bool = true, settings: String? = nil,
        workers: String = "2",
        _ test: (Site) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        let front = try await TLSFront(for: upstream, http2: http2, in: directory)
        var environment = ["OPENAI_API_KEY": "sk-stub"]
        if trusted { environment["SSL_CERT_FILE"] = front.certificate.file }
        try await Site.with(
            server, upstream: upstream, upstreamURL: front.url, settings: settings, options: ["--workers", workers],
            environment: environment,
            in: TemporaryDirectory(), test)
        try await front.end()
    }

    @Test(arguments: WebServer.selected)
    func `streams event by event`(server: WebServer) async throws {
        let frames = Chunks.stream(["one", "two"])
        let gate = try Gate()
        let upstream = try StubUpstream(.stream(frames, each: gate))
        try await with(server, upstream) { site in
            let stream = try site.call(chat())
            try await stream.arrives(frames, eachThrough: gate)
            #expect(try await upstream.request().head["X-Front-Protocol"] == "HTTP/2.0")
        }
    }

    /// Begins, and goes on for ever; or is silent where the server notices even so that its client has left.
    private func begun(_ server: WebServer) -> Reply {
        let more: [Reply.Step] =
            server.noticesLeavingClients
            ? [.silence]
            : Array(repeating: [.pause(.milliseconds(50)), .text(Chunks.content("more"))], count: 10_000).flatMap { $0 }
        return Reply([.text(Chunks.begun())] + more)
    }

    @Test(arguments: WebServer.selected)
    func `is told that its only caller has left`(server: WebServer) async throws {
        let upstream = try StubUpstream(begun(server))
        try await with(server, upstream) { site in
            let leaving = try site.call(chat())
            try await leaving.arrival(of: "assistant")
            leaving.close()
            try await upstream.peerClosed()
        }
    }

    /// One worker has one connection for both, which must outlive the one that leaves.
    @Test(arguments: WebServer.selected)
    func `is told that one caller has left while another's stream goes on`(server: WebServer) async throws {
        let frames = Chunks.stream(["one", "two"])
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            request.text.contains("I leave")
                ? begun(server) : .begun(frames, then: gate)
        }
        try await with(server, upstream, workers: "1") { site in
            let staying = try site.call(chat("I stay"))
            try await staying.arrival(of: "assistant")
            let leaving = try site.call(chat("I leave"))
            try await leaving.arrival(of: "assistant")
            leaving.close()
            try await upstream.request(containing: "I leave").closedByPeer()
            gate.open()
            #expect(try await staying.ended().content == frames.joined())
        }
    }

    private let warmSettings = """
        [upstreams.stub]
        url = "UPSTREAM"
        key = "sk-stub"
        warm = 1
        """

    @Test(arguments: WebServer.selected)
    func `that is kept warm over HTTP1 has its connection, with a request without a key, before the first call`(
        server: WebServer
    ) async throws {
        let upstream = try StubUpstream { request in
            request.method == "HEAD" ? Reply(framing: .untilClose, []) : .stream(Chunks.stream(["Hello"]))
        }
        let settings = "log.level = \"debug\"\n" + warmSettings
        try await with(server, upstream, http2: false, settings: settings, workers: "1") { site in
            let opening = try await upstream.request()
            #expect(opening.method == "HEAD")
            #expect(opening.head["Authorization"] == nil)
            try await opening.finished()
            // The answer to it has the web server of the upstream to pass.
            try await site.sluice.process.errors.wait(for: "a connection that stands ready") {
                $0.text.contains("connections stand ready")
            }
            _ = try await site.call(chat()).ended()
            // The second request on a connection that no call has made.
            #expect(try await upstream.request(1).head["X-Connection-Requests"] == "2")
        }
    }

    @Test(arguments: WebServer.selected)
    func `that is kept warm over HTTP2 has its connection, without any request, before the first call`(
        server: WebServer
    ) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"])))
        let settings = "log.level = \"debug\"\n" + warmSettings
        try await with(server, upstream, settings: settings, workers: "1") { site in
            try await site.sluice.process.errors.wait(for: "a connection that stands ready") {
                $0.text.contains("connections stand ready")
            }
            let front = try #require(URL(string: site.upstreamURL)?.port)
            let warm = try localPorts(connectedTo: front)
            _ = try await site.call(chat()).ended()
            let used = try await upstream.request().head["X-Connection-Port"].flatMap(Int.init)
            #expect(warm.contains(try #require(used)))
            #expect(upstream.requests.value.count == 1)
        }
    }

    /// A kept connection that its server has closed in good order holds an alert that nobody has read: it must not count as open.
    @Test(arguments: [false, true], [1, 1_000_000])
    func `that has started anew answers the next call, whatever was kept`(http2: Bool, bytes: Int) async throws {
        let server = WebServer.selected[0]
        let frames = Chunks.stream(["one", "two"])
        let gate = try Gate()
        let upstream = try StubUpstream(.begun(frames, then: gate))
        let front = try await TLSFront(for: upstream, http2: http2, in: TemporaryDirectory())
        let settings = oneUpstream(url: front.url, authorities: front.certificate.file)
        try await Site.with(
            server, upstream: upstream, settings: settings, options: ["--workers", "1"]
        ) { site in
            let streams = try (0..<20).map { try site.call(chat("number \($0)")) }
            for stream in streams { try await stream.arrival(of: "assistant") }
            gate.open(streams.count + 1)
            for stream in streams { #expect(try await stream.ended().content == frames.joined()) }
            try await front.restart()
            let next = try site.call(chat(String(repeating: "x", count: bytes)))
            #expect(try await next.ended().content == frames.joined())
            #expect(upstream.requests.value.count == streams.count + 1)
        }
        try await front.end()
    }

    @Test(arguments: WebServer.selected)
    func `is not spoken to when its certificate is not trusted`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"])))
        try await with(server, upstream, trusted: false) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.status == 503)
            #expect(response.error?.type == "upstream_error")
            #expect(upstream.requests.value.isEmpty)
        }
    }
}

/// The ports of this machine's ends of IPv4 connections to a port (proc_net_tcp(5): addresses in hexadecimal digits, state 01).
private func localPorts(connectedTo port: Int) throws -> Set<Int> {
    let file = try FileHandle(forReadingFrom: URL(filePath: "/proc/net/tcp"))
    let table = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
    return Set(
        table.split(separator: "\n").dropFirst().compactMap { line in
            let words = line.split(separator: " ")
            let ports = words.prefix(3).map { $0.split(separator: ":").last.flatMap { Int($0, radix: 16) } }
            return words.count > 3 && words[3] == "01" && ports[2] == port ? ports[1] : nil
        })
}
