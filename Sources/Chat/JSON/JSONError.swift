/// A document that is not JSON (RFC 8259), or one nested deeper than the limit.
///
/// Says where and which rule; never what stood there, because a body may hold secrets.
package struct JSONError: Error, Hashable, Sendable {
    /// The offset in bytes, from 0, at which the document stops being JSON.
    package let offset: Int
    /// The rule that was broken there.
    package let reason: Reason

    /// - Parameter offset: in bytes, from the document's start.
    package init(offset: Int, reason: Reason) {
        self.offset = offset
        self.reason = reason
    }

    /// The rule that was broken; the raw value is a phrase that fits after "the body is not valid JSON: ".
    package enum Reason: String, Hashable, Sendable {
        case unexpectedEnd = "the document ends too early"
        case unexpectedByte = "unexpected byte"
        case expectedName = "expected a member name in double quotes"
        case expectedColon = "expected a colon after the member name"
        case expectedCommaOrBrace = "expected a comma or a closing brace"
        case expectedCommaOrBracket = "expected a comma or a closing bracket"
        case badNumber = "malformed number"
        case badEscape = "malformed escape in a string"
        case controlCharacter = "unescaped control character in a string"
        case badUTF8 = "invalid UTF-8"
        case byteOrderMark = "a byte order mark is not allowed"
        case trailingBytes = "unexpected bytes after the document"
        case tooDeep = "nested too deeply"
        case tooManyMembers = "too many members in one object"
        case expectedObject = "expected an object"
        case expectedArray = "expected an array"
    }
}
