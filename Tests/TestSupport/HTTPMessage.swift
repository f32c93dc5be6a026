/// The start line and the fields of an HTTP/1.1 message, or what curl shows of an HTTP/2 one.
package struct HTTPHead: Sendable {
    package let startLine: String
    package let fields: [(name: String, value: String)]

    /// The first field of that name, in any case.
    package subscript(name: String) -> String? {
        fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// Of a response.
    package var status: Int {
        let words = startLine.split(separator: " ")
        return words.count > 1 ? Int(words[1]) ?? 0 : 0
    }

    /// Of a request: method, target, version.
    var words: [String] { startLine.split(separator: " ").map(String.init) }
}

struct MalformedHTTP: Error, CustomStringConvertible {
    let description: String
}

/// Reads HTTP/1.1 messages from a blocking socket or pipe; body bytes are handed on as they arrive.
struct HTTPReader {
    private let socket: Socket
    private var buffer: [UInt8] = []
    private var start = 0

    init(_ socket: Socket) {
        self.socket = socket
    }

    /// The next head; nil at the end of file.
    mutating func head() throws -> HTTPHead? {
        guard let startLine = try line() else { return nil }
        guard startLine.hasPrefix("HTTP/") || startLine.hasSuffix("HTTP/1.1") || startLine.hasSuffix("HTTP/1.0") else {
            throw MalformedHTTP(description: "not HTTP: \(startLine)")
        }
        var fields: [(name: String, value: String)] = []
        while let field = try line(), !field.isEmpty {
            guard let colon = field.firstIndex(of: ":") else { throw MalformedHTTP(description: "field: \(field)") }
            let value = field[field.index(after: colon)...]
            fields.append((String(field[..<colon]), String(value.drop { $0 == " " })))
        }
        return HTTPHead(startLine: startLine, fields: fields)
    }

    /// Reads a body.
    ///
    /// - Returns: whether the body is complete; a body that ends with the connection always is.
    mutating func body(of head: HTTPHead, endsWithConnection: Bool, each: ([UInt8]) -> Void) throws -> Bool {
        if head["Transfer-Encoding"]?.lowercased() == "chunked" {
            return try chunks(each)
        }
        if let length = head["Content-Length"].flatMap({ Int($0) }) {
            return try exactly(length, each)
        }
        if endsWithConnection { try rest(each) }
        return true
    }

    /// Reads to the end of file.
    mutating func rest(_ each: ([UInt8]) -> Void) throws {
        while case let bytes = try some(), !bytes.isEmpty { each(bytes) }
    }

    private mutating func chunks(_ each: ([UInt8]) -> Void) throws -> Bool {
        while true {
            guard let size = try line() else { return false }
            guard let length = Int(size.prefix { $0 != ";" }, radix: 16) else {
                throw MalformedHTTP(description: "chunk size: \(size)")
            }
            guard try length == 0 || exactly(length, each) else { return false }
            guard let end = try line() else { return false }
            guard end.isEmpty else { throw MalformedHTTP(description: "after a chunk: \(end)") }
            if length == 0 { return true }
        }
    }

    private mutating func exactly(_ count: Int, _ each: ([UInt8]) -> Void) throws -> Bool {
        var missing = count
        while missing > 0 {
            let bytes = try some(max: missing)
            if bytes.isEmpty { return false }
            missing -= bytes.count
            each(bytes)
        }
        return true
    }

    /// What is there, at least one byte; none at the end of file.
    private mutating func some(max: Int = .max) throws -> [UInt8] {
        guard try start < buffer.count || fill() else { return [] }
        let end = Swift.min(buffer.count, max == .max ? .max : start + max)
        defer { start = end }
        return Array(buffer[start..<end])
    }

    /// A line without its end; nil at the end of file.
    private mutating func line() throws -> String? {
        var seen = start
        while true {
            if let end = buffer[seen...].firstIndex(of: 0x0a) {
                defer { start = end + 1 }
                let text = buffer[start..<end]
                return String(decoding: text.last == 0x0d ? text.dropLast() : text, as: UTF8.self)
            }
            let searched = buffer.count - start
            guard try fill() else { return nil }
            seen = start + searched
        }
    }

    private mutating func fill() throws -> Bool {
        let bytes = try socket.read()
        buffer.removeSubrange(..<start)
        start = 0
        buffer += bytes
        return !bytes.isEmpty
    }
}
