// A response's status and headers, and which of them are wanted.

/// The head of a final response; interim ones (1xx) are skipped.
package struct ResponseHead: Sendable {
    /// In which version of HTTP a response has come.
    package enum Version: Sendable { case http10, http11, http2 }

    /// From 200 to 599 (RFC 9110 §15).
    package internal(set) var status = 0
    /// In the order of arrival, names in lower case, values without the white space around them and cut at 4096 bytes. Bytes of a
    /// value that are no UTF-8 are replaced.
    package internal(set) var headers: [(name: String, value: String)] = []

    /// In which it came, from the server or from the last proxy ahead of it.
    package internal(set) var version = Version.http11

    /// Whether the body is what it looks like, and in no content coding (RFC 9110 §8.4).
    var hasReadableBody = true

    /// The value of the first header of that name.
    ///
    /// - Parameter name: in lower case.
    package subscript(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// A header's name in lower case, or the beginning of several names.
struct HeaderPattern {
    private let text: String
    private let bytes: [UInt8]
    private let isPrefix: Bool
    private let firstWord: UInt64
    /// What of a name's first word the pattern says something about.
    private let firstWordMask: UInt64

    /// - Parameter text: as `Session.Configuration.keptHeaders` has it.
    init(_ text: String) {
        let bytes = Array(text.utf8.prefix { $0 != UInt8(ascii: "*") })
        self.text = text
        self.bytes = bytes
        isPrefix = text.hasSuffix("*")
        firstWord = bytes.span.firstWordLowercased
        firstWordMask = bytes.count < 8 ? 1 << (8 * UInt64(bytes.count)) - 1 : .max
    }

    /// - Parameter firstWord: the name's first eight bytes in lower case, which tell it from nearly all that do not match.
    /// - Returns: the name in lower case if it matches.
    func match(_ name: Span<UInt8>, _ firstWord: UInt64) -> String? {
        guard (firstWord ^ self.firstWord) & firstWordMask == 0, matchesBehindFirstWord(name) else { return nil }
        return isPrefix ? name.lowercasedText() : text
    }

    private func matchesBehindFirstWord(_ name: Span<UInt8>) -> Bool {
        guard isPrefix ? name.count >= bytes.count : name.count == bytes.count else { return false }
        var index = 8
        while index < bytes.count {
            guard name[index].lowercased == bytes[index] else { return false }
            index &+= 1
        }
        return true
    }
}
