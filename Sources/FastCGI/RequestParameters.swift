// A request's parameters, as they came.

/// The parameters of one request (FastCGI 1.0 §5.2), which the scanner has checked.
struct RequestParameters {
    private let bytes: [UInt8]

    /// - Parameter bytes: name-value pairs; of those that `NameValuePairs.check` would refuse, what stands behind the fault is none.
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The value of a parameter, `nil` when there is none; of duplicates the first. Bytes that are no UTF-8 become U+FFFD.
    subscript(_ name: StaticString) -> String? {
        var pairs = NameValuePairs(bytes)
        return value(of: name, &pairs).map { String(decoding: bytes[$0], as: UTF8.self) }
    }

    /// Whether there is more than one of that name.
    func isRepeated(_ name: StaticString) -> Bool {
        var pairs = NameValuePairs(bytes)
        return value(of: name, &pairs) != nil && value(of: name, &pairs) != nil
    }

    private func value(of name: StaticString, _ pairs: inout NameValuePairs) -> Range<Int>? {
        while let pair = try? pairs.next() {
            if bytes.equals(name, in: pair.name) { return pair.value }
        }
        return nil
    }
}
