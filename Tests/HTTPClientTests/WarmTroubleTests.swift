import Clock
import EventLoop
import Foundation
import TestSupport
import Testing

@testable import HTTPClient

/// Connections that are to stand ready at an origin in trouble, and the end of all looking after them.
@Suite(.timeLimit(.minutes(5))) struct WarmTroubleTests {
    @Test func `an origin that refuses is tried ever more rarely, and found when it comes up`() async throws {
        let port = try freePort()
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let observed = try Warmth(session, "http://127.0.0.1:\(port)/", count: 2, .often)
            for longest in pausesMax {
                let again = try #require(await observed.next().pauseAfterRefusal)
                #expect(again <= longest && again >= longest * 0.75)
            }
            let server = try ScriptServer(port: port) { peer in while peer.request() != nil { peer.send(notFound) } }
            while await observed.next() != .ready(connections: 2) {}
            #expect(server.connections == 2)
        }
    }

    @Test func `a server that keeps no connection is asked ever more rarely`() async throws {
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let observed = try Warmth(session, server.url, count: 3, .often)
            for longest in pausesMax {
                let again = try #require(await observed.next().pauseAfterClose)
                #expect(again <= longest && again >= longest * 0.75)
            }
        }
    }

    /// RFC 9110 §9.3.2 forbids it. The connection has a call by the time that it comes.
    @Test(arguments: ["Not Found", "9\r\nNot Found\r\n0\r\n\r\n", "<html>\n"], [false, true])
    func `a body behind the answer to HEAD is no answer to the call behind it`(body: String, isCut: Bool) async throws {
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                guard request.hasPrefix("HEAD") else {
                    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    continue
                }
                peer.send("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n")
                guard peer.waitForHead() != nil else { return }
                peer.send(body)
                if isCut { return }
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let observed = try Warmth(session, server.url, count: 1, .onlyOnce)
            #expect(await observed.next() == .ready(connections: 1))
            let outcome = try await session.withTransfer(.post(server.url, "{}")) { await $0.outcome() }
            #expect(outcome == .ok("ok"))
        }
    }

    /// The server has the request, and a caller's budget of retries is for others to spend.
    @Test(arguments: ["H", "HTTP/1.1 200 OK\r\nContent-", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nno field\r\n\r\n"])
    func `an answer behind that to HEAD that breaks off is not asked for again`(part: String) async throws {
        let server = try ScriptServer { peer in
            while let request = peer.request() {
                guard request.hasPrefix("HEAD") else {
                    peer.send(part)
                    return peer.report("asked")
                }
                peer.send(notFound)
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let observed = try Warmth(session, server.url, count: 1, .onlyOnce)
            #expect(await observed.next() == .ready(connections: 1))
            let error = await session.failure(of: .post(server.url, "{}")).error
            #expect(error != nil)
            #expect(await server.report() == "asked")
            #expect(server.connections == 1)
        }
    }

    @Test func `a server that does not answer in time is a failure, and its connection is closed`() async throws {
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.waitForEnd()
            peer.report("left")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            var times = WarmConnections.Times.often
            times.answer = .milliseconds(1)
            let observed = try Warmth(session, server.url, count: 1, connectTimeout: .milliseconds(100), times)
            #expect(await observed.next().isLate)
            #expect(await server.report() == "left")
        }
    }

    @Test func `connections that cannot even begin are one failure, however many there are to be`() async throws {
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let observed = try Warmth(session, "unix:/nonexistent/socket", count: 8, .often)
            for longest in pausesMax {
                guard case .failed(.unreachable, let again) = await observed.next() else {
                    Issue.record("it did not fail")
                    return
                }
                #expect(again <= longest)
            }
        }
    }

    @Test func `closing the session closes the connections, and no more are opened`() async throws {
        let server = try answeringServer()
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let observed = try Warmth(session, server.url, count: 3, .often)
            #expect(await observed.next() == .ready(connections: 3))
            session.close()
            #expect(descriptorsConnected(to: server.port) == 0)
            try await manyLooks(worker)
            #expect(server.connections == 3)
        }
    }

    /// Reports when it is asked, and when its peer closes; it never answers.
    private static func silentServer() throws -> ScriptServer {
        try ScriptServer { peer in
            peer.waitForHead()
            peer.report("asked")
            peer.waitForEnd()
            peer.report("closed")
        }
    }

    @Test func `a session can be closed while connections are opened`() async throws {
        let server = try Self.silentServer()
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let observed = try Warmth(session, server.url, count: 3, .often)
            #expect(await server.report() == "asked")
            session.close()
            // The others may have been asked meanwhile.
            var report = await server.report()
            while report == "asked" { report = await server.report() }
            #expect(report == "closed")
            #expect(observed.reports == 0)
        }
    }

    @Test func `who lets go of them cancels what is on the way`() async throws {
        let server = try Self.silentServer()
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            var observed: Warmth? = try Warmth(session, server.url, count: 1, .often)
            #expect(observed?.reports == 0)
            #expect(await server.report() == "asked")
            observed = nil
            #expect(await server.report() == "closed")
            #expect(descriptorsConnected(to: server.port) == 0)
        }
    }

    @Test(arguments: ["", "localhost", "ftp://localhost/", "http://", "unix:run/socket"])
    func `a URL that nobody can connect to is refused at once`(url: String) async throws {
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            #expect(throws: HTTPError.self) { _ = try Warmth(session, url, count: 1, .often) }
        }
    }
}

/// The pauses of `.often`, without the random part.
private let pausesMax = [1, 2, 4, 8, 16, 32, 50, 50].map(Duration.milliseconds)
