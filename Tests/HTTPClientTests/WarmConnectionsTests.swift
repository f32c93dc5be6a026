import Clock
import EventLoop
import Foundation
import TestSupport
import Testing

@testable import HTTPClient

/// How connections that stand ready are opened, and that calls find them.
@Suite(.timeLimit(.minutes(5))) struct WarmConnectionsTests {
    @Test func `a call finds a connection of HTTP/2 that was opened without a request`() async throws {
        let backend = try answeringServer()
        let server = try await TLSServer(backend: backend.port)
        let (url, port, file) = (server.url, server.port, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            let observed = try Warmth(session, url, count: 3, .onlyOnce)
            #expect(await observed.next() == .ready(connections: 1))
            let warm = sockets { isConnected($0, to: port) }
            #expect(try await session.fetch(.post(url, "{}")).head?.status == 404)
            #expect(await backend.report()?.hasPrefix("POST") == true)
            #expect(sockets { isConnected($0, to: port) } == warm)
        }
    }

    @Test func `a connection of HTTP/2 that nobody has used may be dead, and a request goes out once more`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            // To be heard would show that it is there.
            guard let (stream, _) = reader.next(opensWindows: false), peer.number > 1 else { return }
            peer.answer(stream, "another")
            peer.waitForEnd()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let warm = try Warmth(session, server.url, count: 1, .onlyOnce, .priorKnowledge)
            #expect(await warm.next() == .ready(connections: 1))
            let transfer = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            #expect(await transfer.outcome() == .ok("another"))
        }
    }

    @Test func `a call finds a connection of HTTP/1 that a request without a secret has opened`() async throws {
        let server = try answeringServer()
        let url = "http://user:password@localhost:\(server.port)/v1/secret?key=secret#secret"
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let observed = try Warmth(session, url, count: 1, .onlyOnce)
            #expect(await observed.next() == .ready(connections: 1))
            let trial = try #require(await server.report())
            #expect(trial.hasPrefix("HEAD / HTTP/1.1\r\n"))
            for secret in ["secret", "password", "uthorization"] { #expect(!trial.contains(secret)) }
            #expect(try await session.fetch(.post(url, "{}")).head?.status == 404)
            #expect(server.connections == 1)
        }
    }

    @Test func `a server that closes after a HEAD is asked by a GET, from then on at once`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                peer.report("\(request.prefix(4))\(peer.number)")
                if request.hasPrefix("POST") { gate.wait() }
                peer.send(request.hasPrefix("HEAD") ? "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" : notFound)
                if request.hasPrefix("HEAD") { return }
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let observed = try Warmth(session, server.url, count: 1, .often)
            #expect(await observed.next().pauseAfterClose != nil)
            #expect(await observed.next() == .ready(connections: 1))
            for expected in ["HEAD1", "GET 2"] { #expect(await server.report() == expected) }
            try await session.withTransfer(.post(server.url, "{}")) { _ in
                #expect(await observed.next() == .ready(connections: 2))
            }
            #expect(Set([await server.report(), await server.report()]) == ["POST2", "GET 3"])
        }
        gate.open()
    }

    @Test func `calls at one moment find as many connections of HTTP/1 over TLS`() async throws {
        let gate = Gate()
        let backend = try ScriptServer { peer in
            while let request = peer.request() {
                peer.report(request)
                if request.hasPrefix("POST") { gate.wait() }
                peer.send(notFound)
            }
        }
        let server = try await TLSServer(backend: backend.port, protocols: "")
        let (url, port, file) = (server.url, server.port, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            let observed = try Warmth(session, url, count: 3, .onlyOnce)
            #expect(await observed.next() == .ready(connections: 3))
            #expect(descriptorsConnected(to: port) == 3)
            let warm = [await backend.report(), await backend.report(), await backend.report()].map(connection(of:))
            try await session.withTransfer(.post(url, "1")) { one in
                try await session.withTransfer(.post(url, "2")) { two in
                    try await session.withTransfer(.post(url, "3")) { three in
                        let used = [await backend.report(), await backend.report(), await backend.report()]
                        #expect(Set(used.map(connection(of:))) == Set(warm))
                        #expect(descriptorsConnected(to: port) == 3)
                        for _ in 0..<3 { gate.open() }
                        for transfer in [one, two, three] { _ = try await transfer.rest() }
                    }
                }
            }
        }
    }

    @Test(arguments: [200, 301, 401, 404, 429, 500])
    func `any answer will do, and as many connections are opened as asked for`(status: Int) async throws {
        let server = try answeringServer("HTTP/1.1 \(status) Whatever\r\nContent-Length: 0\r\n\r\n")
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let observed = try Warmth(session, server.url, count: 3, .onlyOnce)
            #expect(await observed.next() == .ready(connections: 3))
            #expect(server.connections == 3)
            _ = try await session.fetch(.post(server.url, "{}"))
            #expect(server.connections == 3)
        }
    }

    @Test func `an answer to the opening request may be large`() async throws {
        let body = String(repeating: "x", count: 300_000)
        let server = try answeringServer("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let pool = try session.destination(of: server.url, .standard).pool
            let wakeup = Wakeup(on: worker.loop)
            let trial = try session.prepare(.get(server.url), waking: wakeup)
            var kept: Bool?
            trial.onEnd = { _, result in
                if case .success(let isKept) = result { kept = isKept } else { kept = false }
                wakeup.wake()
            }
            pool.beginTrial(trial)
            while kept == nil { await wakeup.wait() }
            #expect(kept == true)
            #expect(!trial.hasBytes)
        }
    }
}
