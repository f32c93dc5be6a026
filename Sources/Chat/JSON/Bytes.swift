// Comparing what came from outside. Swift compares and hashes strings by characters, in their normal form: for texts that somebody
// has made for it that takes the square of their length. So all of it goes by bytes.

extension String {
    /// Whether both have the same bytes in UTF-8.
    @inline(__always)
    package func hasSameBytes(as other: String) -> Bool {
        let (bytes, others) = (utf8Span.span, other.utf8Span.span)
        return bytes.count == others.count && bytes.isEqual(to: others, at: 0, from: 0, count: bytes.count)
    }
}

extension String {
    /// Whether it is a text of ASCII, with capitals and small letters the same.
    package func isEqualIgnoringCase(to text: String) -> Bool { utf8.count == text.utf8.count && startsIgnoringCase(with: text) }

    /// Whether it begins with a text of ASCII, with capitals and small letters the same.
    package func startsIgnoringCase(with text: String) -> Bool {
        let (bytes, others) = (utf8Span.span, text.utf8Span.span)
        guard bytes.count >= others.count else { return false }
        for index in others.indices where !bytes[index].isEqualIgnoringCase(to: others[index]) { return false }
        return true
    }
}

extension UInt8 {
    fileprivate func isEqualIgnoringCase(to other: UInt8) -> Bool {
        self == other || (self | 0x20 == other | 0x20 && (self | 0x20) &- UInt8(ascii: "a") < 26)
    }
}

extension Sequence<UInt8> {
    /// Whether these are the bytes of a text of ASCII, with capitals and small letters the same.
    func isEqualIgnoringCase(to text: String) -> Bool {
        elementsEqual(text.utf8) { $0.isEqualIgnoringCase(to: $1) }
    }
}

extension Int {
    /// A number of up to 18 digits, with a sign or without one; nil for all else.
    package init?(decimal digits: some Collection<UInt8>) {
        let isNegative = digits.first == UInt8(ascii: "-")
        let digits = digits.dropFirst(isNegative ? 1 : 0)
        guard (1...18).contains(digits.count), digits.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else { return nil }
        let value = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        self = isNegative ? -value : value
    }
}
