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
}
