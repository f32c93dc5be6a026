import EventLoop
import TestSupport
import Testing

@testable import HTTPClient

@Suite(.timeLimit(.minutes(5))) struct `A proxy's tunnel` {
    private func tunnel(_ proxy: String = "http://proxy:3128", to url: String = "https://host/v1") throws -> ProxyTunnel {
        ProxyTunnel(to: try RequestURL(url).origin, through: try Proxy(proxy))
    }

    private func request(of tunnel: ProxyTunnel) -> String {
        unsafe tunnel.request.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    @Test(arguments: [
        ("https://host/v1?q", "host:443"), ("https://host:8443", "host:8443"), ("https://[2001:db8::1]", "[2001:db8::1]:443"),
        ("https://[fe80::1%25eth0]:1", "[fe80::1]:1"), ("https://user:secret@host", "host:443"),
    ])
    func `is asked for by host and port, and nothing else`(url: String, place: String) throws {
        #expect(request(of: try tunnel(to: url)) == "CONNECT \(place) HTTP/1.1\r\nHost: \(place)\r\n\r\n")
    }

    @Test func `is asked for with the proxy's own password`() throws {
        let text = request(of: try tunnel("http://Aladdin:open%20sesame@proxy:1"))
        #expect(text.hasSuffix("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"))
    }

    /// How the tunnel is, after an answer in two parts.
    private func outcome(_ answer: String, cutAt cut: Int, _ proxy: String = "http://proxy:3128") throws -> String {
        let tunnel = try tunnel(proxy)
        let bytes = Array(answer.utf8)
        for part in [bytes[..<cut], bytes[cut...]] where !part.isEmpty {
            switch unsafe part.withUnsafeBytes({ unsafe tunnel.take($0) }) {
            case .wantsMore: continue
            case .done(let count): return part.startIndex + count == bytes.count ? "done" : "done early"
            case .failed(let error): return error.description
            }
        }
        return "waits"
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\n\r\n", "done"), ("HTTP/1.0 200 Connection established\r\nProxy-agent: p\r\n\r\n", "done"),
        ("HTTP/1.1 204 Fine\r\n\r\n", "done"), ("HTTP/1.1 103 Hint\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "done"),
        ("HTTP/1.1 200 OK\r\n", "waits"), ("HTTP/1.1 407 No\r\n", "waits"),
        ("HTTP/1.1 407 No\r\n\r\n", "unreachable: the proxy wants a user name and password (407)"),
        ("HTTP/1.1 502 Bad\r\n\r\n", "unreachable: the proxy refused with status 502"),
        ("HTTP/2 200\r\n\r\n", "unreachable: the proxy's answer is not HTTP"),
    ])
    func `is told however its answer is split`(answer: String, outcome: String) throws {
        for cut in 0...answer.utf8.count { #expect(try self.outcome(answer, cutAt: cut) == outcome, "cut at \(cut)") }
    }

    @Test(arguments: [(407, "refused the user name and password (407)"), (401, "refused the user name and password (401)")])
    func `that a password was given for in vain says so`(status: Int, words: String) throws {
        let text = try outcome("HTTP/1.1 \(status) No\r\n\r\n", cutAt: 3, "http://user:secret@proxy:1")
        #expect(text == "unreachable: the proxy \(words)")
    }

    @Test func `leaves what comes behind the answer to a server that may speak first`() throws {
        let tunnel = try tunnel(to: "http://host:8000")
        #expect(request(of: tunnel).hasPrefix("CONNECT host:8000 HTTP/1.1\r\n"))
        let answer = Array("HTTP/1.1 200 OK\r\n\r\nPRI".utf8)
        guard case .done(answer.count - 3) = unsafe answer.withUnsafeBytes({ unsafe tunnel.take($0) }) else {
            Issue.record("the tunnel was not made")
            return
        }
    }

    /// A proxy that is asked for HTTP/2 without TLS, and the server behind it.
    @Test(arguments: [false, true]) func `carries HTTP2 without TLS, whoever speaks first`(isServerFirst: Bool) async throws {
        let server = try ScriptServer { peer in
            guard let head = peer.request() else { return }
            peer.report(head.split(separator: "\r\n").first.map(String.init) ?? "")
            peer.send(Array("HTTP/1.1 200 Fine\r\n\r\n".utf8) + (isServerFirst ? Frame.settings().bytes : []))
            guard peer.beginHTTP2() else { return peer.report("no HTTP/2") }
            while let stream = peer.requestStream() { peer.answer(stream) }
        }
        try await LoopActor.run { worker in
            let proxy = try Proxy("http://127.0.0.1:\(server.port)")
            let options = ConnectionOptions(version: .http2, proxy: .proxy(proxy))
            let session = Session(on: worker.loop, .patient)
            for _ in 0..<2 {
                let calls = try session.begin(["a", "b"], "http://upstream.invalid/v1", options: options)
                for call in calls { #expect(await call.outcome() == .ok()) }
            }
            #expect(await server.report() == "CONNECT upstream.invalid:80 HTTP/1.1")
            #expect(server.connections == 1)
        }
    }

    @Test func `takes nothing that comes behind the answer`() throws {
        for surplus in ["x", "\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
            let answer = "HTTP/1.1 200 OK\r\n\r\n"
            let text = try outcome(answer + surplus, cutAt: 5)
            #expect(text == "unreachable: the proxy sent more than an answer")
        }
    }
}
