// Header fields that many requests have in common.

import EventLoop

/// Header fields, checked and put together once for all requests that have them.
package final class CommonFields: Sendable {
    /// Why none of the requests can be sent; nil when they can.
    let problem: HTTPError?
    /// As HTTP/1.1 has them (RFC 9112 §5).
    let lines: [UInt8]
    /// Names and values one behind the other, and where each of them ends, as HTTP/2 is given them.
    let text: [UInt8]
    let ends: [Int]
    /// As `HTTPRequest.listBytes(of:)`.
    let listBytes: Int
    /// Which of them the client need not add.
    let given: GivenFields

    package static let none = CommonFields([])

    /// Nothing is thrown for fields that cannot be sent: a request with them fails when it is started.
    package init(_ fields: [(name: String, value: String)]) {
        var given = GivenFields()
        for field in fields { given.note(field.name) }
        self.given = given
        var (lines, text): ([UInt8], [UInt8]) = ([], [])
        for field in fields { lines.appendField(field.name, field.value) }
        var ends: [Int] = []
        for part in fields.flatMap({ [$0.name, $0.value] }) {
            text.append(utf8: part)
            ends.append(text.count)
        }
        (self.lines, self.text, self.ends) = (lines, text, ends)
        listBytes = HTTPRequest.listBytes(of: fields)
        do throws(HTTPError) {
            for field in fields { try HTTPRequest.validate(field) }
            problem = nil
        } catch { problem = error }
    }
}

/// Which fields a request has that the client adds where it has them not.
struct GivenFields {
    private(set) var hasAuthorization = false
    private(set) var hasUserAgent = false
    private(set) var hasAccept = false

    mutating func note(_ name: String) {
        switch name.utf8.count {
        case 6: hasAccept = hasAccept || name.isFieldName("accept")
        case 10: hasUserAgent = hasUserAgent || name.isFieldName("user-agent")
        case 13: hasAuthorization = hasAuthorization || name.isFieldName("authorization")
        default: break
        }
    }
}
