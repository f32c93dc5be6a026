// The bytes of a line in the making. Each request has one made.

import Clock

/// What has been appended, in memory that the next line has again. A line has some forty parts, and an array takes many more
/// instructions for each.
struct LineBytes {
    /// More than what has been appended, by a word at least: what is behind that is of no meaning.
    private var memory: [UInt8] = []
    private(set) var count = 0

    private static let wordBytes = 8
    /// The least that memory grows by: most lines have no more.
    private static let growth = 512

    /// What has been appended.
    var bytes: ArraySlice<UInt8> { memory[..<count] }

    /// Takes all away, or what is behind a place.
    mutating func removeAll(from place: Int = 0) { count = place }

    // MARK: Bytes

    mutating func append(_ byte: UInt8) {
        makeRoom(for: 1)
        memory[count] = byte
        count &+= 1
    }

    mutating func append(_ bytes: Span<UInt8>) {
        makeRoom(for: bytes.count)
        let place = count
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe memory.withUnsafeMutableBytes { memory in
                unsafe UnsafeMutableRawBufferPointer(rebasing: memory[place...]).copyMemory(from: bytes)
            }
        }
        count = place &+ bytes.count
    }

    /// Appends the UTF-8 bytes of `text` as they are.
    mutating func append(_ text: String) { append(text.utf8Span.span) }

    private mutating func makeRoom(for length: Int) {
        if count &+ length &+ Self.wordBytes > memory.count { grow(for: length) }
    }

    @inline(never)
    private mutating func grow(for length: Int) {
        let missing = count + length + Self.wordBytes - memory.count
        memory.append(contentsOf: repeatElement(0, count: max(missing, memory.count, Self.growth)))
    }

    // MARK: Numbers

    /// Appends a number's digits.
    ///
    /// - Parameters:
    ///   - number: not negative; of a negative one the sign is left out.
    ///   - digits: at least so many, with zeros before the number's own.
    mutating func append(decimal number: Int, digits: Int = 1) {
        var rest = number.magnitude
        let length = max(digits, rest.digitsCount)
        makeRoom(for: length)
        count &+= length
        var place = count
        var room = memory.mutableSpan
        for _ in 0..<length {
            place &-= 1
            let next = rest / 10
            room[place] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest &- 10 &* next)
            rest = next
        }
    }

    /// Appends a duration in seconds, to the millisecond; a negative one is none.
    mutating func append(seconds value: Duration) { append(thousandths: max(0, value.nanoseconds) / 1_000_000) }

    /// Appends a duration in milliseconds, to the microsecond; a negative one is none.
    mutating func append(milliseconds value: Duration) { append(thousandths: max(0, value.nanoseconds) / 1_000) }

    private mutating func append(thousandths number: Int64) {
        append(decimal: Int(number), digits: 4)
        // The point changes places with the last three digits.
        append(UInt8(ascii: "."))
        let last = count - 1
        var room = memory.mutableSpan
        for place in 0..<3 { room.swapAt(last - place, last - place - 1) }
    }

    // MARK: Text

    /// Appends text between quotes, with the escapes of JSON (RFC 8259 §7), which those of logfmt are too.
    mutating func appendQuoted(_ text: String) {
        append(UInt8(ascii: "\""))
        if !appendPlain(text) { appendEscaped(text) }
        append(UInt8(ascii: "\""))
    }

    /// Appends text as it is where one can see where it ends, and between quotes elsewhere.
    mutating func appendValue(_ text: String) {
        let start = count
        if appendPlain(text), count > start,
            !memory[start..<count].contains(where: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "=") })
        {
            return
        }
        removeAll(from: start)
        appendQuoted(text)
    }

    /// Appends text to its line's end, or to whatever else cannot stand in it.
    mutating func appendVisible(_ text: String) {
        guard !appendPlain(text) else { return }
        var visible: [UInt8] = []
        visible.appendVisible(text)
        append(visible.span)
    }

    private mutating func appendEscaped(_ text: String) {
        var escaped: [UInt8] = []
        escaped.appendEscaped(text)
        append(escaped.span)
    }

    /// Appends text each byte of which stands for itself wherever it is, as nearly all is; none of another one.
    private mutating func appendPlain(_ text: String) -> Bool {
        let start = count
        append(text)
        guard isPlain(from: start) else {
            removeAll(from: start)
            return false
        }
        return true
    }

    private func isPlain(from start: Int) -> Bool {
        var place = start
        while place &+ Self.wordBytes <= count {
            guard word(at: place).isPlain else { return false }
            place &+= Self.wordBytes
        }
        guard place < count else { return true }
        // Behind the end there are spaces for it.
        let others = UInt64.max &<< UInt64(8 &* (count &- place))
        return (word(at: place) & ~others | UInt64(repeating: UInt8(ascii: " ")) & others).isPlain
    }

    /// Eight bytes, the first one lowest.
    private func word(at place: Int) -> UInt64 {
        UInt64(littleEndian: unsafe memory.span.bytes.unsafeLoadUnaligned(fromByteOffset: place, as: UInt64.self))
    }
}

extension UInt {
    /// How many digits it has.
    fileprivate var digitsCount: Int {
        var (count, bound): (Int, UInt) = (1, 10)
        // Of 20 digits there is no bound.
        while self >= bound, count < 19 {
            count &+= 1
            bound &*= 10
        }
        return count
    }
}

extension UInt64 {
    /// Eight times the same byte.
    fileprivate init(repeating byte: UInt8) { self = 0x0101_0101_0101_0101 &* UInt64(byte) }

    /// Whether each of its bytes stands for itself wherever it is: ASCII that one sees, but for what quotes and escapes are made of.
    /// The lowest that is none has the high bit set, or gets it: 0x7F by one more, the others by borrowing it.
    fileprivate var isPlain: Bool {
        let one = UInt64(repeating: 1)
        let quotes = (self ^ UInt64(repeating: UInt8(ascii: "\""))) &- one
        let escapes = (self ^ UInt64(repeating: UInt8(ascii: "\\"))) &- one
        let controls = self &- UInt64(repeating: 0x20)
        return (self | self &+ one | quotes | escapes | controls) & UInt64(repeating: 0x80) == 0
    }
}
