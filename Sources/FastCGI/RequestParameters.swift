// A request's parameters, as they came.

/// The parameters of one request (FastCGI 1.0 §5.2), which the scanner has checked.
struct RequestParameters {
    private let bytes: [UInt8]
    /// For each place that a name can have, where its first parameter begins: most look-ups find there what they want, or that there
    /// is none.
    private let starts: InlineArray<32, UInt16>

    private static let nowhere = UInt16.max

    static let none = RequestParameters([])

    /// - Parameter bytes: name-value pairs. Behind one that `NameValuePairs.check` would not let through there is none.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        // What is larger than any server sends is looked through from its start.
        let isIndexed = bytes.count < Self.nowhere
        var starts = InlineArray<32, UInt16>(repeating: isIndexed ? Self.nowhere : 0)
        var position = 0
        while isIndexed {
            let start = position
            guard let pair = bytes.span.pair(at: &position) else { break }
            let place = Self.place(of: bytes.span.extracting(pair.name))
            if starts[place] == Self.nowhere { starts[place] = UInt16(start) }
        }
        self.starts = starts
    }

    /// The value of a parameter, `nil` when there is none; of duplicates the first. Bytes that are no UTF-8 become U+FFFD.
    subscript(_ name: StaticString) -> String? {
        var position: Int?
        guard let value = value(of: name, from: &position) else { return nil }
        return unsafe bytes.span.extracting(value).withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// Whether there is more than one of that name.
    func isRepeated(_ name: StaticString) -> Bool {
        var position: Int?
        return value(of: name, from: &position) != nil && value(of: name, from: &position) != nil
    }

    /// - Parameter next: where to look from on, nil at first; then behind what was found.
    private func value(of name: StaticString, from next: inout Int?) -> Range<Int>? {
        let bytes = bytes.span
        let wanted = unsafe Span(_unsafeStart: name.utf8Start, count: name.utf8CodeUnitCount)
        let start = starts[Self.place(of: wanted)]
        guard start != Self.nowhere else { return nil }
        var position = next ?? Int(start)
        defer { next = position }
        while let pair = bytes.pair(at: &position) {
            guard pair.middle &- pair.start == wanted.count else { continue }
            if wanted.indices.allSatisfy({ bytes[pair.start &+ $0] == wanted[$0] }) { return pair.value }
        }
        return nil
    }

    /// Names differ most in their length and at their end.
    @inline(always)
    private static func place(of name: Span<UInt8>) -> Int {
        guard !name.isEmpty else { return 0 }
        return (name.count &+ 4 &* Int(name[name.count &- 1])) % 32
    }
}
