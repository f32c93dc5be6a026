// A response's status and headers, and which of them are wanted.

/// The head of a final response; interim ones (1xx) are skipped.
package struct ResponseHead: Sendable {
    package internal(set) var status = 0
    /// In the order of arrival, names in lower case, values without the white space around them and cut at 4096 bytes. Bytes of a
    /// value that are no UTF-8 are replaced.
    package internal(set) var headers: [(name: String, value: String)] = []

    /// Whether the body is what it looks like, and in no content coding (RFC 9110 §8.4).
    var hasReadableBody = true

    /// The value of the first header of that name.
    ///
    /// - Parameter name: in lower case.
    package subscript(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// A header's name in lower case, or the beginning of several names.
struct HeaderPattern {
    private let bytes: [UInt8]
    private let isPrefix: Bool

    /// - Parameter text: as `Session.Configuration.keptHeaders` has it.
    init(_ text: String) {
        isPrefix = text.hasSuffix("*")
        bytes = Array(text.utf8.prefix { $0 != UInt8(ascii: "*") })
    }

    func matches(_ name: Span<UInt8>) -> Bool {
        guard isPrefix ? name.count >= bytes.count : name.count == bytes.count else { return false }
        for index in bytes.indices where name[index].lowercased != bytes[index] { return false }
        return true
    }
}
