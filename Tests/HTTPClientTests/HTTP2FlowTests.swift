import EventLoop
import TestSupport
import Testing

@testable import HTTPClient

/// Bodies and windows (RFC 9113 §5.2), in both directions.
@Suite(.timeLimit(.minutes(5))) struct HTTP2FlowTests {
    /// Takes one request whose body is opened up by so many bytes at a time, and answers with how it was.
    private static func takingServer(of body: [UInt8], window: UInt32, step: UInt32) throws -> ScriptServer {
        try ScriptServer { peer in
            guard peer.beginHTTP2(.settings(Frame.initialWindow, window)) else { return }
            var (received, isSound) = (0, true)
            // The connection's window is opened for good; what is measured is the stream's.
            peer.send(.windowUpdate(0, 0x4000_0000))
            var open = Int(window)
            while let frame = peer.frame() {
                guard frame.is(.data) || frame.is(.headers) else { continue }
                if frame.is(.headers), open > 0 { continue }
                if frame.is(.data) {
                    isSound = isSound && body[received..<received + frame.payload.count].elementsEqual(frame.payload)
                    received += frame.payload.count
                }
                if frame.is(.data) { open -= frame.payload.count }
                if frame.flags & Frame.endOfStream != 0 { break }
                guard open <= 0 else { continue }
                // It may be below zero: what came before the client knew of the window counts too.
                peer.send(.windowUpdate(1, step + UInt32(-open)))
                open = Int(step)
            }
            peer.answer(1, "\(received) \(isSound)")
            peer.waitForEnd()
        }
    }

    @Test(arguments: [(65_535, 65_535), (0, 1 << 20), (1000, 50_000), (1, 16_385), (0x7FFF_FFFF, 1)] as [(UInt32, UInt32)])
    func `a body of 8 MiB goes out as the windows open`(window: UInt32, step: UInt32) async throws {
        let body = (0..<8 << 20).map { UInt8(truncatingIfNeeded: $0 % 251) }
        let server = try Self.takingServer(of: body, window: window, step: step)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            var request = HTTPRequest.http2(server.url, "")
            request.body = HTTPBody(body, cutAt: [1, 16_384, 16_385, 100_000, 8 << 20])
            let transfer = try session.start(request, waking: Wakeup(on: worker.loop))
            #expect(await transfer.outcome() == .ok("\(body.count) true"))
        }
    }

    @Test func `a window that is made smaller than what is under way holds the body until it opens again`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            guard peer.frame(.headers) != nil else { return }
            var received = 0
            while received < 65_535, let frame = peer.frame(.data) { received += frame.payload.count }
            peer.send(.settings(Frame.initialWindow, 0), .windowUpdate(0, 1 << 20), .windowUpdate(1, 65_535 + 10))
            while received < 65_545, let frame = peer.frame(.data) { received += frame.payload.count }
            peer.report("\(received)")
            peer.send(.windowUpdate(1, 1 << 20))
            while let frame = peer.frame(.data) {
                received += frame.payload.count
                if frame.flags & Frame.endOfStream != 0 { break }
            }
            peer.answer(1, "\(received)")
            peer.waitForEnd()
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            let body = String(repeating: "x", count: 100_000)
            #expect(try await session.fetch(.http2(server.url, body)).body == "100000")
            #expect(await server.report() == "65545")
        }
    }

    @Test func `a server that never opens its window holds nobody else up, and hears of the end at once`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var bodies = Set<UInt32>()
            while let frame = peer.frame() {
                if frame.is(.data), frame.payload.count > 100, bodies.insert(frame.stream).inserted { peer.report("body") }
                if frame.is(.headers), frame.flags & Frame.endOfStream != 0 { peer.answer(frame.stream) }
                if frame.is(.resetStream) { peer.report("reset \(frame.stream)") }
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let body = String(repeating: "x", count: 1 << 20)
            let transfer = try session.start(.http2(server.url, body), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "body")
            var get = HTTPRequest.http2(server.url)
            get.method = .get
            for _ in 0..<10 { #expect(try await session.fetch(get).body == "ok") }
            transfer.cancel()
            #expect(await server.report() == "reset 1")
            #expect(server.connections == 1)
        }
    }

    @Test func `what waits for a socket that takes nothing is 64 KiB, however many bodies there are`() async throws {
        let gate = Gate()
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2(.settings(Frame.initialWindow, 0x7FFF_FFFF)) else { return }
            peer.send(.windowUpdate(0, 0x7FFF_0000))
            peer.report("open")
            gate.wait()
            // Each of these makes the client look for what it can send.
            for _ in 0..<2000 { peer.send(.windowUpdate(0, 1)) }
            gate.wait()
            var reader = RequestReader(peer)
            while let (stream, body) = reader.next(opensWindows: false) { peer.answer(stream, "\(body.utf8.count)") }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            // Let the SETTINGS come before the bodies.
            let first = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "open")
            let body = String(repeating: "x", count: 1 << 20)
            let transfers = try session.begin(Array(repeating: body, count: 60), server.url)
            gate.open()
            for _ in 0..<300 {
                guard case .http2(let http2, _) = first.place else { break }
                #expect(http2.connection.unsentBytes <= 80 << 10)
                await worker.loop.sleep(for: .microseconds(100))
            }
            gate.open()
            for transfer in transfers { #expect(await transfer.outcome() == .ok("\(1 << 20)")) }
            #expect(server.connections == 1)
        }
    }

    @Test(arguments: [(1, 3_000_000), (60, 50_000), (90, 30_000)], [false, true])
    func `what a server reads late may wait for longer than an acknowledgement: one large body, or many small ones`(
        bodies: (count: Int, size: Int), talks: Bool
    ) async throws {
        let (written, gate) = (Gate(), Gate())
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2(.settings(Frame.initialWindow, 0x7FFF_FFFF)) else { return }
            peer.send(.windowUpdate(0, 0x7FFF_0000))
            var reader = RequestReader(peer)
            guard let (stream, _) = reader.next() else { return }
            peer.answer(stream)
            written.wait()
            // It says something, and has read nothing.
            if talks { peer.send(.windowUpdate(0, 1)) }
            gate.wait()
            while let (stream, body) = reader.next(opensWindows: false) { peer.answer(stream, "\(body.utf8.count)") }
        }
        try await LoopActor.run { worker in
            var configuration = Session.Configuration.patient
            configuration.acknowledgementTimeout = .milliseconds(300)
            let session = Session(on: worker.loop, configuration)
            #expect(try await session.fetch(.http2(server.url)).body == "ok")
            let body = String(repeating: "x", count: bodies.size)
            let transfers = try session.begin(Array(repeating: body, count: bodies.count), server.url)
            for _ in 0..<3 { await worker.turn() }
            written.open()
            await worker.loop.sleep(for: .milliseconds(1200))
            gate.open()
            for transfer in transfers { #expect(await transfer.outcome() == .ok("\(bodies.size)")) }
            #expect(server.connections == 1)
        }
    }

    @Test func `an answer before the body is sent is whole, its stream is reset, and the connection goes on`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            guard peer.frame(.headers) != nil else { return }
            peer.send(.head(1, status: 413), .data(1, "too large", isLast: true))
            guard let reset = peer.frame(.resetStream) else { return }
            peer.report("\(reset.stream) \(reset.payload.last ?? 0)")
            peer.send(.windowUpdate(0, 65_535))
            var reader = RequestReader(peer)
            reader.answerAll()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let body = String(repeating: "x", count: 1 << 20)
            let transfer = try session.start(.http2(server.url, body), waking: Wakeup(on: worker.loop))
            #expect(await transfer.outcome() == .whole(status: 413, "too large"))
            #expect(await server.report() == "1 8")
            #expect(try await session.fetch(.http2(server.url)).body == "ok")
            #expect(server.connections == 1)
        }
    }

    @Test func `an empty body whose end waits for a window goes out behind an early answer's head`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2(), peer.frame(.headers) != nil else { return }
            var received = 0
            while received < 65_535, let frame = peer.frame(.data) { received += frame.payload.count }
            peer.report("full")
            guard let head = peer.frame(.headers) else { return }
            peer.send(.head(head.stream, status: 200))
            peer.readAll()
            peer.send(.windowUpdate(0, 1 << 20))
            while let frame = peer.frame() {
                guard frame.stream == head.stream else { continue }
                guard frame.is(.data) else { break }
                peer.send(.data(head.stream, "ok", isLast: true))
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let large = try session.start(
                .http2(server.url, String(repeating: "x", count: 1 << 20)), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "full")
            #expect(try await session.fetch(.http2(server.url, "")).body == "ok")
            large.cancel()
        }
    }

    /// Sends as much as the client's windows allow, and reports when they are used up.
    @Test func `words that nobody keeps, since they are compressed, hold up no window`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2(), let stream = peer.requestStream() else { return }
            peer.send(.head(stream, [(":status", "500"), ("content-encoding", "gzip")]))
            for round in 0..<4 {
                for _ in 0..<4 { peer.send(.data(stream, String(repeating: "x", count: 12_000))) }
                while round < 3, let frame = peer.frame(.windowUpdate), frame.stream != stream {}
            }
            peer.send(.data(stream, "", isLast: true))
            peer.waitForEnd()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            var request = HTTPRequest.post(server.url, "{}")
            request.options = ConnectionOptions(version: .http2)
            let (head, body) = try await session.fetch(request)
            #expect(head?.status == 500)
            #expect(body.isEmpty)
        }
    }

    @Test func `a reader that takes nothing holds a window, no sibling stalls, and it goes on when something is taken`()
        async throws
    {
        let size = 1 << 20
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var (windows, left): ([UInt32: Int], [UInt32: Int]) = ([:], [:])
            while let frame = peer.frame() {
                if frame.is(.headers) {
                    (windows[frame.stream], left[frame.stream]) = (65_536, size)
                    peer.send(.head(frame.stream, status: 200))
                }
                if frame.is(.windowUpdate), frame.stream > 0 {
                    windows[frame.stream, default: 0] += frame.payload.reduce(0) { $0 << 8 | Int($1) }
                }
                for (stream, window) in windows where window > 0 && left[stream] ?? 0 > 0 {
                    let count = min(window, left[stream] ?? 0)
                    for start in stride(from: 0, to: count, by: 16_384) {
                        let part = String(repeating: "x", count: min(16_384, count - start))
                        left[stream, default: 0] -= part.utf8.count
                        peer.send(.data(stream, part, isLast: left[stream] == 0))
                    }
                    windows[stream] = window - count
                    if stream == 1, left[1] == size - 65_536 { peer.report("full") }
                }
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let slow = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "full")
            for _ in 0..<3 { #expect(try await session.fetch(.http2(server.url)).body.utf8.count == size) }
            #expect(try await slow.head()?.status == 200)
            #expect(slow.bytesReceived == 65_536)
            #expect(try await slow.rest().count == size)
            #expect(server.connections == 1)
        }
    }
}
