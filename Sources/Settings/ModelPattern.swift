// Which models a setting is for.

import Chat
import Glibc

/// A model's name, or a pattern of names: `*` stands for anything, `?` for one character, `[1-9]` for one of these.
package struct ModelPattern: Hashable, Sendable, CustomStringConvertible {
    /// The pattern as it was written.
    package let description: String
    /// Whether this is one model's own name.
    package let isExact: Bool
    private let isAny: Bool
    /// What stands ahead of the first character that is special.
    private let prefix: String

    package init(_ text: String) {
        description = text
        let special = text.utf8.firstIndex { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "[") }
        isExact = special == nil
        isAny = text == "*"  // by characters: the settings' own
        prefix = String(text[..<(special ?? text.endIndex)])
    }

    /// Whether a model of this name is one of those that are meant.
    package func matches(_ model: String) -> Bool {
        if isAny { return true }
        if isExact { return model.hasSameBytes(as: description) }
        guard model.utf8.starts(with: prefix.utf8) else { return false }
        return unsafe fnmatch(description, model, FNM_NOESCAPE) == 0
    }
}
