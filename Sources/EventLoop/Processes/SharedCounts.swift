// Numbers that several processes have in common.

/// A row of numbers in memory that processes share. Each process changes one of them, so that what a dead one has counted is known, and
/// can be taken away. Whatever one writes there, no other one ends by it: a number is read as one from 0 to a million.
package struct SharedCounts: Sendable {
    private let words: SharedWords
    /// How many they are.
    package let count: Int

    /// As which each is read, at most.
    private static let valueMax = 1_000_000
    /// Each has a line of the cores' caches for itself: so many words.
    private static let stride = 8

    /// Zeros.
    ///
    /// - Throws: `SystemError` when the process is out of descriptors or memory.
    package init(count: Int) throws(SystemError) {
        words = try SharedWords(passedOn: count * Self.stride)
        self.count = count
    }

    /// Those that another process has made.
    ///
    /// - Throws: `SystemError` when the process is out of memory.
    package init(_ descriptor: consuming Descriptor) throws(SystemError) {
        words = try SharedWords(descriptor)
        count = words.count / Self.stride
    }

    /// To pass them on.
    package var number: Int32 { words.number }

    /// One of them.
    package subscript(_ index: Int) -> Int { Self.clamped(words[index * Self.stride]) }

    /// All of them together.
    package var sum: Int { (0..<count).reduce(0) { $0 + self[$1] } }

    /// Adds to one.
    package func add(_ change: Int, to index: Int) { words.add(change, to: index * Self.stride) }

    /// Sets one to zero, and tells what it was.
    @discardableResult package func clear(_ index: Int) -> Int { Self.clamped(words.replace(at: index * Self.stride, with: 0)) }

    private static func clamped(_ word: UInt64) -> Int { min(max(Int(truncatingIfNeeded: word), 0), valueMax) }
}
