// Header fields that many requests have in common.

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
    private let names: [String]

    package static let none = CommonFields([])

    /// Nothing is thrown for fields that cannot be sent: a request with them fails when it is started.
    package init(_ fields: [(name: String, value: String)]) {
        names = fields.map(\.name)
        let buffer = OutputBuffer()
        for field in fields { buffer.appendField(field.name, field.value) }
        lines = buffer.bytes
        buffer.removeAll()
        var ends: [Int] = []
        for part in fields.flatMap({ [$0.name, $0.value] }) {
            buffer.append(utf8: part)
            ends.append(buffer.count)
        }
        (text, self.ends) = (buffer.bytes, ends)
        listBytes = HTTPRequest.listBytes(of: fields)
        do throws(HTTPError) {
            for field in fields { try HTTPRequest.validate(field) }
            problem = nil
        } catch { problem = error }
    }

    /// - Parameter name: in lower case.
    func has(_ name: StaticString) -> Bool { names.contains { $0.isFieldName(name) } }
}
