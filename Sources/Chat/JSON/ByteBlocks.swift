// Bytes looked at eight or sixteen at a time: in a word (`UInt64`) or in a block (`SIMD16<UInt8>`). What a look finds it marks, by the
// high bit of each byte that is meant; the index of the first mark is then one instruction away.
//
//     block             "  :     {  "  }  …        which bytes are quotes?
//     block ^ "\"\"\"\"…   00 18 02 59 00 5F …        zero where one is
//     markingZeros      80 00 00 00 80 00 …        firstMarked == 0

extension UInt64 {
    /// Eight times the same byte.
    @inline(__always)
    init(repeating byte: UInt8) { self = 0x0101_0101_0101_0101 &* UInt64(byte) }

    /// The high bit of the lowest byte that is zero is set. Above it there may be marks that are wrong: a byte of one that borrows.
    @inline(__always)
    var markingZeros: UInt64 { (self &- UInt64(repeating: 1)) & ~self & UInt64(repeating: 0x80) }
}

extension SIMD16<UInt8> {
    /// The index of the first byte whose high bit is set. As all of Swift's platforms, it takes words to be little-endian.
    @inline(__always)
    var firstMarked: Int? {
        let marks = words & SIMD2<UInt64>(repeating: UInt64(repeating: 0x80))
        guard marks[0] | marks[1] != 0 else { return nil }
        return marks[0] != 0 ? marks[0].trailingZeroBitCount / 8 : 8 &+ marks[1].trailingZeroBitCount / 8
    }

    /// With the high bit of those bytes set that are zero.
    @inline(__always)
    var markingZeros: SIMD16<UInt8> { (self &- SIMD16<UInt8>(repeating: 1)) & ~self }

    /// With the high bit of those bytes set that are below a space.
    @inline(__always)
    var markingControls: SIMD16<UInt8> { (self &- SIMD16<UInt8>(repeating: 0x20)) & ~self }

    /// Whether all bytes are zero.
    @inline(__always)
    var isZero: Bool { words[0] | words[1] == 0 }

    @inline(__always)
    private var words: SIMD2<UInt64> { unsafe unsafeBitCast(self, to: SIMD2<UInt64>.self) }
}

extension Span<UInt8> {
    /// Eight bytes, the first one lowest. Compiles to one bounds check and one load.
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        let part = extracting(offset..<offset &+ 8)
        let low = UInt64(part[0]) | UInt64(part[1]) << 8 | UInt64(part[2]) << 16 | UInt64(part[3]) << 24
        return low | UInt64(part[4]) << 32 | UInt64(part[5]) << 40 | UInt64(part[6]) << 48 | UInt64(part[7]) << 56
    }

    /// Sixteen bytes.
    @inline(__always)
    func block(at offset: Int = 0) -> SIMD16<UInt8> {
        let part = extracting(offset..<offset &+ 16)
        var block = SIMD16<UInt8>()
        for index in 0..<16 { block[index] = part[index] }
        return block
    }

    /// Whether any of the first 64 bytes is a control character (RFC 8259 §7): below a space.
    @inline(__always)
    var beginsWithControls: Bool {
        let (first, second, third, fourth) = (block(at: 0), block(at: 16), block(at: 32), block(at: 48))
        let marks = first.markingControls | second.markingControls | third.markingControls | fourth.markingControls
        return marks.firstMarked != nil
    }

    /// Whether `count` bytes from `start` on are the same as those of `other` from `otherStart` on. Both must be there.
    func isEqual(to other: Span<UInt8>, at start: Int, from otherStart: Int, count: Int) -> Bool {
        guard count >= 0, start &+ count <= self.count, otherStart &+ count <= other.count else { return false }
        if count < 8 { return isEqualInFew(to: other, at: start, from: otherStart, count: count) }
        // With spans that shrink, the loop's own condition is the only check of bounds.
        var (mine, others) = (extracting(start..<start &+ count), other.extracting(otherStart..<otherStart &+ count))
        while mine.count >= 64, others.count >= 64 {
            let (first, second) = (mine.block(at: 0) ^ others.block(at: 0), mine.block(at: 16) ^ others.block(at: 16))
            let (third, fourth) = (mine.block(at: 32) ^ others.block(at: 32), mine.block(at: 48) ^ others.block(at: 48))
            guard (first | second | third | fourth).isZero else { return false }
            (mine, others) = (mine.extracting(64...), others.extracting(64...))
        }
        while mine.count >= 16, others.count >= 16 {
            guard (mine.block() ^ others.block()).isZero else { return false }
            (mine, others) = (mine.extracting(16...), others.extracting(16...))
        }
        if mine.count >= 8, word(at: start &+ count &- mine.count) != other.word(at: otherStart &+ count &- mine.count) {
            return false
        }
        // Some of the last eight have been compared.
        return word(at: start &+ count &- 8) == other.word(at: otherStart &+ count &- 8)
    }

    /// The same for less than a word.
    @inline(__always)
    private func isEqualInFew(to other: Span<UInt8>, at start: Int, from otherStart: Int, count: Int) -> Bool {
        if start &+ 8 <= self.count, otherStart &+ 8 <= other.count {
            let difference = word(at: start) ^ other.word(at: otherStart)
            return count == 0 || difference << UInt64(64 &- 8 &* count) == 0
        }
        for index in 0..<count where self[start &+ index] != other[otherStart &+ index] { return false }
        return true
    }
}

extension UInt8 {
    /// Whether it is an ASCII digit.
    @inline(__always)
    var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }

    /// Whether it is an ASCII letter.
    var isLetter: Bool { (self | 0x20) &- UInt8(ascii: "a") < 26 }

    /// Whether it is an ASCII letter or digit, or one of these signs: what names and ids are made of.
    package func isAlphanumeric(or signs: String = "") -> Bool { isLetter || isDigit || signs.utf8.contains(self) }
}
