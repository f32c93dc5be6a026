// What a request's body, and what was found in it, hold of the memory that is limited for all together.

import Chat
import EventLoop

/// What a request has for its body, and where there is more.
struct RequestMemory {
    /// What the body takes; whoever keeps the body keeps this.
    private(set) var body: MemoryShare?
    let budget: MemoryBudget
    /// For what was found in the body.
    private let beside: MemoryShare?
    /// For the server's own message.
    private var own: MemoryShare?
    /// A message of at most so many bytes counts as nothing.
    private static let freeMessageBytes = 4 << 10

    /// - Parameter besideCount: how many bytes are kept beside the body.
    /// - Throws: as `share(ofCopy:)`.
    init(_ body: MemoryShare?, beside besideCount: Int = 0, _ budget: MemoryBudget) throws(ChatError) {
        beside = try Self.share(ofCopy: besideCount, budget)
        (self.body, self.budget) = (body, budget)
    }

    /// Takes what the server's own message holds.
    ///
    /// - Throws: `ChatError.memoryFull`.
    mutating func hold(messageOf count: Int) throws(ChatError) {
        guard count > Self.freeMessageBytes else { return }
        own = budget.share(ofAnswer: count)
        if own == nil { throw .memoryFull }
    }

    /// The same for a body of so many bytes that takes the place of this one, of which it is a copy with a little more in it.
    ///
    /// - Throws: `ChatError.memoryFull`.
    func ofLargerBody(_ count: Int) throws(ChatError) -> RequestMemory {
        var memory = self
        memory.body = budget.share(ofAnswer: count)
        guard memory.body != nil else { throw .memoryFull }
        return memory
    }

    /// A share for a copy of so many bytes; nil for a few, which count as nothing.
    ///
    /// - Throws: `ChatError.memoryFull`.
    func share(ofCopy count: Int) throws(ChatError) -> MemoryShare? { try Self.share(ofCopy: count, budget) }

    /// The same for what is no copy of a request.
    static func share(ofCopy count: Int, _ budget: MemoryBudget) throws(ChatError) -> MemoryShare? {
        guard count > AnswerMemory.freeBytes else { return nil }
        guard let share = budget.share(ofAnswer: count) else { throw .memoryFull }
        return share
    }
}
