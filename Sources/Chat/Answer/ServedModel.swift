/// The model that answers, as the upstream calls it, fit for a log. The caller's own words for it are not: they may be anything. Some
/// upstreams repeat those.
package struct ServedModel: Hashable, Sendable {
    /// As it came.
    package let name: String

    /// With all characters escaped.
    private static let bytesMax = 6 * 128 + 2

    /// - Parameters:
    ///   - value: of `model` in a chunk or a completion.
    ///   - json: the chunk or completion.
    /// - Returns: nil when it is not 1 to 128 letters, digits and `-` `_` `.` `:` `/` `@`, or a phone number, or holds one or what is like a
    ///   key.
    package init?(_ value: JSONValue, in json: Span<UInt8>) {
        guard value.range.count <= Self.bytesMax, let name = value.string(in: json),
            (1...128).contains(name.utf8.count), name.utf8.allSatisfy(\.isModelNameByte),
            !name.utf8.holdsPhoneNumber(besidesAtMost: 0), !name.utf8.hasPhoneNumberAsPart, !ErrorWords.holdsKey(name)
        else { return nil }
        self.name = name
    }
}

extension String.UTF8View {
    /// Whether one of its parts has the digits of a phone number and no letter. Eight digits may be a day, as in `claude-3@20241022`.
    fileprivate var hasPhoneNumberAsPart: Bool {
        let ends = "/:@".utf8
        return split { ends.contains($0) }.contains { part in
            (9...15).contains(part.count { $0.isDigit }) && !part.contains { $0.isLetter }
        }
    }
}

extension UInt8 {
    fileprivate var isModelNameByte: Bool { isAlphanumeric(or: "-_.:/@") }
}
