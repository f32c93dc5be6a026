// Which models a setting is for.

import Chat
import Glibc

/// A model's name, or a pattern of names: `*` stands for anything, `?` for one character, `[1-9]` for one of these.
package struct ModelPattern: Hashable, Sendable, CustomStringConvertible {
    /// How long one may be in the settings.
    static let bytesMax = 256

    /// The pattern as it was written.
    package let description: String
    /// Whether this is one model's own name.
    package let isExact: Bool
    /// Whether it is `*`.
    package let isAny: Bool
    /// What stands ahead of the first character that is special.
    private let prefix: [UInt8]
    /// Whether nothing but one `*` stands behind that.
    private let isPrefix: Bool

    /// - Parameter text: as in the settings; a `[` that is left open in it stands for itself.
    package init(_ text: String) {
        description = text
        let special = text.utf8.firstIndex { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "[") }
        isExact = special == nil
        isAny = text == "*"  // by characters: the settings' own
        prefix = [UInt8](text.utf8[..<(special ?? text.endIndex)])
        isPrefix = special.map { text[$0...] == "*" } ?? false  // by characters: the settings' own
    }

    /// Whether a `[` is left open, which then stands for itself.
    var hasOpenBracket: Bool {
        var rest = description.utf8[...]
        while let start = rest.firstIndex(of: UInt8(ascii: "[")) {
            rest = rest[start...].dropFirst()
            if rest.first == UInt8(ascii: "!") || rest.first == UInt8(ascii: "^") { rest = rest.dropFirst() }
            // A ']' that comes first is one of the characters.
            guard let end = rest.dropFirst().firstIndex(of: UInt8(ascii: "]")) else { return true }
            rest = rest[end...].dropFirst()
        }
        return false
    }

    /// Whether it covers another one as far as their beginnings tell, which is found out quickly.
    func mayCover(_ other: ModelPattern) -> Bool { other.prefix.starts(with: prefix) }

    /// Whether it matches all that another one does. Of two patterns this is told for those alone that are a beginning and a `*`.
    func covers(_ other: ModelPattern) -> Bool {
        if other.isExact { return matches(other.description) }
        return isPrefix && mayCover(other)
    }

    /// Whether there may be a model that both match. Of two patterns no more than their beginnings tells that.
    func mayMeet(_ other: ModelPattern) -> Bool {
        if other.isExact { return matches(other.description) }
        if isExact { return other.matches(description) }
        return mayCover(other) || other.mayCover(self)
    }

    /// Whether a model of this name is one of those that are meant.
    package func matches(_ model: String) -> Bool {
        if isAny { return true }
        if isExact { return model.hasSameBytes(as: description) }
        guard hasPrefix(model) else { return false }
        if isPrefix { return true }
        // fnmatch sees what is ahead of a NUL alone.
        guard !model.utf8.contains(0) else { return false }
        return unsafe fnmatch(description, model, FNM_NOESCAPE) == 0
    }

    /// Whether a model's name begins as the pattern does.
    private func hasPrefix(_ model: String) -> Bool {
        let bytes = model.utf8Span.span
        guard bytes.count >= prefix.count else { return false }
        for index in prefix.indices where bytes[index] != prefix[index] { return false }
        return true
    }
}
