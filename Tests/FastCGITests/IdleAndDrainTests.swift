import EventLoop
@testable import FastCGI
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct IdleAndDrainTests {
    static let short = Connection.Timeouts(request: .milliseconds(30))
    static let sent = SentRequest(body: pattern(50), padding: 4, recordBytesMax: 30)

    /// Beginnings of a request that are not one yet.
    static let beginnings: [[UInt8]] = [1, 7, 8, 9, 20, 21, 40, 100, sent.bytes.count - 5].map { [UInt8](sent.bytes.prefix($0)) }

    @Test(arguments: beginnings)
    func `a request that begins and falls silent times out`(bytes: [UInt8]) async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker, timeouts: Self.short)
            try await exchange.peer.send(bytes)
            #expect(try await exchange.peer.waitForEnd())
            #expect(await exchange.end() == .requestTimedOut)
            #expect(exchange.outcomes.isEmpty)
        }
    }

    @Test func `a request that trickles in times out all the same`() async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker, timeouts: Self.short)
            try await exchange.peer.send(record(.beginRequest, id: 1, begin()))
            while exchange.connection.refusal == nil {
                _ = try? await exchange.peer.send(record(.parameters, id: 2))
                await worker.loop.sleep(for: .milliseconds(1))
            }
            #expect(await exchange.end() == .requestTimedOut)
        }
    }

    @Test(arguments: [
        [UInt8](), record(.getValues, id: 0, padding: 3), record(rawType: 77, id: 0, [1, 2, 3], padding: 3), sent.bytes,
    ])
    func `an idle connection does not time out, whatever it has sent in how many pieces`(bytes: [UInt8]) async throws {
        try await LoopActor.run { worker in
            let idle = try Exchange(on: worker, timeouts: Self.short)
            for half in [bytes.prefix(3), bytes.dropFirst(3)] {
                try await idle.peer.send([UInt8](half))
                await worker.loop.turn()
            }
            while !idle.connection.isIdle { await worker.loop.turn() }
            // Two that begin later and do time out, one after the other, show that the time has passed.
            for _ in 0..<2 {
                let other = try Exchange(on: worker, timeouts: Self.short)
                try await other.peer.send([1])
                #expect(await other.end() == .requestTimedOut)
            }
            try await idle.peer.send(SentRequest(id: 8, body: pattern(9, seed: 3)).bytes)
            while try await idle.peer.readAnswer().body != pattern(9, seed: 3) {}
            #expect(idle.connection.refusal == nil)
        }
    }

    @Test func `the next request's half header, sent during an answer, times out after it`() async throws {
        try await LoopActor.run { worker in
            let proceed = Wakeup(on: worker.loop)
            let exchange = try Exchange(on: worker, timeouts: Self.short) { request, response throws(FastCGIError) in
                response?.start(status: 200, headers: [])
                try await response?.send([])
                await proceed.wait()
                try await response.take()?.finish()
            }
            try await exchange.peer.send(SentRequest().bytes)
            _ = try await exchange.peer.readRecord()
            try await exchange.peer.send([1, 1, 0])
            await worker.loop.turn()
            proceed.wake()
            #expect(await exchange.end() == .requestTimedOut)
            #expect(exchange.outcomes == [nil])
        }
    }

    @Test(arguments: [0, 1, 2], [false, true])
    func `drain ends an idle connection, whether fresh or kept, and asks the web server to do it first`(
        requests: Int, isClosedByPeer: Bool
    ) async throws {
        try await LoopActor.run { worker in
            // Where the web server closes, nobody waits.
            let last = isClosedByPeer && requests > 0 ? Duration.seconds(600) : .milliseconds(30)
            let exchange = try Exchange(on: worker, timeouts: Connection.Timeouts(last: last))
            for _ in 0..<requests {
                try await exchange.peer.send(SentRequest().bytes)
                _ = try await exchange.peer.readAnswer()
            }
            exchange.connection.drain()
            if requests > 0 { #expect(try await exchange.peer.isAskedToClose()) }
            if isClosedByPeer { exchange.peer.close() }
            #expect(await exchange.end() == nil)
            if !isClosedByPeer { #expect(try await exchange.peer.waitForEnd()) }
        }
    }

    @Test(arguments: [0, 1, 2])
    func `drain answers a request that is on its way, over a connection that is fresh or kept`(requests: Int) async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker)
            for _ in 0..<requests {
                try await exchange.peer.send(SentRequest().bytes)
                _ = try await exchange.peer.readAnswer()
            }
            exchange.connection.drain()
            for _ in 0..<2 { await worker.loop.turn() }
            try await exchange.peer.send(Self.sent.bytes)
            if requests > 0 { #expect(try await exchange.peer.isAskedToClose()) }
            #expect(try await exchange.peer.readAnswer().body == Self.sent.body)
            #expect(try await exchange.peer.isAskedToClose())
            exchange.peer.close()
            #expect(await exchange.end() == nil)
        }
    }

    @Test func `drain closes a connection behind its answer that the web server does not keep`() async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker)
            exchange.connection.drain()
            try await exchange.peer.send(SentRequest(keepsConnection: false).bytes)
            _ = try await exchange.peer.readAnswer()
            #expect(try await exchange.peer.waitForEnd())
            #expect(await exchange.end() == nil)
        }
    }

    @Test func `drain lets a request in progress finish, and then ends the connection`() async throws {
        try await LoopActor.run { worker in
            let proceed = Wakeup(on: worker.loop)
            let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                response?.start(status: 200, headers: [])
                try await response?.send([])
                await proceed.wait()
                try await response?.send(request.body[...])
                try await response.take()?.finish()
            }
            try await exchange.peer.send(SentRequest(body: pattern(77)).bytes)
            _ = try await exchange.peer.readRecord()
            exchange.connection.drain()
            await worker.loop.turn()
            proceed.wake()
            let answer = try await exchange.peer.readAnswer()
            #expect(answer.content == pattern(77) && answer.status == 0)
            #expect(try await exchange.peer.isAskedToClose())
            #expect(try await exchange.peer.waitForEnd())
            #expect(await exchange.end() == nil)
            #expect(exchange.callersLeft == 0)
        }
    }

    @Test func `drain lets a request that is half sent come and be answered`() async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(on: worker)
            for (index, piece) in Self.sent.bytes.split(at: 60).enumerated() {
                try await exchange.peer.send(piece)
                await worker.loop.turn()
                if index == 0 { exchange.connection.drain() }
            }
            #expect(try await exchange.peer.readAnswer().body == Self.sent.body)
            #expect(await exchange.end() == nil)
        }
    }
}
