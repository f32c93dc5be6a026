// A second reading of RFC 9112, slow and plain: everything is looked at anew, in one piece, and no state is kept.

/// What stands at the beginning of some bytes.
enum Verdict: Equatable {
    case whole(status: Int, body: [UInt8], usedBytes: Int, allowsReuse: Bool)
    /// Whole if the connection's end is an orderly one.
    case untilClose(status: Int, body: [UInt8])
    case unfinished(body: [UInt8])
    case refused
}

/// RFC 9112's rules as they stand there, with what is tolerated. Made once: a regular expression is compiled at its first use.
struct Grammar {
    let statusLine = /HTTP\/1\.([01]) ([0-9]{3})( [^\r\u{0}]*)?/.matchingSemantics(.unicodeScalar)
    let field = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([^\r\u{0}]*)/.matchingSemantics(.unicodeScalar)
    let oddField = /(|[^ \t:\r\u{0}][^:\r\u{0}]*):([^\r\u{0}]*)/.matchingSemantics(.unicodeScalar)
    let token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/.matchingSemantics(.unicodeScalar)
    let chunkSize = /([0-9A-Fa-f]{1,16})[ \t]*(;[^\r\u{0}]*)?/.matchingSemantics(.unicodeScalar)
}

/// Reads one response out of all the bytes there are.
struct ReferenceReader {
    private enum Stop: Error { case unfinished, refused }

    private let bytes: [UInt8]
    private let asked: Asked
    private let grammar: Grammar
    private var place = 0
    private var body: [UInt8] = []

    private init(bytes: [UInt8], asked: Asked, grammar: Grammar) {
        (self.bytes, self.asked, self.grammar) = (bytes, asked, grammar)
    }

    static func read(_ bytes: [UInt8], for asked: Asked, by grammar: Grammar) -> Verdict {
        var reader = ReferenceReader(bytes: bytes, asked: asked, grammar: grammar)
        do {
            return try reader.response()
        } catch {
            return error == .unfinished ? .unfinished(body: reader.body) : .refused
        }
    }

    private mutating func response() throws(Stop) -> Verdict {
        var head = try head(isFirst: true)
        var interims = 0
        while head.status < 200 {
            interims += 1
            guard interims <= 16 else { throw .refused }
            head = try self.head(isFirst: false)
        }
        guard head.hasBody(asked) else { return whole(head) }
        guard let length = head.length else { return .untilClose(status: head.status, body: Array(bytes[place...])) }
        try readBody(length)
        return whole(head)
    }

    private func whole(_ head: ReferenceHead) -> Verdict {
        .whole(status: head.status, body: body, usedBytes: place, allowsReuse: head.allowsReuse)
    }

    private mutating func head(isFirst: Bool) throws(Stop) -> ReferenceHead {
        var line = try statusLine()
        for _ in 0..<2 where isFirst && line.isEmpty { line = try statusLine() }
        guard var head = ReferenceHead(statusLine: line, grammar) else { throw .refused }
        while true {
            let line = try self.line(limit: 65536, of: 0)
            if line.isEmpty { break }
            guard head.add(line) else { throw .refused }
        }
        guard head.isAllowed(asked) else { throw .refused }
        return head
    }

    private mutating func readBody(_ length: ReferenceHead.Length) throws(Stop) {
        guard case .bytes(let count) = length else { return try readChunks() }
        try take(count)
    }

    private mutating func take(_ count: Int) throws(Stop) {
        let taken = min(count, bytes.count - place)
        body += bytes[place..<place + taken]
        place += taken
        guard taken == count else { throw .unfinished }
    }

    private mutating func readChunks() throws(Stop) {
        while true {
            let line = try line(limit: 4096, of: place)
            guard let size = chunkSize(line) else { throw .refused }
            if size == 0 { break }
            try take(size)
            for end: UInt8 in [0x0D, 0x0A] {
                guard place < bytes.count else { throw .unfinished }
                if bytes[place] == end { place += 1 } else if end == 0x0A { throw .refused }
            }
        }
        try readTrailer()
    }

    private mutating func readTrailer() throws(Stop) {
        let start = place
        var trailer = ReferenceHead(grammar)
        while true {
            let line = try line(limit: 65536, of: start)
            if line.isEmpty { return }
            guard trailer.addAny(line) else { throw .refused }
        }
    }

    /// - Parameter limit: how far behind `start` it may end.
    private mutating func line(limit: Int, of start: Int) throws(Stop) -> [UInt8] {
        guard let end = bytes[place...].firstIndex(of: 0x0A) else {
            throw bytes.count - start > limit ? .refused : .unfinished
        }
        guard end + 1 - start <= limit else { throw .refused }
        var line = Array(bytes[place..<end])
        if line.last == 0x0D { line.removeLast() }
        place = end + 1
        return line
    }

