import EventLoop
import Foundation
import HTTPClient
import TestSupport
import Testing

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// What is told to one who looks at a server, and not only at what it answers.
@Suite(.timeLimit(.minutes(5))) struct NewConnectionTests {
    @Test(arguments: ["http2", ""])
    func `a new connection is told with what it speaks and the server's certificate`(protocols: String) async throws {
        let backend = try ScriptServer { peer in
            while peer.request() != nil { peer.send(ok) }
        }
        let server = try await TLSServer(backend: backend.port, protocols: protocols)
        let (url, file) = (server.url, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            var told: [NewConnection] = []
            session.onConnected = { told.append($0) }
            let head = try await session.fetch(.get(url)).head
            #expect(told.count == 1)
            #expect(told.first?.isHTTP2 == !protocols.isEmpty)
            let certificate = try #require(told.first?.serverCertificate)
            #expect(certificate.notBefore < certificate.notAfter)
            #expect(head?.version == (protocols.isEmpty ? .http11 : .http2))
        }
    }

    @Test(arguments: [("1.0", ResponseHead.Version.http10), ("1.1", .http11)])
    func `a head tells the version of HTTP, and a connection without TLS no certificate`(
        text: String, version: ResponseHead.Version
    ) async throws {
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.send("HTTP/\(text) 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            var told: [NewConnection] = []
            session.onConnected = { told.append($0) }
            let head = try await session.fetch(.get(server.url)).head
            #expect(head?.version == version)
            #expect(told.count == 1 && told.first?.isHTTP2 == false && told.first?.serverCertificate == nil)
        }
    }

    @Test func `a body may come compressed to one who asks for that, and is handed over as it is`() async throws {
        let server = try ScriptServer { peer in
            peer.report(peer.request() ?? "")
            peer.send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            var request = HTTPRequest.get(server.url)
            request.acceptsCompression = true
            let (head, body) = try await session.fetch(request)
            #expect(head?["content-encoding"] == "gzip" && body == "hello")
        }
        let sent = try #require(await server.report())
        #expect(sent.contains("\r\nAccept-Encoding: gzip, deflate, br\r\n"))
    }
}
