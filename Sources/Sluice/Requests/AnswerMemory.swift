// What one answer holds of the memory that is limited for all together.

import Chat
import EventLoop

/// What is kept of an answer: until it is whole, or until its caller reads.
struct AnswerMemory {
    /// How many bytes any answer may keep without their being counted.
    static let freeBytes = 64 << 10
    /// How many bytes are taken at a time.
    private static let stepBytes = 256 << 10

    private let budget: MemoryBudget
    /// How many bytes may be kept before more have to be taken.
    private(set) var bytesMax = freeBytes
    /// What is taken above what is free.
    private(set) var share: MemoryShare?

    init(_ budget: MemoryBudget) { self.budget = budget }

    /// Takes memory for all that is kept now, in place of what was kept before. For most answers that costs a comparison.
    ///
    /// - Parameter count: of all that is kept, in bytes.
    /// - Throws: `ChatError.memoryFull`.
    @inline(__always)
    mutating func reserve(_ count: Int) throws(ChatError) {
        if count > bytesMax { try grow(to: count) }
    }

    /// Says that nothing is kept any more.
    @inline(__always)
    mutating func release() {
        if share != nil { (share, bytesMax) = (nil, Self.freeBytes) }
    }

    @inline(never)
    private mutating func grow(to count: Int) throws(ChatError) {
        let bytes = (count + Self.stepBytes - 1) / Self.stepBytes * Self.stepBytes
        if let share {
            guard share.grow(to: bytes) else { throw .memoryFull }
        } else {
            share = budget.share(ofAnswer: bytes)
            guard share != nil else { throw .memoryFull }
        }
        bytesMax = bytes
    }
}
