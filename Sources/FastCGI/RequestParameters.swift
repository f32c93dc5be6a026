// A request's parameters, as they came.

/// The parameters of one request (FastCGI 1.0 §5.2), which the scanner has checked.
struct RequestParameters {
    private let bytes: [UInt8]

    /// - Parameter bytes: name-value pairs. Behind one that `NameValuePairs.check` would not let through there is none.
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The value of a parameter, `nil` when there is none; of duplicates the first. Bytes that are no UTF-8 become U+FFFD.
    subscript(_ name: StaticString) -> String? {
        var position = 0
        guard let value = value(of: name, from: &position) else { return nil }
        return unsafe bytes.span.extracting(value).withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// Whether there is more than one of that name.
    func isRepeated(_ name: StaticString) -> Bool {
        var position = 0
        return value(of: name, from: &position) != nil && value(of: name, from: &position) != nil
    }

    /// - Parameter position: where to look from on; then behind what was found.
    private func value(of name: StaticString, from position: inout Int) -> Range<Int>? {
        let bytes = bytes.span
        let wanted = unsafe Span(_unsafeStart: name.utf8Start, count: name.utf8CodeUnitCount)
        while let pair = bytes.pair(at: &position) {
            guard pair.middle &- pair.start == wanted.count else { continue }
            if wanted.indices.allSatisfy({ bytes[pair.start &+ $0] == wanted[$0] }) { return pair.value }
        }
        return nil
    }
}
