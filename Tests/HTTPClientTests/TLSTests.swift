import EventLoop
import Foundation
import HTTPClient
import TestSupport
import Testing

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite(.timeLimit(.minutes(5))) struct TLSTests {
    @Test func `a certificate that nobody vouches for is refused with the reason`() async throws {
        let server = try await TLSServer(backend: try ScriptServer(answer: ok).port)
        let url = server.url
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            guard case .tls(let reason) = await session.failure(of: .post(url, "{}")).error else {
                Issue.record("it was trusted")
                return
            }
            #expect(reason.contains("certificate"))
        }
    }

    @Test func `a certificate for another host is refused with the reason`() async throws {
        let server = try await TLSServer(backend: try ScriptServer(answer: ok).port)
        let (url, file) = ("https://127.0.0.1:\(server.port)/", server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            guard case .tls(let reason) = await session.failure(of: .post(url, "{}")).error else {
                Issue.record("it was trusted")
                return
            }
            #expect(reason.contains("127.0.0.1"))
        }
    }

    @Test func `a file of certificates that cannot be read trusts nobody, and is named`() async throws {
        let server = try ScriptServer { $0.waitForEnd() }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting("/nonexistent.pem"))
            guard case .tls(let reason) = await session.failure(of: .get(server.secureURL)).error else {
                Issue.record("it was trusted")
                return
            }
            #expect(reason.contains("/nonexistent.pem"))
        }
    }

    @Test func `plain text where TLS is expected is a failure of TLS`() async throws {
        let server = try ScriptServer { peer in peer.send("HTTP/1.1 400 Bad Request\r\n\r\n") }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            guard case .tls = await session.failure(of: .get("https://localhost:\(server.port)/")).error else {
                Issue.record("it was taken for TLS")
                return
            }
        }
    }

    @Test(arguments: ["http2", ""], [0, 500, 200_000])
    func `a trusted server answers, over HTTP/2 where it can`(protocols: String, count: Int) async throws {
        let backend = try ScriptServer { peer in
            while let request = peer.request() {
                peer.report(request)
                peer.send(ok)
            }
        }
        let server = try await TLSServer(backend: backend.port, protocols: protocols)
        let (url, file) = (server.url, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            let body = String(repeating: "x", count: count)
            let (head, answer) = try await session.fetch(.post(url, body, headers: [(name: "X-Key", value: "key")]))
            #expect(head?.status == 200)
            #expect(head?["content-length"] == "2")
            #expect(answer == "ok")
            let request = try #require(await backend.report())
            #expect(request.contains("X-Protocol: HTTP/\(protocols.isEmpty ? "1.1" : "2.0")"))
            #expect(request.lowercased().contains("x-key: key"))
            #expect(request.hasSuffix("\r\n\r\n" + body))
        }
    }
}

extension Session.Configuration {
    /// And `patient`, which matters most where there is a handshake.
    static func trusting(_ file: String) -> Session.Configuration {
        var configuration = Session.Configuration.patient
        configuration.authoritiesFile = file
        return configuration
    }
}
