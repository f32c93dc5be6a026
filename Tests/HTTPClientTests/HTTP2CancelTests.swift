import EventLoop
import HTTPClient
import TestSupport
import Testing

/// A caller who leaves: the server knows at once, and nothing is left of it.
@Suite(.timeLimit(.minutes(5))) struct HTTP2CancelTests {
    enum Moment: CaseIterable { case beforeHead, inBody, whileSending, whilePaused, whileWaitingForSettings }

    /// Brings each transfer to its moment, reports that, and then reports the reset, or the end of the connection.
    private static func server(_ moment: Moment) throws -> ScriptServer {
        try ScriptServer { peer in
            if moment == .whileWaitingForSettings {
                _ = peer.bytes(24)
                peer.report("there")
                peer.waitForEnd()
                return peer.report("closed")
            }
            guard peer.beginHTTP2(), peer.frame(.headers) != nil else { return }
            switch moment {
            case .beforeHead, .whileWaitingForSettings: break
            case .inBody: peer.send(.head(1, status: 200), .data(1, "part"))
            case .whileSending: _ = peer.frame(.data)
            case .whilePaused:
                peer.send(.head(1, status: 200))
                for _ in 0..<4 { peer.send(.data(1, String(repeating: "x", count: 16_384))) }
            }
            peer.readAll()
            peer.report("there")
            while let frame = peer.frame() {
                if frame.is(.resetStream) { peer.report("reset \(frame.payload.last ?? 0)") }
            }
            peer.report("closed")
        }
    }

    @Test(arguments: Moment.allCases.dropLast())
    func `a reset arrives at once`(moment: Moment) async throws {
        let server = try Self.server(moment)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let body = String(repeating: "x", count: 1 << 20)
            let transfer = try session.start(.http2(server.url, body), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "there")
            transfer.cancel()
            #expect(await server.report() == "reset 8")
            #expect(descriptorsConnected(to: server.port) == 1)
            session.close()
            #expect(await server.report() == "closed")
            #expect(descriptorsConnected(to: server.port) == 0)
        }
    }

    @Test(arguments: Moment.allCases)
    func `closing the session leaves nothing`(moment: Moment) async throws {
        let server = try Self.server(moment)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let body = String(repeating: "x", count: 1 << 20)
            let transfers = try session.begin(Array(repeating: body, count: 20), server.url)
            #expect(await server.report() == "there")
            session.close()
            for transfer in transfers { #expect(await transfer.outcome() == .failed(.cancelled)) }
            while let report = await server.report(), report != "closed" { continue }
            #expect(descriptorsConnected(to: server.port) == 0)
        }
    }

    @Test(arguments: Moment.allCases)
    func `a total deadline resets the stream and leaves nothing`(moment: Moment) async throws {
        let server = try Self.server(moment)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let body = String(repeating: "x", count: 1 << 20)
            let transfer = try session.start(
                .http2(server.url, body, total: .milliseconds(300)), waking: Wakeup(on: worker.loop))
            #expect(await transfer.outcome() == .failed(.timedOut(.total, after: .milliseconds(300))))
            session.close()
            while let report = await server.report(), report != "closed" { continue }
            #expect(descriptorsConnected(to: server.port) == 0)
        }
    }

    @Test func `who leaves before SETTINGS has not asked for anything`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            guard peer.bytes(24) != nil else { return }
            var reader = RequestReader(peer)
            let first = (0..<8).compactMap { _ in reader.next(opensWindows: false) }
            peer.report("eight")
            gate.wait()
            peer.send(.settings(), Frame(.settings, flags: Frame.acknowledgement))
            for (stream, body) in first { peer.answer(stream, body) }
            while let (stream, body) = reader.next() { peer.answer(stream, body) }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let bodies = (0..<20).map { "request \($0)" }
            let transfers = try session.begin(bodies, server.url)
            #expect(await server.report() == "eight")
            for transfer in transfers[8..<15] { transfer.cancel() }
            gate.open()
            for (transfer, body) in zip(transfers, bodies) where !transfer.isOver {
                #expect(await transfer.outcome() == .ok(body))
            }
            #expect(server.connections == 1)
        }
    }

    @Test func `a connection whose only caller has left may be dead, and the next request goes out once more`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            guard let (stream, _) = reader.next() else { return }
            if peer.number > 1 { peer.answer(stream, "another") } else { peer.report("there") }
            // To be heard would show that it is there.
            _ = reader.next(opensWindows: false)
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let leaving = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "there")
            leaving.cancel()
            let transfer = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            #expect(await transfer.outcome() == .ok("another"))
        }
    }
}