    private mutating func statusLine() throws(Stop) -> [UInt8] {
        if place < bytes.count, ![0x48, 0x0D, 0x0A].contains(bytes[place]) { throw .refused }
        return try line(limit: 65536, of: 0)
    }

    private func chunkSize(_ line: [UInt8]) -> Int? {
        guard let match = String(decoding: line, as: UTF8.self).wholeMatch(of: grammar.chunkSize) else { return nil }
        guard let size = UInt64(match.1, radix: 16), size <= 1 << 53 else { return nil }
        return Int(size)
    }
}

/// A head as a list of lines.
struct ReferenceHead {
    enum Length { case bytes(Int), chunked }

    var status = 0
    private var minor = 1
    private(set) var fields: [(name: String, value: String)] = []

    private let grammar: Grammar

    init(_ grammar: Grammar) { self.grammar = grammar }

    init?(statusLine: [UInt8], _ grammar: Grammar) {
        let text = String(decoding: statusLine, as: UTF8.self)
        guard let match = text.wholeMatch(of: grammar.statusLine), let status = Int(match.2), let minor = Int(match.1) else {
            return nil
        }
        (self.status, self.minor, self.grammar) = (status, minor, grammar)
    }

    /// Whether it is a field, or one that may be left out: its name is no token, and no part of it is that of a field that matters.
    mutating func addAny(_ line: [UInt8]) -> Bool {
        let text = String(decoding: line, as: UTF8.self)
        guard let match = text.wholeMatch(of: grammar.field) else {
            guard let odd = text.wholeMatch(of: grammar.oddField) else { return false }
            let words = odd.1.lowercased().matches(of: grammar.token).map { String($0.0) }
            return Set(words).isDisjoint(with: ["connection", "content-length", "content-encoding", "transfer-encoding"])
        }
        fields.append((match.1.lowercased(), trimmed(match.2)))
        return true
    }

    /// Whether it is a field that goes together with those before.
    mutating func add(_ line: [UInt8]) -> Bool {
        guard addAny(line) else { return false }
        let lengths = list("content-length").map { $0.allSatisfy(\.isASCIIDigit) ? Int($0) : nil }
        guard lengths.allSatisfy({ $0 != nil && $0 == lengths[0] && ($0 ?? 0) <= 1 << 53 }) else { return false }
        return list("transfer-encoding").allSatisfy { ["", "chunked"].contains($0) }
    }

    func isAllowed(_ asked: Asked) -> Bool {
        guard (100...599).contains(status), status != 101 else { return false }
        if status < 200 { return true }
        if asked == .connect, status < 300 { return true }
        if status == 204 || status == 304 { return true }
        let hasCoding = has("transfer-encoding")
        guard !hasCoding || minor == 1 && list("transfer-encoding").contains("chunked") else { return false }
        // What says why there is no answer need not be read.
        return asked != .get || status >= 300 || list("content-encoding").allSatisfy { $0.isEmpty || $0 == "identity" }
    }

    func hasBody(_ asked: Asked) -> Bool {
        !(asked == .head || status == 204 || status == 304 || asked == .connect && status < 300)
    }

    var length: Length? {
        if list("transfer-encoding").contains("chunked") { return .chunked }
        return list("content-length").first.map { .bytes(Int($0) ?? 0) }
    }

    private func has(_ name: String) -> Bool { fields.contains { $0.name == name } }

    var allowsReuse: Bool {
        let options = list("connection")
        let hasTwoLengths = has("transfer-encoding") && !list("content-length").isEmpty
        let isChunkedTwice = list("transfer-encoding").count { $0 == "chunked" } > 1
        let isMore = has("transfer-encoding") || list("content-length").contains { Int($0) != 0 }
        if status == 204, isMore { return false }
        return !options.contains("close") && !hasTwoLengths && !isChunkedTwice && (minor == 1 || options.contains("keep-alive"))
    }

    private func list(_ name: String) -> [String] {
        fields.filter { $0.name == name }.flatMap { field in
            field.value.unicodeScalars.split(separator: ",", omittingEmptySubsequences: false)
                .map { trimmed(Substring($0)).lowercased() }
        }
    }

    private func trimmed(_ text: Substring) -> String {
        let isBlank = { (scalar: Unicode.Scalar) in scalar == " " || scalar == "\t" }
        var scalars = text.unicodeScalars[...]
        while let first = scalars.first, isBlank(first) { scalars.removeFirst() }
        while let last = scalars.last, isBlank(last) { scalars.removeLast() }
        return String(scalars)
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
