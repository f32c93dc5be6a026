import EventLoop
import HTTPClient
import TestSupport
import Testing

/// A connection that brings nothing while requests wait gets a PING, and new requests go elsewhere until it answers.
@Suite(.timeLimit(.minutes(5))) struct HTTP2HealthTests {
    private static var impatient: Session.Configuration { configuration(silenceMax: .milliseconds(100)) }

    /// For servers that answer a PING in time, also on a busy machine.
    private static var lessImpatient: Session.Configuration { configuration(silenceMax: .seconds(3)) }

    private static func configuration(silenceMax: Duration) -> Session.Configuration {
        var configuration = Session.Configuration.patient
        configuration.silenceMax = silenceMax
        return configuration
    }

    /// Answers a first request and no more, and tells of a PING and of the connection's end.
    private static func silentServer() throws -> ScriptServer {
        try ScriptServer { peer in
            guard peer.beginHTTP2(), let stream = peer.requestStream() else { return }
            peer.answer(stream)
            peer.readAll()
            peer.report("silent")
            guard peer.frame(.ping) != nil else { return }
            peer.report("ping")
            peer.waitForEnd()
            peer.report("closed")
        }
    }

    /// Begins a request at such a server. Its silence begins here: on a busy machine it may have been late with its SETTINGS already.
    private static func begin(at server: ScriptServer, _ session: Session, _ loop: EventLoop) async throws -> Transfer {
        #expect(try await session.fetch(.http2(server.url)).body == "ok")
        #expect(await server.report() == "silent")
        return try session.start(.http2(server.url), waking: Wakeup(on: loop))
    }

    @Test func `new requests go over another connection until a byte comes`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            guard peer.number == 1 else {
                reader.answerAll("second")
                return peer.report("second closed")
            }
            guard let (first, _) = reader.next() else { return }
            // Behind its SETTINGS, with which it may be late on a busy machine.
            peer.answer(first)
            guard let (second, _) = reader.next(), let ping = peer.frame(.ping) else { return }
            peer.report("ping")
            gate.wait()
            peer.acknowledge(ping)
            peer.send(.head(second, status: 200))
            reader.answerAll("first")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, Self.impatient)
            #expect(try await session.fetch(.http2(server.url)).body == "ok")
            let transfer = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "ping")
            #expect(try await session.fetch(.http2(server.url)).body == "second")
            gate.open()
            #expect(try await transfer.head()?.status == 200)
            #expect(try await session.fetch(.http2(server.url)).body == "first")
            #expect(server.connections == 2)
        }
    }

    @Test func `one that nobody waits for stays open, however long it is silent`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            reader.answerAll()
        }
        let silent = try Self.silentServer()
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, Self.impatient)
            #expect(try await session.fetch(.http2(server.url)).body == "ok")
            // Its silence began after the other's.
            for _ in 0..<3 {
                let transfer = try await Self.begin(at: silent, session, worker.loop)
                #expect(await silent.report() == "ping")
                transfer.cancel()
                #expect(await silent.report() == "closed")
            }
            #expect(try await session.fetch(.http2(server.url)).body == "ok")
            #expect(server.connections == 1)
        }
    }

    /// Tells of each request, and answers each PING unless it is to be mute; the second connection answers all.
    private static func thinkingServer(isMute: Bool) throws -> ScriptServer {
        try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            while let frame = peer.frame() {
                if frame.is(.headers) { peer.report("asked on \(peer.number)") }
                if frame.endsStream, frame.stream > 1 || peer.number > 1 {
                    peer.answer(frame.stream, "\(peer.number)")
                }
                guard frame.isPingToAnswer else { continue }
                if !isMute { peer.acknowledge(frame) }
                peer.report("ping")
            }
            peer.report("closed")
        }
    }

    @Test func `one whose only caller leaves before it has said anything is asked, and serves the next`() async throws {
        let server = try Self.thinkingServer(isMute: false)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, Self.lessImpatient)
            let transfer = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "asked on 1")
            transfer.cancel()
            #expect(await server.report() == "ping")
            #expect(try await session.fetch(.http2(server.url)).body == "1")
            #expect(server.connections == 1)
        }
    }

    @Test func `one whose only caller has left, and which does not answer either, is closed`() async throws {
        let server = try Self.thinkingServer(isMute: true)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, Self.impatient)
            let transfer = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "asked on 1")
            transfer.cancel()
            #expect(await server.report() == "ping")
            // One that was late with its SETTINGS is asked twice.
            var report = await server.report()
            if report == "ping" { report = await server.report() }
            #expect(report == "closed")
            #expect(descriptorsConnected(to: server.port) == 0)
        }
    }

    @Test func `one that answers PINGs and takes no body serves nobody else once a caller has given it up`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2(peer.number == 1 ? .settings(Frame.initialWindow, 0) : .settings()) else { return }
            var isHeldBack = false
            while let frame = peer.frame() {
                if frame.is(.headers) { isHeldBack = frame.stream > 1 }
                if frame.endsStream { peer.answer(frame.stream, "\(peer.number)") }
                guard frame.isPingToAnswer else { continue }
                peer.acknowledge(frame)
                if isHeldBack { peer.report("ping") }
            }
            peer.report("closed")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, Self.impatient)
            // Goes out before the server's settings are there.
            #expect(try await session.fetch(.http2(server.url)).body == "1")
            let transfer = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "ping")
            transfer.cancel()
            #expect(await server.report() == "closed")
            #expect(try await session.fetch(.http2(server.url)).body == "2")
            #expect(server.connections == 2)
        }
    }

    /// What happened on a connection before it froze.
    enum Past: CaseIterable {
        case nothing, answer, longAgo, ping, pingTwice, running

        var answersPings: Bool { [.ping, .pingTwice, .running].contains(self) }
    }

    @Test(arguments: Past.allCases) func `one that freezes is asked whatever went before, and the next request goes elsewhere`(
        past: Past
    ) async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            guard peer.number == 1 else {
                reader.answerAll("elsewhere")
                return
            }
            func answerPing() {
                if let ping = peer.frame(.ping) { peer.acknowledge(ping) }
            }
            switch past {
            case .nothing: break
            case .answer, .longAgo: if let (stream, _) = reader.next() { peer.answer(stream) }
            case .ping, .pingTwice:
                guard let (stream, _) = reader.next() else { return }
                answerPing()
                peer.answer(stream)
                guard past == .pingTwice, let (second, _) = reader.next() else { break }
                answerPing()
                peer.answer(second)
            case .running:
                guard let (stream, _) = reader.next() else { return }
                answerPing()
                peer.send(.head(stream, status: 200))
            }
            // Its SETTINGS may be so late that they come behind a PING.
            var (isAsked, isHeard) = (false, past != .nothing)
            while let frame = peer.frame(), !(frame.is(.ping) && isAsked && isHeard) {
                if frame.is(.headers) { isAsked = true }
                if frame.is(.settings) { isHeard = true }
            }
            peer.report("frozen")
            gate.wait()
        }
        try await LoopActor.run { worker in
            var configuration = past.answersPings ? Self.lessImpatient : Self.impatient
            // No other time limit has a part in it.
            configuration.acknowledgementTimeout = .seconds(3_600)
            let session = Session(on: worker.loop, configuration)
            let requests = past == .nothing ? 0 : past == .pingTwice ? 2 : 1
            var running: [Transfer] = []
            for _ in 0..<requests {
                let transfer = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
                #expect(try await transfer.head()?.status == 200)
                if past == .running { running.append(transfer) } else { _ = try await transfer.rest() }
            }
            if past == .longAgo { await worker.loop.sleep(for: .milliseconds(300)) }
            let frozen = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "frozen")
            #expect(try await session.fetch(.http2(server.url)).body == "elsewhere")
            #expect(!frozen.isOver && running.allSatisfy { !$0.isOver })
            session.close()
        }
        gate.open()
    }

    @Test func `one that freezes behind late SETTINGS is suspected again`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            guard peer.number == 1 else {
                guard peer.beginHTTP2() else { return }
                var reader = RequestReader(peer)
                return reader.answerAll("elsewhere")
            }
            guard peer.bytes(24) != nil, peer.frame(.ping) != nil else { return }
            peer.send(.settings())
            guard peer.frame(.ping) != nil else { return }
            peer.report("frozen")
            gate.wait()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, Self.impatient)
            let frozen = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "frozen")
            #expect(try await session.fetch(.http2(server.url)).body == "elsewhere")
            #expect(!frozen.isOver)
        }
        gate.open()
    }

    @Test func `one that is suspected is closed when its last caller has left`() async throws {
        let server = try Self.silentServer()
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, Self.impatient)
            let transfer = try await Self.begin(at: server, session, worker.loop)
            #expect(await server.report() == "ping")
            transfer.cancel()
            #expect(await server.report() == "closed")
            #expect(descriptorsConnected(to: server.port) == 0)
        }
    }

    @Test func `a server that thinks for long, but answers PING, keeps its callers and gets new ones`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var (requests, pings): ([UInt32], Int) = ([], 0)
            while let frame = peer.frame() {
                if frame.isPingToAnswer {
                    peer.acknowledge(frame)
                    pings += 1
                    peer.report("ping \(pings)")
                }
                if frame.endsStream { requests.append(frame.stream) }
                guard requests.count == 3 else { continue }
                for stream in requests { peer.answer(stream) }
                requests = []
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, Self.lessImpatient)
            var transfers: [Transfer] = []
            for number in 1...2 {
                transfers.append(try session.start(.http2(server.url), waking: Wakeup(on: worker.loop)))
                #expect(await server.report() == "ping \(number)")
            }
            transfers.append(try session.start(.http2(server.url), waking: Wakeup(on: worker.loop)))
            for transfer in transfers { #expect(await transfer.outcome() == .ok()) }
            #expect(server.connections == 1)
        }
    }

    @Test func `of 101 callers of a frozen connection, those after the first moment are served over another`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            if peer.number == 1 {
                guard let (stream, _) = reader.next() else { return }
                peer.answer(stream, "before")
                // On a busy machine the first request may have been asked after by a PING already.
                peer.readAll()
                peer.report("silent")
                guard peer.frame(.ping) != nil else { return }
                peer.report("frozen")
                return peer.waitForEnd()
            }
            reader.answerAll("after")
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, Self.impatient)
            #expect(try await session.fetch(.http2(server.url)).body == "before")
            #expect(await server.report() == "silent")
            let early = try session.begin(Array(repeating: "early", count: 10), server.url)
            #expect(await server.report() == "frozen")
            let late = try session.begin(Array(repeating: "late", count: 91), server.url)
            for transfer in late { #expect(await transfer.outcome() == .ok("after")) }
            #expect(early.allSatisfy { !$0.isOver })
            #expect(server.connections == 2)
        }
    }
}
