import Clock
import EventLoop
@testable import FastCGI
import TestSupport
import Testing

/// How long a peer that takes nothing is waited for.
@Suite(.timeLimit(.minutes(5))) struct WriteDeadlineTests {
    private static let limit = Duration.seconds(30)

    @Test func `a peer has its time anew for as long as it takes something, however little`() {
        var deadline = WriteDeadline(Self.limit, untakenBytes: 100)
        for untaken in [99, 98, 1, 0] {
            let due = deadline.moment
            #expect(!deadline.hasPassed(at: due, untakenBytes: untaken))
            #expect(deadline.moment >= due)
        }
        #expect(deadline.hasPassed(at: deadline.moment, untakenBytes: 0))
    }

    @Test(arguments: [100, 101])
    func `a peer that takes nothing has its time once`(untaken: Int) {
        var deadline = WriteDeadline(Self.limit, untakenBytes: 100)
        #expect(!deadline.hasPassed(at: .current, untakenBytes: untaken))
        #expect(deadline.hasPassed(at: deadline.moment, untakenBytes: untaken))
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
        let (writer, reader) = (Descriptor(owning: near), Descriptor(owning: far))
        #expect(writer.untakenBytes == 0)
        while writer.sendAtOnce(pattern(4096)) { continue }
        let untaken = writer.untakenBytes
        var buffer = [UInt8](repeating: 0, count: 4096)
        #expect(reader.receive(into: &buffer) == .bytes(4096) && !writer.isWritable)
        #expect(writer.untakenBytes < untaken)
        while reader.receive(into: &buffer) != .nothing { continue }
        #expect(writer.untakenBytes == 0)
    }
}
