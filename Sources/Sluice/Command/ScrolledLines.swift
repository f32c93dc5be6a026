// Which lines a terminal shows that has no room for all.

/// Lines, from one of them on that keys move.
struct ScrolledLines {
    enum Key: Equatable {
        case up, down, pageUp, pageDown, start, end, quit

        /// What has been pressed, in the sequences of terminals (ECMA-48 §5.4, and xterm's). Whatever else there is counts for nothing.
        static func all(in bytes: [UInt8]) -> [Key] {
            var keys: [Key] = []
            var rest = bytes[...]
            while let byte = rest.popFirst() {
                let isSequence = byte == 0x1B && (rest.first == UInt8(ascii: "[") || rest.first == UInt8(ascii: "O"))
                if isSequence { rest.removeFirst() }
                if let key = isSequence ? sequence(&rest) : single(byte) { keys.append(key) }
            }
            return keys
        }

        private static func single(_ byte: UInt8) -> Key? {
            switch byte {
            // Control-C and Control-D come as keys, too.
            case UInt8(ascii: "q"), UInt8(ascii: "Q"), 0x03, 0x04: .quit
            default: nil
            }
        }

        /// Parameters, and the byte that says what they are of.
        private static func sequence(_ rest: inout ArraySlice<UInt8>) -> Key? {
            let parameters = rest.prefix { !(0x40...0x7E).contains($0) }
            rest = rest.dropFirst(parameters.count)
            switch rest.popFirst() {
            case UInt8(ascii: "A"): return .up
            case UInt8(ascii: "B"): return .down
            case UInt8(ascii: "H"): return .start
            case UInt8(ascii: "F"): return .end
            case UInt8(ascii: "~"): return tilde(parameters.first)
            default: return nil
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
        case .quit: break
        }
        first = within(room)
    }

    /// As many as there is room for; where those are not all, the last one says which they are.
    func shown(in room: Int) -> [String] {
        guard lines.count > room, room > 1 else { return Array(lines.prefix(room)) }
        let first = within(room)
        let shown = lines[first...].prefix(Self.page(room))
        return shown + ["lines \(first + 1) to \(shown.endIndex) of \(lines.count): arrows and page keys go to others, q ends"]
    }

    /// Beside the line that says which they are.
    private static func page(_ room: Int) -> Int { max(1, room - 1) }

    private func within(_ room: Int) -> Int {
        lines.count > room ? max(0, min(first, lines.count - Self.page(room))) : 0
    }
}
