import Clock
import EventLoop
@testable import FastCGI
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct SlowPeerTests {
    /// Sends 20 MiB in pieces of `pieceBytes`.
    static func sendMuch(pieceBytes: Int) -> Exchange.Handler {
        { request, response throws(FastCGIError) in
            response?.start(status: 200, headers: [])
            let content = pattern(pieceBytes)
            for _ in 0..<(20 << 20) / pieceBytes { try await response?.send(content[...]) }
            try await response.take()?.finish()
        }
    }

    /// With a small send buffer too: were the next write to block, this test would not end.
    @Test(arguments: [nil, 32 << 10, 128 << 10], [100, 8176, 100_000])
    func `a peer that never reads blocks nobody, and its write times out`(sendBufferBytes: Int32?, pieceBytes: Int) async throws {
        try await LoopActor.run { worker in
            let stuck = try Exchange(
                on: worker, sendBufferBytes: sendBufferBytes, timeouts: .init(write: .milliseconds(50)),
                handler: Self.sendMuch(pieceBytes: pieceBytes))
            let other = try Exchange(on: worker)
            try await stuck.peer.send(SentRequest().bytes)
            while stuck.outcomes.isEmpty {
                try await other.peer.send(SentRequest(body: pattern(10)).bytes)
                #expect(try await other.peer.readAnswer().body == pattern(10))
                await worker.loop.turn()
            }
            #expect(stuck.outcomes == [.writeTimedOut])
            #expect(await stuck.end() == nil)
            #expect(stuck.callersLeft == 1)
        }
    }

    @Test(arguments: [32 << 10, nil], [100_000, 8000])
    func `a peer that reads slowly gets every byte of 20 MiB`(sendBufferBytes: Int32?, readBytes: Int) async throws {
        try await LoopActor.run { worker in
            let content = pattern(20 << 20)
            let exchange = try Exchange(on: worker, sendBufferBytes: sendBufferBytes) { request, response throws(FastCGIError) in
                response?.start(status: 200, headers: [])
                try await response?.send(content[...])
                try await response.take()?.finish()
            }
            try await exchange.peer.send(SentRequest().bytes)
            var answer = Answer()
            while !answer.isComplete, let (header, content) = try await exchange.peer.readRecord(bytesMax: readBytes) {
                answer.add(header, content)
                await worker.loop.turn()
            }
            #expect(answer.status == 0 && answer.faults.isEmpty)
            #expect(answer.body == content)
        }
    }

    @Test(arguments: [1, 300, 4096, 4097, 8176])
    func `sending at once writes all or nothing, and says which`(pieceBytes: Int) async throws {
        try await LoopActor.run { worker in
            let content = pattern(3 << 20)
            let full = Wakeup(on: worker.loop)
            var counts = [true: 0, false: 0]
            let exchange = try Exchange(on: worker, sendBufferBytes: 64 << 10) { request, response throws(FastCGIError) in
                response?.start(status: 200, headers: [])
                #expect(try response?.sendAtOnce(content[...]) == false, "more than libfcgi's buffer holds")
                var rest = content[...]
                for _ in 0..<2000 {
                    let isSent = try response?.sendAtOnce(rest.prefix(pieceBytes)) == true
                    counts[isSent, default: 0] += 1
                    if isSent { rest = rest.dropFirst(pieceBytes) }
                }
                full.wake()
                try await response.take()?.finish(sending: rest)
            }
            try await exchange.peer.send(SentRequest().bytes)
            await full.wait()
            #expect(counts.values.allSatisfy { $0 > 0 }, "\(counts)")
            let answer = try await exchange.peer.readAnswer()
            #expect(answer.body == content && answer.status == 0 && answer.faults.isEmpty)
        }
    }

    /// The bytes, and whether the answer can end with them before the peer has taken any.
    @Test(arguments: [(0, true), (1, true), (8000, true), (100_000, false), (1 << 20, false)])
    func `an answer ends at once, or when its peer has taken what is too much for that`(count: Int, atOnce: Bool) async throws {
        try await LoopActor.run { worker in
            let content = pattern(count)
            var couldEnd: [Bool?] = []
            let exchange = try Exchange(on: worker, sendBufferBytes: 32 << 10) { request, response throws(FastCGIError) in
                response?.start(status: 200, headers: [])
                couldEnd.append(response?.endsAtOnce(sending: count))
                let rest = try await response?.sendAhead(ofLast: content[...]) ?? []
                couldEnd.append(response?.endsAtOnce(sending: rest.count))
                try await response.take()?.finish(sending: rest)
            }
            try await exchange.peer.send(SentRequest().bytes)
            while couldEnd.isEmpty { await worker.loop.turn() }
            #expect(couldEnd.first == atOnce)
            if count == 1 << 20 {
                while !exchange.connection.isWaitingToWrite { await worker.loop.turn() }
                #expect(couldEnd.count == 1, "its peer has taken nothing")
            }
            let answer = try await exchange.peer.readAnswer()
            #expect(answer.body == content && answer.status == 0 && answer.faults.isEmpty)
            #expect(couldEnd == [atOnce, true] && exchange.outcomes == [nil])
        }
    }

    @Test func `a caller that leaves while its peer takes nothing is told at once`() async throws {
        try await LoopActor.run { worker in
            let exchange = try Exchange(
                on: worker, timeouts: .init(write: .seconds(3600)), handler: Self.sendMuch(pieceBytes: 8176))
            try await exchange.peer.send(SentRequest().bytes)
            while !exchange.connection.isWaitingToWrite { await worker.loop.turn() }
            exchange.peer.close()
            #expect(await exchange.end() == nil)
            #expect(exchange.callersLeft == 1 && exchange.outcomes == [.callerLeft])
        }
    }

    /// libfcgi would wait two seconds for the peer's end, on the loop's thread.
    @Test func `a peer that never closes does not hold the loop`() async throws {
        try await LoopActor.run { worker in
            var hasFired = false
            let timer = Timer(on: worker.loop) { hasFired = true }
            timer.set(at: worker.loop.now + .milliseconds(1500))
            for isComplete in [true, false] {
                let exchange = try Exchange(on: worker) { request, response throws(FastCGIError) in
                    response?.start(status: 200, headers: [])
                    try await response?.send([1, 2, 3])
                    if isComplete { try await response.take()?.finish() } else { response = nil }
                }
                try await exchange.peer.send(SentRequest(keepsConnection: false).bytes)
                #expect(await exchange.end() == nil)
                await worker.loop.turn()
            }
            #expect(!hasFired)
            timer.cancel()
        }
    }
}
