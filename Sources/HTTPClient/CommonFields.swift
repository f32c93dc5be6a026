// Header fields that many requests have in common.

import EventLoop

/// Header fields, checked and put together once for all requests that have them.
package final class CommonFields: Sendable {
    /// Why none of the requests can be sent; nil when they can.
    let problem: HTTPError?
    let block: FieldBlock
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
        block = FieldBlock(fields)
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

/// What a client adds to requests that have it not, but for what differs from request to request.
struct ClientFields {
    /// One for each of the cases that `block(beside:acceptsCompression:)` tells apart.
    private let blocks: [FieldBlock]

    init(userAgent: String) {
        blocks = (0..<8).map { number in
            let agent = number & 1 == 0 ? [(name: "User-Agent", value: userAgent)] : []
            let accept = number & 2 == 0 ? [(name: "Accept", value: "*/*")] : []
            return FieldBlock(agent + accept + [("Accept-Encoding", number & 4 == 0 ? "identity" : "gzip, deflate, br")])
        }
    }

    func block(beside given: GivenFields, acceptsCompression: Bool) -> FieldBlock {
        blocks[(given.hasUserAgent ? 1 : 0) | (given.hasAccept ? 2 : 0) | (acceptsCompression ? 4 : 0)]
    }
}

/// Header fields as they go out.
final class FieldBlock: Sendable {
    /// As HTTP/1.1 has them (RFC 9112 §5).
    let lines: [UInt8]
    /// As HTTP/2 is given them.
    let list: FieldList

    init(_ fields: [(name: String, value: String)]) {
        var (lines, list) = ([UInt8](), FieldList())
        for field in fields {
            lines.appendField(field.name, field.value)
            list.add(field.name, field.value)
        }
        (self.lines, self.list) = (lines, list)
    }
}

/// Names and values one behind the other, and where each of them ends.
struct FieldList: Sendable {
    private(set) var text: [UInt8] = []
    private(set) var ends: [Int] = []

    mutating func add(_ name: String, _ value: String) {
        for part in [name, value] {
            text.append(utf8: part)
            ends.append(text.count)
        }
    }
}

extension [UInt8] {
    /// A line of a head (RFC 9112 §5).
    mutating func appendField(_ name: String, _ value: String) {
        append(utf8: name)
        append(UInt8(ascii: ":"))
        if !value.isEmpty { append(UInt8(ascii: " ")) }
        append(utf8: value)
        appendLineEnd()
    }

    mutating func appendLineEnd() {
        append(UInt8(ascii: "\r"))
        append(UInt8(ascii: "\n"))
    }
}
