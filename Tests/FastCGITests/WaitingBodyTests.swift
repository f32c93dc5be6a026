import EventLoop
import TestSupport
import Testing

@testable import FastCGI

/// Bodies under a limit for all requests together.
@Suite(.timeLimit(.minutes(5))) struct WaitingBodyTests {
    private static let megabyte = 1 << 20
    /// Three of these are for bodies.
    private static let limit = 4 << 20

    private static func sent(_ count: Int, announced: String?) -> SentRequest {
        var request = SentRequest(body: pattern(count))
        if let announced { request.parameters.append(("CONTENT_LENGTH", announced)) }
        return request
    }

    /// - Parameter difference: of what is announced to what comes; nil for nothing announced.
    @Test(arguments: [0, -1, 100, -(1 << 20), 1 << 30], [0, 1, 5000, 64 << 10, 65537, 1 << 20])
    func `a body arrives whole, whatever its length is said to be`(difference: Int, count: Int) async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: 64 << 20)
            var used: [Int] = []
            let exchange = try Exchange(on: worker, budget: budget) { request, response throws(FastCGIError) in
                used.append(budget.usedBytes)
                try await answerWithBody(request, &response)
            }
            for announced in ["\(count + difference)", "", "-1", "0", "99999999999999999999", nil] {
                try await exchange.peer.send(Self.sent(count, announced: announced).bytes)
                #expect(try await exchange.peer.readAnswer().body == pattern(count), "\(announced ?? "nothing")")
                #expect(budget.usedBytes == 0)
            }
            // While it is held it counts with as many bytes as it has.
            #expect(used == Array(repeating: count, count: 6))
        }
    }

    @Test func `a body above the limit for one takes nothing once it is dropped`() async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: 64 << 20)
            let exchange = try Exchange(on: worker, limits: .init(bodyBytesMax: 100_000), budget: budget)
            for announced in ["200000", "99999", "", "100"] {
                try await exchange.peer.send(Self.sent(200_000, announced: announced).bytes)
                #expect(try await exchange.peer.readAnswer().text.contains("413"))
                #expect(budget.usedBytes == 0)
            }
            try await exchange.peer.send(Self.sent(100_000, announced: "100000").bytes)
            #expect(try await exchange.peer.readAnswer().body == pattern(100_000))
        }
    }

    /// The second may have been on its way for whatever time: it has its place by its coming.
    @Test(arguments: ["1048576", ""])
    func `a body for which there is no room is read when there is, and a small one meanwhile`(announced: String) async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: Self.limit)
            var held = budget.share(ofBody: 3 * Self.megabyte)
            let limits = RecordScanner.Limits(bodyBytesMax: Self.megabyte)
            let waiting = try Exchange(on: worker, limits: limits, budget: budget)
            let other = try Exchange(on: worker, limits: limits, budget: budget)
            let bytes = Self.sent(Self.megabyte, announced: announced).bytes
            let sending = worker.start { try? await waiting.peer.send(bytes) }
            while budget.waitersCount == 0 { await worker.loop.turn() }
            for count in [0, 10, 60_000] {
                try await other.peer.send(Self.sent(count, announced: "\(count)").bytes)
                #expect(try await other.peer.readAnswer().body == pattern(count))
            }
            #expect(budget.waitersCount == 1)
            #expect(waiting.outcomes.isEmpty)
            held = nil
            try await sending.value
            #expect(try await waiting.peer.readAnswer().body == pattern(Self.megabyte))
            #expect(budget.usedBytes == 0)
            withExtendedLifetime(held) {}
        }
    }

    @Test(arguments: ["1048576", ""])
    func `one that has waited too long is read to its end, and told`(announced: String) async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: Self.limit)
            var held = budget.share(ofBody: 3 * Self.megabyte)
            var reasons: [DropReason?] = []
            let exchange = try Exchange(
                on: worker, limits: .init(bodyBytesMax: Self.megabyte), timeouts: .init(memory: .milliseconds(50)), budget: budget
            ) { request, response throws(FastCGIError) in
                reasons.append(request.dropped)
                try await answerWithBody(request, &response)
            }
            try await exchange.peer.send(Self.sent(Self.megabyte, announced: announced).bytes)
            #expect(try await exchange.peer.readAnswer().body == [])
            #expect(budget.usedBytes == 3 * Self.megabyte && budget.waitersCount == 0)
            held = nil
            try await exchange.peer.send(Self.sent(Self.megabyte, announced: announced).bytes)
            #expect(try await exchange.peer.readAnswer().body == pattern(Self.megabyte))
            #expect(reasons == [.noMemory, nil])
            withExtendedLifetime(held) {}
        }
    }

    @Test func `the time to come in does not run while a body waits`() async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: Self.limit)
            var held = budget.share(ofBody: 3 * Self.megabyte)
            let exchange = try Exchange(
                on: worker, limits: .init(bodyBytesMax: Self.megabyte),
                timeouts: .init(request: .milliseconds(100), memory: .seconds(3600)), budget: budget)
            let bytes = Self.sent(Self.megabyte, announced: "1048576").bytes
            try await exchange.peer.send(Array(bytes.prefix(5000)))
            while budget.waitersCount == 0 { await worker.loop.turn() }
            await worker.loop.sleep(for: .milliseconds(200))
            held = nil
            try await exchange.peer.send(Array(bytes.dropFirst(5000)))
            #expect(try await exchange.peer.readAnswer().body == pattern(Self.megabyte))
            withExtendedLifetime(held) {}
        }
    }

    @Test func `a caller who leaves while its body waits is forgotten at once`() async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: Self.limit)
            let held = budget.share(ofBody: 3 * Self.megabyte)
            for _ in 0..<10 {
                let exchange = try Exchange(on: worker, timeouts: .init(memory: .seconds(3600)), budget: budget)
                try await exchange.peer.send(Array(Self.sent(Self.megabyte, announced: "1048576").bytes.prefix(5000)))
                while budget.waitersCount == 0 { await worker.loop.turn() }
                exchange.peer.close()
                #expect(await exchange.end() == nil)
                #expect(budget.waitersCount == 0)
            }
            #expect(budget.usedBytes == 3 * Self.megabyte)
            withExtendedLifetime(held) {}
        }
    }

    /// Each half in, they would hold all there is and wait for the rest of it for ever.
    @Test(arguments: ["1048576", "100", ""])
    func `many bodies that come in at once by turns all come to their end`(announced: String) async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: Self.limit)
            var most = 0
            let exchanges = try (0..<24).map { _ in
                try Exchange(
                    on: worker, limits: .init(bodyBytesMax: Self.megabyte), timeouts: .init(memory: .seconds(3600)),
                    budget: budget
                ) { request, response throws(FastCGIError) in
                    most = max(most, budget.usedBytes)
                    await request.connection.loop.turn()
                    try await answerWithBody(request, &response)
                }
            }
            let bytes = Self.sent(Self.megabyte, announced: announced).bytes
            for exchange in exchanges { try await exchange.peer.send(Array(bytes.prefix(70_000))) }
            var wholeCount = 0
            let callers = exchanges.map { exchange in
                worker.start {
                    do {
                        try await exchange.peer.send(Array(bytes.dropFirst(70_000)))
                        if try await exchange.peer.readAnswer().body == pattern(Self.megabyte) { wholeCount += 1 }
                    } catch {
                        Issue.record(error)
                    }
                }
            }
            for caller in callers { await caller.value }
            #expect(wholeCount == exchanges.count)
            #expect(most <= Self.limit)
            #expect(budget.usedBytes == 0 && budget.waitersCount == 0)
        }
    }

    /// More than those that may wait with their beginnings in hand: the others are told at once.
    @Test func `however many bodies of unknown length have begun, none of them waits for another`() async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: Self.limit)
            var reasons: [DropReason?] = []
            let exchanges = try (0..<56).map { _ in
                try Exchange(
                    on: worker, limits: .init(bodyBytesMax: Self.megabyte), timeouts: .init(memory: .seconds(3600)),
                    budget: budget
                ) { request, response throws(FastCGIError) in
                    reasons.append(request.dropped)
                    try await answerWithBody(request, &response)
                }
            }
            let bytes = Self.sent(100_000, announced: "").bytes
            for exchange in exchanges { try await exchange.peer.send(Array(bytes.prefix(60_000))) }
            while budget.usedBytes < exchanges.count * MemoryBudget.smallBytesMax { await worker.loop.turn() }
            for exchange in exchanges { try await exchange.peer.send(Array(bytes.dropFirst(60_000))) }
            for exchange in exchanges { _ = try await exchange.peer.readAnswer() }
            #expect(reasons.count == exchanges.count)
            // Three quarters are for bodies: beside the beginnings of those that wait there is room for a whole one.
            #expect(reasons.count { $0 == nil } >= 2 * Self.megabyte / MemoryBudget.smallBytesMax)
            #expect(budget.usedBytes == 0 && budget.waitersCount == 0)
        }
    }

    @Test func `one that is said to be too large waits for no memory`() async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: Self.limit)
            let held = budget.share(ofBody: 3 * Self.megabyte)
            let exchange = try Exchange(
                on: worker, limits: .init(bodyBytesMax: Self.megabyte), timeouts: .init(memory: .seconds(3600)), budget: budget)
            let count = 2 * Self.megabyte
            try await exchange.peer.send(Self.sent(count, announced: "\(count)").bytes)
            #expect(try await exchange.peer.readAnswer().text.contains("413"))
            #expect(budget.usedBytes == 3 * Self.megabyte && budget.waitersCount == 0)
            withExtendedLifetime(held) {}
        }
    }

    @Test func `one that is larger than it was said to be, and than there is room, is dropped instead of waiting`() async throws {
        try await LoopActor.run { worker in
            let budget = MemoryBudget(limit: 2 * Self.limit)
            var held = budget.share(ofAnswer: 5 * Self.megabyte)
            var reasons: [DropReason?] = []
            let exchange = try Exchange(
                on: worker, limits: .init(bodyBytesMax: Self.limit), timeouts: .init(memory: .seconds(3600)), budget: budget
            ) { request, response throws(FastCGIError) in
                reasons.append(request.dropped)
                try await answerWithBody(request, &response)
            }
            try await exchange.peer.send(Self.sent(2 * Self.megabyte, announced: "900000").bytes)
            _ = try await exchange.peer.readAnswer()
            held = nil
            try await exchange.peer.send(Self.sent(2 * Self.megabyte, announced: "900000").bytes)
            _ = try await exchange.peer.readAnswer()
            #expect(reasons == [.noMemory, nil])
            #expect(budget.usedBytes == 0)
            withExtendedLifetime(held) {}
        }
    }
}
