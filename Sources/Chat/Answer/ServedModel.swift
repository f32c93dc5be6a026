/// The model that answers, as the upstream calls it, fit for a log. The caller's own words for it are not: they may be anything.
/// Some upstreams repeat those.
package struct ServedModel: Hashable, Sendable {
    /// As it came.
    package let name: String

    /// - Parameters:
    ///   - value: of `model` in a chunk or a completion.
    ///   - json: the chunk or completion.
    ///   - key: what may not stand in it.
    /// - Returns: nil when it is no plain name, or has a secret in it.
    package init?(_ value: JSONValue, in json: Span<UInt8>, hiding key: UpstreamKey) {
        guard let name = value.plainName(in: json, hiding: key) else { return nil }
        self.name = name
    }
}

extension String {
    /// How long a plain name may be, in bytes.
    package static let plainNameBytesMax = 128

    /// Whether it may be told where the texts of others may not: 1 to 128 letters, digits and `-` `_` `.` `:` `/` `@`, and no
    /// phone number, nor one that holds one or what is like a key.
    package var isPlainName: Bool {
        let bytes = utf8Span.span
        guard (1...Self.plainNameBytesMax).contains(bytes.count) else { return false }
        var digitsCount = 0
        for index in bytes.indices {
            guard bytes[index].isPlainNameByte else { return false }
            if bytes[index].isDigit { digitsCount += 1 }
        }
        return !(digitsCount >= String.UTF8View.phoneNumberDigits.lowerBound && holdsPhoneNumber) && !ErrorWords.holdsKey(self)
    }

    private var holdsPhoneNumber: Bool { utf8.holdsPhoneNumber(besidesAtMost: 0) || utf8.hasPhoneNumberAsPart }
}

extension JSONValue {
    /// With all characters escaped.
    private static let plainNameBytesMax = 6 * String.plainNameBytesMax + 2

    /// Shorter ones, as "ollama", are hardly secrets, and may be parts of names. Words of errors mask from 4 bytes on.
    private static let secretInNameBytesMin = 8

    /// The text of a string that is a plain name; nil for all else, and for one that has a secret in it: metrics and traces are
    /// read by others than those who may know that.
    package func plainName(in document: Span<UInt8>, hiding key: UpstreamKey) -> String? {
        guard range.count <= Self.plainNameBytesMax, let name = string(in: document), name.isPlainName else { return nil }
        let bytes = Array(name.utf8)
        let hasSecret = key.secrets.contains { $0.count >= Self.secretInNameBytesMin && ErrorWords.holds(bytes, $0) }
        return hasSecret ? nil : name
    }
}

extension String.UTF8View {
    /// Whether one of its parts has the digits of a phone number and no letter. Eight digits may be a day, as in
    /// `claude-3@20241022`.
    fileprivate var hasPhoneNumberAsPart: Bool {
        var (digitsCount, hasLetter) = (0, false)
        for byte in self {
            switch byte {
            case UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "@"):
                if (9...15).contains(digitsCount), !hasLetter { return true }
                (digitsCount, hasLetter) = (0, false)
            default:
                if byte.isDigit { digitsCount += 1 }
                hasLetter = hasLetter || byte.isLetter
            }
        }
        return (9...15).contains(digitsCount) && !hasLetter
    }
}

extension UInt8 {
    fileprivate var isPlainNameByte: Bool { isAlphanumeric(or: "-_.:/@") }
}
