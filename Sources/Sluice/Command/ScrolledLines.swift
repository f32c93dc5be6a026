// Which lines a terminal shows that has no room for all.

import Clock

/// Lines, from one of them on that keys move.
struct ScrolledLines {
    enum Key: Equatable {
        case up, down, pageUp, pageDown, start, end, quit, suspend

        /// What has been pressed, in the sequences of terminals (ECMA-48 §5.4, and xterm's). Whatever else there is counts for nothing.
        ///
        /// - Parameter bytes: that have come. A sequence without its end stays there: a terminal may send it in two parts.
        static func take(from bytes: inout [UInt8]) -> [Key] {
            var keys: [Key] = []
            var rest = bytes[...]
            bytes = []
            while let byte = rest.first {
                let start = rest
                rest.removeFirst()
                guard byte == 0x1B else {
                    if let key = single(byte) { keys.append(key) }
                    continue
                }
                guard let kind = rest.first else {
                    bytes = Array(start)
                    break
                }
                guard kind == UInt8(ascii: "[") || kind == UInt8(ascii: "O") else { continue }
                rest.removeFirst()
                let parameters = rest.prefix { !(0x40...0x7E).contains($0) }
                rest = rest.dropFirst(parameters.count)
                guard let last = rest.popFirst() else {
                    // No key has more.
                    if start.count < sequenceBytesMax { bytes = Array(start) }
                    break
                }
                if let key = sequence(parameters, last) { keys.append(key) }
            }
            return keys
        }

        private static let sequenceBytesMax = 32

        private static func single(_ byte: UInt8) -> Key? {
            switch byte {
            // Control-C and Control-D come as keys, too.
            case UInt8(ascii: "q"), UInt8(ascii: "Q"), 0x03, 0x04: .quit
            // So does Control-Z.
            case 0x1A: .suspend
            default: nil
            }
        }

        /// Parameters, and the byte that says what they are of.
        private static func sequence(_ parameters: ArraySlice<UInt8>, _ last: UInt8) -> Key? {
            switch last {
            case UInt8(ascii: "A"): .up
            case UInt8(ascii: "B"): .down
            case UInt8(ascii: "H"): .start
            case UInt8(ascii: "F"): .end
            case UInt8(ascii: "~"): tilde(parameters.first)
            default: nil
            }
        }

        private static func tilde(_ number: UInt8?) -> Key? {
            switch number {
            case UInt8(ascii: "5"): .pageUp
            case UInt8(ascii: "6"): .pageDown
            case UInt8(ascii: "1"), UInt8(ascii: "7"): .start
            case UInt8(ascii: "4"), UInt8(ascii: "8"): .end
            default: nil
            }
        }
    }

    /// All that there are; whichever is the first stays so, as far as there are enough of them.
    var lines: [String] = []
    private var first = 0

    /// - Parameter room: for how many lines there is room.
    mutating func move(_ key: Key, room: Int) {
        let page = Self.page(room)
        switch key {
        case .up: first -= 1
        case .down: first += 1
        case .pageUp: first -= page
        case .pageDown: first += page
        case .start: first = 0
        case .end: first = lines.count
        case .quit, .suspend: break
        }
        first = within(room)
    }

    /// As many as there is room for; where those are not all, the last one says which they are.
    func shown(in room: Int) -> [String] {
        guard lines.count > room else { return lines }
        let first = within(room)
        // No room for the line that says which it is.
        guard room > 1 else { return [lines[first]] }
        let shown = lines[first...].prefix(Self.page(room))
        return shown + ["lines \(first + 1) to \(shown.endIndex) of \(lines.count): arrows and page keys go to others, q ends"]
    }

    /// Beside the line that says which they are.
    private static func page(_ room: Int) -> Int { max(1, room - 1) }

    private func within(_ room: Int) -> Int {
        lines.count > room ? max(0, min(first, lines.count - Self.page(room))) : 0
    }
}

/// What a terminal sends for keys, as it comes.
struct TypedKeys {
    /// The beginning of a sequence, perhaps.
    private var beginning: [UInt8] = []
    private var last = Instant.distantFuture

    /// In which time a terminal sends all of a sequence. What comes later is another key: Alt-[ is one by itself, and begins
    /// as arrows do.
    private static let sequenceTime = Duration.milliseconds(500)

    /// The keys that these bytes are, with those that came before.
    mutating func take(_ bytes: some Sequence<UInt8>, at now: Instant) -> [ScrolledLines.Key] {
        var unread = now - last > Self.sequenceTime ? [] : beginning
        let count = unread.count
        unread += bytes
        // Nothing has come.
        guard unread.count > count else { return [] }
        let keys = ScrolledLines.Key.take(from: &unread)
        (beginning, last) = (unread, now)
        return keys
    }
}

extension String {
    /// Cut to so many characters, with a sign of it. It is cut between two words: a number that was cut would look like another number.
    func cutBetweenWords(to width: Int) -> String {
        guard unicodeScalars.count > width else { return self }
        let isInWord = { (scalar: Unicode.Scalar) in scalar.value != 0x20 }
        var kept = unicodeScalars.prefix(max(0, width - 1))
        if isInWord(unicodeScalars[kept.endIndex]) { while kept.last.map(isInWord) == true { kept.removeLast() } }
        return String(kept) + "…"
    }
}
