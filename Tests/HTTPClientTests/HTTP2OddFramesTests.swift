import EventLoop
import HTTPClient
import TestSupport
import Testing

/// A server that sends anything: it harms its own streams, and at worst its connection.
@Suite(.timeLimit(.minutes(5))) struct HTTP2OddFramesTests {
    @Test(arguments: OddFrames.all)
    func `an answer is whole or fails, and the next request is served`(row: OddFrames) async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            guard let (stream, _) = reader.next() else { return }
            if peer.number > 1 {
                peer.answer(stream, "next")
                return peer.waitForEnd()
            }
            peer.readAll()
            peer.send(row.bytes)
            while !row.closes, let (stream, _) = reader.next() { peer.answer(stream, "next") }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let request = HTTPRequest(
                row.method, server.url, body: Array("{}".utf8), connectTimeout: .seconds(10), totalTimeout: .seconds(20),
                options: .priorKnowledge)
            let outcome = try await session.withTransfer(request) { await $0.outcome() }
            switch row.expected {
            case .whole(let body): #expect(outcome.body == body)
            case .failsAs(let error): #expect(outcome == .failed(error))
            case .fails: #expect(outcome.isFailure && !outcome.isLate)
            }
            let next = try await session.withTransfer(.http2(server.url)) { await $0.outcome() }
            if next.isFailure, row.mayEndNext {
                #expect(try await session.fetch(.http2(server.url)).body == "next")
            } else {
                #expect(next.body == "next")
            }
        }
    }

    @Test(arguments: [
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nok", "\0", "\0\0\0\0\0\0\0\0\0", "220 mail ready\r\n",
        "\u{15}\u{3}\u{3}\0\u{2}\u{2}\u{28}", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ])
    func `a server that speaks something else is found out`(greeting: String) async throws {
        let server = try ScriptServer { peer in
            peer.send(greeting)
            _ = peer.bytes(24)
            peer.waitUntilRead()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let error = await session.failure(of: .http2(server.url, total: .seconds(20))).error
            #expect(error != nil && error != .timedOut(.total, after: .seconds(20)))
            #expect(descriptorsConnected(to: server.port) == 0)
        }
    }

    @Test func `a body beyond the window ends its stream, and little more than the window is held`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            while let (stream, _) = reader.next() {
                guard stream == 1, peer.number == 1 else { peer.answer(stream, "next"); continue }
                peer.send(.head(stream, status: 200))
                for _ in 0..<5 { peer.send(.data(stream, String(repeating: "x", count: 16_384))) }
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            let wakeup = Wakeup(on: worker.loop)
            let transfer = try session.start(.http2(server.url), waking: wakeup)
            while !transfer.isOver { await wakeup.wait() }
            // What comes with one read is looked at together.
            #expect(transfer.takeBytes().count <= 128 << 10)
            #expect(throws: HTTPError.self) { try transfer.arrived() }
            #expect(try await session.fetch(.http2(server.url)).body == "next")
        }
    }

    @Test func `a server that resets every request at once is nobody's end`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            var reader = RequestReader(peer)
            while let (stream, body) = reader.next() {
                if body == "last" { peer.answer(stream) } else { peer.send(.reset(stream, code: Frame.cancel)) }
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            for _ in 0..<20 {
                for transfer in try session.begin(Array(repeating: "x", count: 100), server.url) {
                    #expect(await transfer.outcome() == .failed(.cutOff(afterBytes: 0)))
                }
            }
            #expect(try await session.fetch(.http2(server.url, "last")).body == "ok")
            #expect(server.connections == 1)
        }
    }

    @Test func `SETTINGS and PING are answered`() async throws {
        let server = try ScriptServer { peer in
            guard peer.beginHTTP2() else { return }
            peer.send(Frame(.ping, Array("12345678".utf8)))
            var answers: [String] = []
            while answers.count < 2, let frame = peer.frame() {
                guard frame.flags & Frame.acknowledgement != 0 else { continue }
                if frame.is(.settings) { answers.append("settings") }
                if frame.is(.ping) { answers.append(String(decoding: frame.payload, as: UTF8.self)) }
            }
            for answer in answers { peer.report(answer) }
            peer.waitForEnd()
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            _ = try session.start(.http2(server.url), waking: Wakeup(on: worker.loop))
            #expect(await server.report() == "settings")
            #expect(await server.report() == "12345678")
            session.close()
        }
    }
}

extension TransferOutcome {
    fileprivate var isLate: Bool { if case .failed(.timedOut) = self { true } else { false } }
}
