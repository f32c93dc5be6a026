// Name-value pairs (FastCGI 1.0 §3.4): checked before libfcgi sees them, and read for GET_VALUES.

/// Walks name-value pairs without trusting any length in them.
package struct NameValuePairs: Sendable {
    private let bytes: [UInt8]
    private var position = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The ranges of the next pair in the bytes; `nil` at the end.
    ///
    /// - Throws: `Refusal.malformedParameters` when a length points beyond the bytes.
    package mutating func next() throws(Refusal) -> (name: Range<Int>, value: Range<Int>)? {
        guard position < bytes.count else { return nil }
        let nameLength = try length()
        let valueLength = try length()
        guard nameLength + valueLength <= bytes.count - position else { throw .malformedParameters }
        let name = position..<position + nameLength
        let value = name.upperBound..<name.upperBound + valueLength
        position = value.upperBound
        return (name, value)
    }

    /// One byte up to 127, else four with the highest bit set.
    private mutating func length() throws(Refusal) -> Int {
        guard position < bytes.count else { throw .malformedParameters }
        let first = bytes[position]
        guard first & 0x80 != 0 else {
            position += 1
            return Int(first)
        }
        guard bytes.count - position >= 4 else { throw .malformedParameters }
        defer { position += 4 }
        return Int(first & 0x7F) << 24 | Int(bytes[position + 1]) << 16 | Int(bytes[position + 2]) << 8
            | Int(bytes[position + 3])
    }

    /// Checks parameters that libfcgi will store as C strings of the form `NAME=value`: a NUL would hide what follows it,
    /// and an equals sign in a name would make it another name.
    package static func check(_ bytes: [UInt8]) throws(Refusal) {
        var pairs = NameValuePairs(bytes)
        while let (name, value) = try pairs.next() {
            for index in name where bytes[index] == 0 || bytes[index] == UInt8(ascii: "=") { throw .malformedParameters }
            for index in value where bytes[index] == 0 { throw .malformedParameters }
        }
    }
}

extension [UInt8] {
    /// Appends a pair; both lengths below 2³¹.
    package mutating func appendPair(name: [UInt8], value: [UInt8]) {
        for length in [name.count, value.count] {
            if length < 128 {
                append(UInt8(length))
            } else {
                let length = UInt32(length) | 0x8000_0000
                for shift in [24, 16, 8, 0] as [UInt32] { append(UInt8(length >> shift & 0xFF)) }
            }
        }
        append(contentsOf: name)
        append(contentsOf: value)
    }

    /// The `GET_VALUES_RESULT` (FastCGI 1.0 §4.1) for the names in `query`, each answered once, unknown ones left out.
    package mutating func appendValuesResult(query: [UInt8], requestsMax: Int) throws(Refusal) {
        let limit = [UInt8](String(requestsMax).utf8)
        let known: [(name: [UInt8], value: [UInt8])] = [
            ([UInt8]("FCGI_MAX_CONNS".utf8), limit),
            ([UInt8]("FCGI_MAX_REQS".utf8), limit),
            ([UInt8]("FCGI_MPXS_CONNS".utf8), [UInt8(ascii: "0")]),
        ]
        var isAsked = [false, false, false]
        var pairs = NameValuePairs(query)
        while let pair = try pairs.next() {
            for index in known.indices where query[pair.name].elementsEqual(known[index].name) { isAsked[index] = true }
        }
        var result: [UInt8] = []
        for index in known.indices where isAsked[index] {
            result.appendPair(name: known[index].name, value: known[index].value)
        }
        appendRecord(.getValuesResult, requestID: 0, content: result[...])
    }
}
