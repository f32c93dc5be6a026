import Clock
import EventLoop
import Synchronization
import TestSupport
import Testing

@testable import HTTPClient

/// A server that goes (RFC 9113 §6.8): what it has not looked at goes out again elsewhere, what runs finishes.
@Suite(.timeLimit(.minutes(5))) struct HTTP2GoAwayTests {
    /// The first connection serves three requests by the script, the others all that come.
    private static func server(_ script: @escaping @Sendable (Peer, [UInt32]) -> Void) throws -> ScriptServer {
        try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            guard peer.number == 1 else {
                while let (stream, body) = reader.next() { peer.answer(stream, "\(body) elsewhere") }
                return
            }
            let streams = (0..<3).compactMap { _ in reader.next()?.stream }
            peer.readAll()
            script(peer, streams)
        }
    }

    private static func outcomes(_ server: ScriptServer) async throws -> [TransferOutcome] {
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            var outcomes: [TransferOutcome] = []
            for transfer in try session.begin(["a", "b", "c"], server.url) { outcomes.append(await transfer.outcome()) }
            return outcomes
        }
    }

    @Test(arguments: [[1], [0x7FFF_FFFF, 1], [0x7FFF_FFFF, 5, 3, 1], [1, 1, 1]] as [[UInt32]])
    func `running streams finish, the others go elsewhere, and then the connection is closed`(last: [UInt32]) async throws {
        let server = try Self.server { peer, streams in
            for last in last { peer.send(.goAway(last: last)) }
            peer.send(.head(streams[0], status: 200), .data(streams[0], "here", isLast: true))
            peer.waitForEnd()
            peer.report("closed")
        }
        #expect(try await Self.outcomes(server) == [.ok("here"), .ok("b elsewhere"), .ok("c elsewhere")])
        #expect(await server.report() == "closed")
        #expect(server.connections == 2)
    }

    @Test(arguments: [0, 2, 11] as [UInt32])
    func `a server that goes and closes at once has looked at nothing`(code: UInt32) async throws {
        let server = try Self.server { peer, _ in peer.send(.goAway(last: 0, code: code)) }
        #expect(try await Self.outcomes(server) == [.ok("a elsewhere"), .ok("b elsewhere"), .ok("c elsewhere")])
        #expect(server.connections == 2)
    }

    @Test(arguments: [3, 4]) func `one request is taken along by three connections that go, and no more`(
        going: Int
    ) async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            guard let (stream, body) = reader.next() else { return }
            if peer.number > going { peer.answer(stream, body) } else { peer.send(.goAway(last: 0)) }
            peer.waitForEnd()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let outcome = try await session.withTransfer(.http2(server.url, "a")) { await $0.outcome() }
            #expect(outcome == (going == 3 ? .ok("a") : .failed(.cutOff(afterBytes: 0))))
            #expect(server.connections == 4)
        }
    }

    @Test func `what the server may have looked at is cut off when it closes`() async throws {
        let server = try Self.server { peer, streams in
            peer.send(.head(streams[0], status: 200), .data(streams[0], "part"), .goAway(last: 3, code: 2))
        }
        let outcomes = try await Self.outcomes(server)
        #expect(outcomes == [.failed(.cutOff(afterBytes: 4)), .failed(.cutOff(afterBytes: 0)), .ok("c elsewhere")])
    }

    @Test func `after it no stream is opened, though others run`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            guard let (stream, _) = reader.next() else { return }
            guard peer.number == 1 else {
                peer.answer(stream, "elsewhere")
                return peer.waitForEnd()
            }
            peer.send(.goAway(last: stream), .head(stream, status: 200))
            peer.report("going")
            // Were the next request to come here, it would stand where the reset is.
            peer.report(peer.frame(.resetStream) == nil ? "closed" : "reset")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let transfer = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "going")
            #expect(try await transfer.head()?.status == 200)
            #expect(try await session.fetch(.http2(server.url)).body == "elsewhere")
            transfer.cancel()
            #expect(await server.report() == "reset")
            #expect(server.connections == 2)
        }
    }

    @Test func `a last stream that rises again is an error`() async throws {
        let server = try Self.server { peer, _ in
            peer.send(.goAway(last: 1), .goAway(last: 5))
            peer.waitForEnd()
        }
        let outcomes = try await Self.outcomes(server)
        #expect(outcomes[0].isFailure)
        #expect(Array(outcomes[1...]) == [.ok("b elsewhere"), .ok("c elsewhere")])
    }

    @Test func `who waits is not held up by a second attempt that needs a fresher connection`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2(.settings(Frame.streamsMax, 1)) else { return }
            var reader = RequestReader(peer)
            while let (stream, body) = reader.next(opensWindows: false) {
                if peer.number == 1, body == "a" {
                    peer.report("running")
                    return gate.wait()
                }
                peer.answer(stream, "\(peer.number)")
            }
        }
        // Each connection looks the name up, since the last answer is an hour old; all but the first wait for the answer.
        let time = Mutex(Instant(nanoseconds: 0))
        let lookUps = Mutex(0)
        let nameServer = Gate()
        let resolver = Resolver(
            threadsMax: 16, idleTime: .milliseconds(20), namesMax: 10,
            now: {
                time.withLock {
                    $0 = $0 + .seconds(3_600)
                    return $0
                }
            },
            answer: { _ in
                let isFirst = lookUps.withLock { count in
                    count += 1
                    return count == 1
                }
                if !isFirst { nameServer.wait() }
                return .addresses(addresses("127.0.0.1"))
            })
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient, resolver)
            let url = "http://name:\(server.port)/"
            #expect(try await session.fetch(.http2(url)).body == "1")
            let running = try session.begin(["a"], url)
            #expect(await server.report() == "running")
            let waiting = try session.begin(["b"], url)
            gate.open()
            while !running[0].isSecondAttempt { await worker.loop.sleep(for: .microseconds(100)) }
            let late = try session.begin(["c"], url)
            waiting[0].cancel()
            nameServer.open()
            #expect(await late[0].outcome() == .ok("2"))
            nameServer.open()
            #expect(await running[0].outcome() == .ok("3"))
        }
    }

    /// To serve a request twice may cost its caller twice.
    @Test(arguments: [
        Frame(.ping, flags: Frame.acknowledgement, Array("unasked!".utf8)), .windowUpdate(0, 1), .windowUpdate(0, 0),
        Frame(.data, stream: 3, Array("no head".utf8)),
        // A head of which more was to come.
        Frame(.headers, stream: 3, Frame.block([(":status", "200")])),
    ])
    func `a server that was heard behind a request is not sent it once more`(sign: Frame) async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2(), let first = peer.requestStream() else { return }
            // Ahead of the answer, behind which the next request comes.
            peer.readAll()
            peer.answer(first)
            guard peer.requestStream() != nil else { return }
            peer.send(sign)
            // Nothing may stand between a head and its rest.
            if !sign.is(.headers) { peer.readAll() }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            #expect(try await session.fetch(.http2(server.url)).body == "ok")
            let outcome = try await session.withTransfer(.http2(server.url, "a")) { await $0.outcome() }
            #expect(outcome.isFailure)
            #expect(server.connections == 1)
        }
    }

    @Test func `when all kept connections turn out dead, the second attempt is made on a fresh one`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2(), let first = peer.requestStream() else { return }
            peer.report("asked on \(peer.number)")
            if peer.number <= 2 { gate.wait() }
            peer.answer(first)
            guard peer.number > 2 else {
                _ = peer.requestStream()
                return
            }
            peer.waitForEnd()
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            var request = HTTPRequest.post(server.url, "{}")
            request.options = ConnectionOptions(version: .http2, streamsMax: 1)
            let first = (0..<2).map { [request] _ in
                worker.start {
                    return try await session.fetch(request).body
                }
            }
            for _ in first { _ = await server.report() }
            for _ in first { gate.open() }
            for task in first { #expect(try await task.value == "ok") }
            #expect(try await session.fetch(request).body == "ok")
            #expect(await server.report() == "asked on 3")
        }
    }
}
