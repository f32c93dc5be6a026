/// Leaves out what a text repeats of another one that it goes on with: models begin with its last words again, or with all of it.
///
///     var text = RepeatedText(of: "I have found three flights to Rome.")
///     text.take("three flights")          ""          may be its end once more, and waits
///     text.take(" to Rome. The first")    " The first"
///     text.take(" leaves")                " leaves"
///
/// It goes by bytes: what is said again in other words stays. But an emoji is the same whether it is one character or the two halves, which
/// some servers write as escapes: both texts have the halves here. What is repeated is all of the other text, or an end of it of
/// ``endBytesMin`` to ``endBytesMax``, so that each byte is compared with a bounded number of others.
package struct RepeatedText: Sendable {
    /// A shorter end may be the same by chance, as in "no, no".
    package static let endBytesMin = 12
    /// The longest end, unless it is all of it.
    package static let endBytesMax = 512

    /// Nothing once all is decided.
    private var said: [UInt8]
    /// Where in it what has come may have begun, in ascending order.
    private var starts: [Int]
    /// What has come, until that is decided.
    private var held: [UInt8] = []
    /// How much of that has come to the other text's end.
    private var repeatedCount = 0

    /// - Parameter said: the text that another one goes on with.
    package init(of said: [UInt8]) {
        let said = Self.halved(said)
        self.said = said
        let ends = max(1, said.count - Self.endBytesMax)..<max(1, said.count - Self.endBytesMin + 1)
        starts = said.isEmpty ? [] : [0] + (ends.lowerBound < ends.upperBound ? Array(ends) : [])
    }

    /// Whether anything has been left out.
    package private(set) var hasRepeated = false

    /// Whether nothing is left out any more.
    package var isDecided: Bool { starts.isEmpty }

    /// How many bytes it keeps.
    package var keptCount: Int { said.count + held.count + starts.count * MemoryLayout<Int>.stride }

    /// - Returns: what is new of it, and of what has waited.
    package mutating func take(_ text: [UInt8]) -> [UInt8] {
        guard !starts.isEmpty else { return text }
        var rest = Self.halved(text)[...]
        while !starts.isEmpty, let byte = rest.popFirst() {
            let offset = held.count
            held.append(byte)
            starts.removeAll { said[$0 + offset] != byte }
            // The last one is the nearest to the end.
            guard let last = starts.last, last + held.count == said.count else { continue }
            repeatedCount = held.count
            starts.removeLast()
        }
        return starts.isEmpty ? finish() + rest : []
    }

    /// The text with surrogates, as ``JSONText`` has them, for all characters that take two.
    private static func halved(_ text: [UInt8]) -> [UInt8] {
        guard text.contains(where: { $0 >= 0xF0 }) else { return text }
        var halved: [UInt8] = []
        halved.reserveCapacity(text.count + text.count / 2)
        var offset = 0
        while offset < text.count {
            guard text[offset] >= 0xF0, offset + 3 < text.count else {
                halved.append(text[offset])
                offset += 1
                continue
            }
            let low = text[offset + 1...offset + 3].reduce(UInt32(text[offset] & 0x07)) { $0 << 6 | UInt32($1 & 0x3F) } &- 0x10000
            for unit in [0xD800 | low >> 10 & 0x3FF, 0xDC00 | low & 0x3FF] {
                halved += [0xED, 0x80 | UInt8(unit >> 6 & 0x3F), 0x80 | UInt8(unit & 0x3F)]
            }
            offset += 4
        }
        return halved
    }

    /// The text is at its end.
    ///
    /// - Returns: what is new of what has waited.
    package mutating func finish() -> [UInt8] {
        hasRepeated = hasRepeated || repeatedCount > 0
        defer { (said, starts, held, repeatedCount) = ([], [], [], 0) }
        return Array(held.dropFirst(repeatedCount))
    }
}
