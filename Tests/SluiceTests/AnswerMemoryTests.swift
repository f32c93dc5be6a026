import Chat
import EventLoop
import Testing

@testable import Sluice

@Suite struct AnswerMemoryTests {
    @Test func `a small answer costs nothing, a larger one what it keeps in steps, until it is let go`() throws {
        let budget = MemoryBudget(limit: 1 << 20)
        var memory = AnswerMemory(budget)
        try memory.reserve(64 << 10)
        #expect(budget.usedBytes == 0)
        try memory.reserve((64 << 10) + 1)
        #expect(budget.usedBytes == 256 << 10)
        try memory.reserve(256 << 10)
        #expect(budget.usedBytes == 256 << 10)
        try memory.reserve(600_000)
        #expect(budget.usedBytes == 768 << 10)
        memory.release()
        #expect(budget.usedBytes == 0)
        try memory.reserve(300_000)
        #expect(budget.usedBytes == 512 << 10)
    }

    @Test func `what there is no memory for is an error, and what was kept before stays counted until the end`() throws {
        let budget = MemoryBudget(limit: 1 << 20)
        let other = budget.share(ofBody: 512 << 10)
        var memory: AnswerMemory? = AnswerMemory(budget)
        try memory?.reserve(300_000)
        #expect(throws: ChatError.memoryFull) { try memory?.reserve(600_000) }
        #expect(budget.usedBytes == 1 << 20)
        memory = nil
        #expect(budget.usedBytes == 512 << 10)
        withExtendedLifetime((other, memory)) {}
    }

    @Test func `a copy of a body counts when it is large`() throws {
        let budget = MemoryBudget(limit: 1 << 20)
        let memory = try RequestMemory(budget.share(ofBody: 512 << 10), budget)
        #expect(try memory.share(ofCopy: 64 << 10) == nil)
        let copy = try memory.share(ofCopy: 512 << 10)
        #expect(budget.usedBytes == 1 << 20)
        #expect(throws: ChatError.memoryFull) { _ = try memory.share(ofCopy: 100_000) }
        withExtendedLifetime(copy) {}
    }
}
