import EventLoop
import TestSupport
import Testing

@testable import FastCGI

/// Answers of one worker share libfcgi's writer.
@Suite(.timeLimit(.minutes(5))) struct AnswerWriterTests {
    private static func text(_ id: Int) -> [UInt8] { Array("answer \(id)".utf8) }

    @Test(arguments: [2, 100])
    func `answers that go on in turn are each its own caller's`(count: Int) async throws {
        try await LoopActor.run { worker in
            let buffers = try SharedBuffers()
            var open: [Int: Wakeup] = [:]
            let exchanges = try (1...count).map { id in
                try Exchange(on: worker, sharing: buffers) { _, response throws(FastCGIError) in
                    response?.start(status: 200, headers: [])
                    try await response?.send(Self.text(id)[...])
                    let wakeup = Wakeup(on: worker.loop)
                    open[id] = wakeup
                    await wakeup.wait()
                    try await response?.send([10])
                    try await response.take()?.finish(sending: Self.text(id)[...])
                }
            }
            for (index, exchange) in exchanges.enumerated() {
                try await exchange.peer.send(SentRequest(id: UInt16(index + 1)).bytes)
            }
            while open.count < count { await worker.loop.turn() }
            // The last first, so that whoever got the writer of its own request would show.
            for id in (1...count).reversed() {
                open[id]?.wake()
                let answer = try await exchanges[id - 1].peer.readAnswer()
                #expect(answer.body == Self.text(id) + [10] + Self.text(id))
                #expect(answer.id == UInt16(id) && answer.status == 0 && answer.faults.isEmpty)
            }
            #expect(exchanges.allSatisfy { $0.outcomes == [nil] })
        }
    }

    @Test func `an answer that cannot be written spoils no other's`() async throws {
        try await LoopActor.run { worker in
            let buffers = try SharedBuffers()
            var leave: () -> Void = {}
            let broken = try Exchange(on: worker, sharing: buffers) { _, response throws(FastCGIError) in
                leave()
                response?.start(status: 200, headers: [])
                try await response?.send([1, 2, 3])
            }
            let whole = try Exchange(on: worker, sharing: buffers) { _, response throws(FastCGIError) in
                response?.start(status: 200, headers: [])
                try await response.take()?.finish(sending: Self.text(1)[...])
            }
            leave = { broken.peer.close() }
            try await broken.peer.send(SentRequest().bytes)
            #expect(await broken.end() == nil && broken.outcomes == [.callerLeft])
            #expect(buffers.writer == nil, "what was not written would be the next caller's")
            try await whole.peer.send(SentRequest().bytes)
            #expect(try await whole.peer.readAnswer().body == Self.text(1))
        }
    }
}
