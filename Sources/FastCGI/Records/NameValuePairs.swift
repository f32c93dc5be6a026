// Name-value pairs (FastCGI 1.0 §3.4): a request's parameters, and what GET_VALUES asks for.

import Glibc

/// Walks name-value pairs without trusting any length in them.
package struct NameValuePairs: Sendable {
    private let bytes: [UInt8]
    private var position = 0

    /// - Parameter bytes: a whole stream's content, unchecked.
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The ranges of the next pair in the bytes; `nil` at the end.
    ///
    /// - Throws: `ConnectionRefusal.malformedParameters` when a length points beyond the bytes.
    package mutating func next() throws(ConnectionRefusal) -> (name: Range<Int>, value: Range<Int>)? {
        guard position < bytes.count else { return nil }
        let bytes = bytes
        guard let pair = bytes.span.pair(at: &position) else { throw .malformedParameters }
        return (pair.name, pair.value)
    }

    private static let contentLength: StaticString = "CONTENT_LENGTH"

    /// What a request's parameters are good for.
    package enum Verdict: Equatable, Sendable {
        /// The number that `CONTENT_LENGTH` is; `nil` when there is none, as when a server leaves it empty or says −1.
        case usable(contentLength: Int?)
        /// One has what no variable of the form `NAME=value` can have (RFC 3875 §4.1).
        case unusable
    }

    /// Checks a request's parameters, once and for all: a NUL would hide what follows it from whoever reads a C string, and an equals
    /// sign in a name would make it another name.
    ///
    /// - Throws: as `next()`.
    package static func check(_ bytes: [UInt8]) throws(ConnectionRefusal) -> Verdict {
        var pairs = NameValuePairs(bytes)
        var contentLength: Int?
        while let (name, value) = try pairs.next() {
            let pair = name.lowerBound..<value.upperBound
            guard !bytes.has(0, in: pair), !bytes.has(UInt8(ascii: "="), in: name) else { return .unusable }
            if contentLength == nil, bytes.equals(Self.contentLength, in: name) {
                contentLength = bytes.number(in: value)
            }
        }
        return .usable(contentLength: contentLength)
    }
}

extension Span<UInt8> {
    /// Where a pair's name begins, its value, and where that ends.
    struct Pair {
        let start: Int
        let middle: Int
        let end: Int

        var name: Range<Int> { start..<middle }
        var value: Range<Int> { middle..<end }
    }

    /// The pair that begins at a position, which is then behind it; nil where a length points beyond the bytes.
    @inline(always)
    func pair(at position: inout Int) -> Pair? {
        guard let (nameLength, valueLength) = shortLengths(at: &position) ?? lengths(at: &position) else { return nil }
        guard nameLength &+ valueLength <= count &- position else { return nil }
        let pair = Pair(start: position, middle: position &+ nameLength, end: position &+ nameLength &+ valueLength)
        position = pair.end
        return pair
    }

    /// Both lengths, if each is a single byte: nearly all are, and each look-up passes all of them.
    ///
    /// - Precondition: the position is not negative.
    @inline(always)
    private func shortLengths(at position: inout Int) -> (name: Int, value: Int)? {
        guard count &- position >= 2 else { return nil }
        let (first, second) = unsafe (self[unchecked: position], self[unchecked: position &+ 1])
        guard first | second < 0x80 else { return nil }
        position &+= 2
        return (Int(first), Int(second))
    }

    private func lengths(at position: inout Int) -> (name: Int, value: Int)? {
        guard let name = length(at: &position), let value = length(at: &position) else { return nil }
        return (name, value)
    }

    /// One byte up to 127, else four with the highest bit set.
    @inline(always)
    private func length(at position: inout Int) -> Int? {
        guard position < count else { return nil }
        let first = self[position]
        guard first & 0x80 != 0 else {
            position &+= 1
            return Int(first)
        }
        guard count &- position >= 4 else { return nil }
        defer { position &+= 4 }
        return Int(first & 0x7F) << 24 | Int(self[position + 1]) << 16 | Int(self[position + 2]) << 8 | Int(self[position + 3])
    }
}

extension [UInt8] {
    fileprivate func has(_ byte: UInt8, in range: Range<Int>) -> Bool {
        guard !range.isEmpty else { return false }
        return unsafe withUnsafeBytes { unsafe memchr($0.baseAddress! + range.lowerBound, Int32(byte), range.count) != nil }
    }

    fileprivate func equals(_ text: StaticString, in range: Range<Int>) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        return unsafe withUnsafeBytes {
            unsafe memcmp($0.baseAddress! + range.lowerBound, text.utf8Start, range.count) == 0
        }
    }

    /// The number whose digits these are, up to 18 of them.
    fileprivate func number(in range: Range<Int>) -> Int? {
        guard (1...18).contains(range.count) else { return nil }
        var number = 0
        for byte in self[range] {
            guard 0x30...0x39 ~= byte else { return nil }
            number = number * 10 + Int(byte - 0x30)
        }
        return number
    }

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
    package mutating func appendValuesResult(query: [UInt8], requestsMax: Int) throws(ConnectionRefusal) {
        let known = [("FCGI_MAX_CONNS", requestsMax), ("FCGI_MAX_REQS", requestsMax), ("FCGI_MPXS_CONNS", 0)]
        var isAsked = [false, false, false]
        var pairs = NameValuePairs(query)
        while let (asked, _) = try pairs.next() {
            for (index, (name, _)) in known.enumerated() where query[asked].elementsEqual(name.utf8) { isAsked[index] = true }
        }
        var result: [UInt8] = []
        for (index, (name, value)) in known.enumerated() where isAsked[index] {
            result.appendPair(name: [UInt8](name.utf8), value: [UInt8](String(value).utf8))
        }
        appendRecord(.getValuesResult, requestID: 0, content: result[...])
    }
}
