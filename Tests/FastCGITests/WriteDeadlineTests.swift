import Clock
import EventLoop
@testable import FastCGI
import TestSupport
import Testing

/// How long a peer that takes nothing is waited for.
@Suite(.timeLimit(.minutes(5))) struct WriteDeadlineTests {
    /// What the peer had not taken each time that its time was over, and whether it is given up then.
    @Test(arguments: [
        ([100], [true]), ([101], [true]), ([99, 98, 1, 0, 0], [false, false, false, false, true]), ([50, 60], [false, true]),
    ])
    func `a peer has its time anew for as long as it takes something, however little`(untaken: [Int], passed: [Bool]) {
        var deadline = WriteDeadline(.seconds(30), untakenBytes: 100)
        let found = untaken.map { count in
            #expect(deadline.moment > .current)
            return deadline.hasPassed(at: deadline.moment, untakenBytes: count)
        }
        #expect(found == passed)
    }

    @Test func `a peer that takes nothing is not given up ahead of time`() {
        var deadline = WriteDeadline(.seconds(3600), untakenBytes: 100)
        let hasPassed = deadline.hasPassed(at: .current, untakenBytes: 100)
        #expect(!hasPassed)
    }

    /// To make a long answer takes long on a busy machine, and the peer can take none of it meanwhile.
    @Test func `a peer has its time from the write on, and not from when the loop last looked`() async throws {
        try await LoopActor.run { worker in
            let content = pattern(2 << 20)
            let limit = Duration.milliseconds(500)
            let exchange = try Exchange(on: worker, sendBufferBytes: 32 << 10, timeouts: .init(write: limit)) {
                _, response throws(FastCGIError) in
                response?.start(status: 200, headers: [])
                while .current < worker.loop.now + limit { continue }
                try await response?.send(content[...])
                try await response.take()?.finish()
            }
            try await exchange.peer.send(SentRequest().bytes)
            while !exchange.connection.isWaitingToWrite, exchange.outcomes.isEmpty { await worker.loop.turn() }
            await worker.loop.turn()
            let answer = try await exchange.peer.readAnswer()
            #expect(answer.body == content && answer.status == 0 && answer.faults.isEmpty)
            #expect(exchange.outcomes == [nil])
        }
    }

    @Test func `what a peer has not taken is known, and is less when it has taken some`() throws {
        let (near, far) = try makeSocketPair()
        let writer = Descriptor(owning: near)
        let reader = Descriptor(owning: far)
        while writer.sendAtOnce(pattern(4096)) { continue }
        var buffer = [UInt8](repeating: 0, count: 4096)
        var untaken = [writer.untakenBytes]
        repeat { untaken.append(writer.untakenBytes) } while reader.receive(into: &buffer) == .bytes(buffer.count)
        // The last part was not sent as a whole.
        while case .bytes = reader.receive(into: &buffer) { continue }
        #expect(untaken == untaken.sorted(by: >) && Set(untaken).count > 10, "\(untaken)")
        #expect(writer.untakenBytes == 0)
    }
}
