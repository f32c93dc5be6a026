extension UInt64 {
    /// Eight times the same byte.
    @inline(__always)
    init(repeating byte: UInt8) { self = 0x0101_0101_0101_0101 &* UInt64(byte) }
}

extension Span<UInt8> {
    /// Eight bytes, the first one lowest. Compiles to one bounds check and one load.
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        let part = extracting(offset..<offset &+ 8)
        let low = UInt64(part[0]) | UInt64(part[1]) << 8 | UInt64(part[2]) << 16 | UInt64(part[3]) << 24
        return low | UInt64(part[4]) << 32 | UInt64(part[5]) << 40 | UInt64(part[6]) << 48 | UInt64(part[7]) << 56
    }

    /// The first sixteen bytes.
    @inline(__always)
    func block() -> SIMD16<UInt8> {
        let part = extracting(0..<16)
        var block = SIMD16<UInt8>()
        for index in 0..<16 { block[index] = part[index] }
        return block
    }

    /// Whether `count` bytes from `start` on are the same as those of `other` from `otherStart` on. Both must be there.
    func isEqual(to other: Span<UInt8>, at start: Int, from otherStart: Int, count: Int) -> Bool {
        guard count >= 0, start &+ count <= self.count, otherStart &+ count <= other.count else { return false }
        var index = 0
        while index &+ 8 <= count {
            guard word(at: start &+ index) == other.word(at: otherStart &+ index) else { return false }
            index &+= 8
        }
        while index < count {
            guard self[start &+ index] == other[otherStart &+ index] else { return false }
            index &+= 1
        }
        return true
    }
}

extension UInt8 {
    /// Whether it is an ASCII digit.
    @inline(__always)
    var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }
}
