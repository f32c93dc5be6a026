// Which models a setting is for.

import Glibc

/// A model's name, or a pattern of names: `*` stands for anything, `?` for one character, `[1-9]` for one of these.
struct ModelPattern: Hashable, Sendable, CustomStringConvertible {
    let description: String

    init(_ text: String) { description = text }

    /// Whether this is one model's own name.
    var isExact: Bool {
        !description.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "[") }
    }

    func matches(_ model: String) -> Bool {
        isExact ? model == description : unsafe fnmatch(description, model, FNM_NOESCAPE) == 0
    }
}
