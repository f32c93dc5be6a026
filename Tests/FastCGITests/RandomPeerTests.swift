import EventLoop
@testable import FastCGI
import TestSupport
import Testing

/// Answers of random parts, to peers that take random amounts at random moments.
@Suite(.timeLimit(.minutes(5))) struct RandomPeerTests {
    /// One answer's schedule.
    private struct Schedule {
        let sendBufferBytes: Int32
        let content: [UInt8]
        /// How much is sent at a time, at most.
        let partMax: Int
        /// How much is taken at a time, at most.
        let takenMax: Int

        init(using chance: inout SeededGenerator) {
            sendBufferBytes = [16 << 10, 32 << 10, 64 << 10].randomElement(using: &chance) ?? 0
            content = pattern(Int.random(in: 0...200_000, using: &chance), seed: chance.next())
            partMax = [300, 9000, 100_000].randomElement(using: &chance) ?? 0
            takenMax = [500, 9000, 100_000].randomElement(using: &chance) ?? 0
        }
    }

    @Test(arguments: 1...20)
    func `every byte arrives in its place, and nobody waits to write what the kernel takes`(seed: UInt64) async throws {
        try await LoopActor.run { worker in
            var chance = SeededGenerator(seed: seed)
            for _ in 0..<20 { try await Self.run(Schedule(using: &chance), on: worker, using: &chance) }
        }
    }

    private static func run(
        _ schedule: Schedule, on worker: isolated LoopActor, using chance: inout SeededGenerator
    ) async throws {
        // A wake that is missed must not be made good by a time-out.
        let exchange = try Exchange(
            on: worker, sendBufferBytes: schedule.sendBufferBytes, timeouts: .init(write: .seconds(24 * 3600)),
            handler: handler(schedule, SeededGenerator(seed: chance.next())))
        try await exchange.peer.send(SentRequest().bytes)
        var (answer, waits) = (Answer(), 0)
        while !answer.isComplete {
            for _ in 0..<Int.random(in: 0...2, using: &chance) {
                // As whoever ends a wait for nothing.
                if Bool.random(using: &chance) { exchange.connection.wakeup.wake() }
                await worker.loop.turn()
                let isWaiting = exchange.connection.isWaitingToWrite
                if isWaiting { waits += 1 }
                try #require(!isWaiting || !exchange.connection.descriptor.isWritable)
            }
            let record = try await exchange.peer.readRecord(bytesMax: Int.random(in: 1...schedule.takenMax, using: &chance))
            guard let (header, content) = record else { break }
            answer.add(header, content)
        }
        #expect(answer.body == schedule.content && answer.status == 0 && answer.faults.isEmpty)
        #expect(exchange.outcomes == [nil])
        #expect(waits > 0 || schedule.content.count < 2 * Int(schedule.sendBufferBytes) || schedule.takenMax > 9000)
    }

    /// Sends all in parts, some of them as callbacks do, and ends in one of two ways.
    private static func handler(_ schedule: Schedule, _ seeded: SeededGenerator) -> Exchange.Handler {
        { _, response throws(FastCGIError) in
            var chance = seeded
            response?.start(status: 200, headers: [])
            var rest = schedule.content[...]
            let endCount = Int.random(in: 0...schedule.partMax, using: &chance)
            while rest.count > endCount {
                let part = rest.prefix(Int.random(in: 0...schedule.partMax, using: &chance))
                var isSent = false
                if Bool.random(using: &chance) { isSent = try response?.sendAtOnce(part) == true }
                if !isSent { try await response?.send(part) }
                rest = rest.dropFirst(part.count)
            }
            if Bool.random(using: &chance) { rest = try await response?.sendAhead(ofLast: rest) ?? [] }
            try await response.take()?.finish(sending: rest)
        }
    }
}
