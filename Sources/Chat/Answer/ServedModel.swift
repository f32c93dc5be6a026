/// The model that answers, as the upstream calls it, fit for a log. The caller's own words for it are not: they may be anything.
package struct ServedModel: Hashable, Sendable {
    /// As it came.
    package let name: String

    /// With all characters escaped.
    private static let bytesMax = 6 * 128 + 2

    /// - Parameters:
    ///   - value: of `model` in a chunk or a completion.
    ///   - json: the chunk or completion.
    /// - Returns: nil when it is not 1 to 128 letters, digits and `-` `_` `.` `:` `/` `@`, or a phone number.
    package init?(_ value: JSONValue, in json: Span<UInt8>) {
        guard value.range.count <= Self.bytesMax, let name = value.string(in: json),
            (1...128).contains(name.utf8.count), name.utf8.allSatisfy(\.isModelNameByte),
            !name.utf8.holdsPhoneNumber(besidesAtMost: 0)
        else { return nil }
        self.name = name
    }
}

extension UInt8 {
    fileprivate var isModelNameByte: Bool { isAlphanumeric(or: "-_.:/@") }
}
