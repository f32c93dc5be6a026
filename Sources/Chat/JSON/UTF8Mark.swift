// The byte order mark, with which some servers and editors begin a text.

/// U+FEFF at the front of a text in UTF-8. It says nothing there, and is no part of the text (RFC 3629 §6).
package enum UTF8Mark {
    /// The three bytes of it.
    package static let bytes: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// Whether a text begins with the whole mark.
    package static func begins(_ text: Span<UInt8>) -> Bool {
        guard text.count >= bytes.count else { return false }
        for offset in bytes.indices where text[offset] != bytes[offset] { return false }
        return true
    }

    /// A text without the mark at its front; all of it where there is none.
    package static func dropped(from text: [UInt8]) -> ArraySlice<UInt8> {
        begins(text.span) ? text.dropFirst(bytes.count) : text[...]
    }
}
