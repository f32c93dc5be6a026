import EventLoop
@testable import HTTPClient
import Synchronization
import TestSupport
import Testing

/// How transfers share connections: as many streams as both sides allow, and what the server refuses goes elsewhere.
@Suite(.timeLimit(.minutes(5))) struct HTTP2SharingTests {
    private static let bodies = (0..<100).map { "request \($0)" }

    @Test func `one connection serves a hundred at once, each with its own answer`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            let requests = (0..<100).compactMap { _ in reader.next() }
            for (stream, body) in requests.reversed() { peer.answer(stream, body) }
            peer.waitForEnd()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let transfers = try session.begin(Self.bodies, server.url)
            for (transfer, body) in zip(transfers, Self.bodies) { #expect(await transfer.outcome() == .ok(body)) }
            #expect(server.connections == 1)
        }
    }

    @Test func `with all streams in use, another connection is made`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            let requests = (0..<2).compactMap { _ in reader.next() }
            for (stream, _) in requests { peer.answer(stream, "\(peer.number)") }
            peer.waitForEnd()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let options = ConnectionOptions(version: .http2, streamsMax: 2)
            let transfers = try session.begin(Array(Self.bodies.prefix(6)), server.url, options: options)
            var answers: [String?] = []
            for transfer in transfers { answers.append(await transfer.outcome().body) }
            #expect(answers.compactMap(\.self).sorted() == ["1", "1", "2", "2", "3", "3"])
        }
    }

    /// Allows so many streams, and answers when it knows that no more are on their way. Refuses what is too much.
    private static func limitedServer(_ limit: Int) throws -> ScriptServer {
        try ScriptServer { peer in
            guard peer.beginHTTP2(.settings(Frame.streamsMax, UInt32(limit))) else { return }
            var (open, seen, isKnown): ([UInt32], UInt8, Bool) = ([], 0, false)
            while let frame = peer.frame() {
                if frame.is(.settings), frame.flags & Frame.acknowledgement != 0 { isKnown = true }
                if frame.is(.ping), frame.payload[0] == seen {
                    for stream in open { peer.answer(stream) }
                    open = []
                }
                guard frame.is(.data), frame.flags & Frame.endOfStream != 0 else { continue }
                if open.count < limit {
                    open.append(frame.stream)
                } else {
                    if isKnown, limit > 0 { peer.report("too many") }
                    peer.send(.reset(frame.stream, code: Frame.refusedStream))
                }
                seen &+= 1
                peer.send(Frame(.ping, [seen] + [UInt8](repeating: 0, count: 7)))
            }
            peer.report("closed")
        }
    }

    @Test(arguments: [1, 2, 4, 7, 8, 9, 30, 99])
    func `what the server's SETTINGS allow is kept to, and everybody is served`(limit: Int) async throws {
        let server = try Self.limitedServer(limit)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            for transfer in try session.begin(Self.bodies, server.url) { #expect(await transfer.outcome() == .ok()) }
            session.close()
            #expect(await server.report() == "closed")
        }
    }

    @Test func `a server that allows no streams gets few connections for a hundred callers, and none stays open`() async throws {
        let server = try Self.limitedServer(0)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            for transfer in try session.begin(Self.bodies, server.url) { #expect(await transfer.outcome().isFailure) }
            // Two, and on a slow machine one for each of the streams that came before its SETTINGS and are refused one by one.
            #expect(server.connections <= 2 + HTTP2.streamsBeforeSettings)
            for _ in 0..<server.connections { #expect(await server.report() == "closed") }
            #expect(descriptorsConnected(to: server.port) == 0)
        }
    }

    @Test func `a server that refuses every stream is asked twice for each caller, each time on another connection`()
        async throws
    {
        let asked = Mutex(0)
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            while let (stream, _) = reader.next() {
                asked.withLock { $0 += 1 }
                peer.send(.reset(stream, code: Frame.refusedStream))
            }
            peer.report("closed")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            for transfer in try session.begin(Self.bodies, server.url) {
                #expect(await transfer.outcome() == .failed(.cutOff(afterBytes: 0)))
            }
            #expect(asked.withLock { $0 } == 200)
            #expect(server.connections < 100)
            for _ in 0..<server.connections { #expect(await server.report() == "closed") }
        }
    }

    @Test(arguments: [2, 60_000, 300_000])
    func `a refused request goes out again elsewhere, its body whole`(size: Int) async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            guard let (stream, body) = reader.next() else { return }
            guard peer.number == 2 else {
                peer.send(.reset(stream, code: Frame.refusedStream))
                return peer.waitForEnd()
            }
            peer.answer(stream, "\(body.utf8.count) \(body.utf8.allSatisfy { $0 == UInt8(ascii: "x") })")
            peer.waitForEnd()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let body = String(repeating: "x", count: size)
            let transfer = try session.start(.http2(server.url, body), waking: Wakeup(on: worker.loop))
            #expect(await transfer.outcome() == .ok("\(size) true"))
        }
    }

    /// Takes one stream a connection.
    private static func singleServer() throws -> ScriptServer {
        try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            while let (stream, body) = reader.next() { peer.answer(stream, body) }
            peer.report("closed")
        }
    }

    private static let oneStream = ConnectionOptions(version: .http2, streamsMax: 1)

    @Test func `what a burst has needed is closed some time later, but for one connection`() async throws {
        let server = try Self.singleServer()
        try await LoopActor.run { worker in
            var configuration = Session.Configuration.patient
            configuration.spareTime = .milliseconds(100)
            let session = Session(on: worker.loop, configuration)
            for _ in 0..<2 {
                let transfers = try session.begin(Self.bodies, server.url, options: Self.oneStream)
                for (transfer, body) in zip(transfers, Self.bodies) { #expect(await transfer.outcome() == .ok(body)) }
                while descriptorsConnected(to: server.port) > 1 { #expect(await server.report() == "closed") }
                session.expectNothingLeft(idle: 1)
            }
            #expect(try await session.fetch(.http2(server.url, options: Self.oneStream)).body == "{}")
            #expect(descriptorsConnected(to: server.port) == 1)
        }
    }

    @Test func `connections without streams are bounded as idle ones of HTTP 1 are`() async throws {
        let server = try Self.singleServer()
        try await LoopActor.run { worker in
            var configuration = Session.Configuration.patient
            configuration.idleConnectionsMax = 10
            let session = Session(on: worker.loop, configuration)
            for _ in 0..<3 {
                let transfers = try session.begin(Self.bodies, server.url, options: Self.oneStream)
                for (transfer, body) in zip(transfers, Self.bodies) { #expect(await transfer.outcome() == .ok(body)) }
                session.expectNothingLeft(idle: 10)
            }
        }
    }

    @Test func `a limit that is lowered holds for those who come later, and one that is raised lets them in`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            guard peer.number == 1 else {
                reader.answerAll("second")
                return
            }
            let first: [UInt32] = (0..<3).compactMap { _ in reader.next()?.stream }
            peer.send(.settings(Frame.streamsMax, 2))
            for stream in first { peer.send(.head(stream, status: 200)) }
            guard peer.frame(.resetStream) != nil else { return }
            peer.report("reset")
            guard peer.frame(.resetStream) != nil else { return }
            peer.send(.settings(Frame.streamsMax, 100), .data(first[2], "first", isLast: true))
            reader.answerAll("first")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let transfers = try session.begin(["a", "b", "c"], server.url)
            for transfer in transfers { #expect(try await transfer.head()?.status == 200) }
            #expect(try await session.fetch(.http2(server.url)).body == "second")
            transfers[0].cancel()
            #expect(await server.report() == "reset")
            #expect(try await session.fetch(.http2(server.url)).body == "second")
            transfers[1].cancel()
            #expect(try await transfers[2].rest() == Array("first".utf8))
            #expect(try await session.fetch(.http2(server.url)).body == "first")
            #expect(server.connections == 2)
        }
    }
}
