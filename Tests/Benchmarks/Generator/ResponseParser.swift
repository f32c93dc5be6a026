// An HTTP/1.1 response, piece by piece (RFC 9112 §6–7).

struct ResponseError: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// Takes the bytes of a response as they arrive and gives back those of its body.
struct ResponseParser {
    private enum State: Equatable {
        case head, chunkSize, chunk(left: Int), chunkEnd, trailer, counted(left: Int), untilClose, complete
    }
    private var state = State.head
    private var line: [UInt8] = []
    private var isChunked = false
    private var length: Int?

    /// The status, once its line has arrived.
    private(set) var status: Int?
    /// Whether the server said that it will close the connection afterwards.
    private(set) var closes = false

    var isComplete: Bool { state == .complete }

    /// Whether the response was whole when the connection ended.
    var isCompleteAtClose: Bool { state == .complete || state == .untilClose }

    /// The next piece of the body; `nil` when `input` is used up or the response is complete.
    mutating func nextPiece(of input: inout ArraySlice<UInt8>) throws(ResponseError) -> ArraySlice<UInt8>? {
        while !input.isEmpty {
            switch state {
            case .complete: return nil
            case .untilClose: return Self.take(input.count, of: &input)
            case .chunk(let left): return piece(of: &input, left: left, next: .chunkEnd) { .chunk(left: $0) }
            case .counted(let left): return piece(of: &input, left: left, next: .complete) { .counted(left: $0) }
            case .head, .chunkSize, .chunkEnd, .trailer: try takeLine(of: &input)
            }
        }
        return nil
    }

    private mutating func piece(
        of input: inout ArraySlice<UInt8>, left: Int, next: State, rest: (Int) -> State
    ) -> ArraySlice<UInt8> {
        let piece = Self.take(left, of: &input)
        state = piece.count == left ? next : rest(left - piece.count)
        return piece
    }

    private static func take(_ count: Int, of input: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        defer { input = input.dropFirst(count) }
        return input.prefix(count)
    }

    // MARK: Lines

    private mutating func takeLine(of input: inout ArraySlice<UInt8>) throws(ResponseError) {
        guard let end = input.firstIndex(of: UInt8(ascii: "\n")) else {
            line += input
            input = []
            guard line.count < 65536 else { throw ResponseError("a line without end") }
            return
        }
        line += input[..<end]
        input = input[(end + 1)...]
        guard line.popLast() == UInt8(ascii: "\r") else { throw ResponseError("a line without CR") }
        try interpretLine()
        line.removeAll(keepingCapacity: true)
    }

    private mutating func interpretLine() throws(ResponseError) {
        switch state {
        case .head: try interpretHeadLine()
        case .chunkSize: try interpretChunkSize()
        case .chunkEnd where line.isEmpty: state = .chunkSize
        case .chunkEnd: throw ResponseError("a chunk longer than its size")
        case .trailer: if line.isEmpty { state = .complete }
        default: break
        }
    }

    private mutating func interpretHeadLine() throws(ResponseError) {
        guard status != nil else { return try interpretStatusLine() }
        guard !line.isEmpty else { return state = stateAfterHead }
        let text = String(decoding: line, as: UTF8.self).lowercased()
        guard let colon = text.firstIndex(of: ":") else { throw ResponseError("a header without colon") }
        let value = text[text.index(after: colon)...].drop { $0 == " " }
        switch text[..<colon] {
        case "transfer-encoding": isChunked = value == "chunked"
        case "content-length": length = Int(value)
        case "connection": closes = value == "close"
        default: break
        }
    }

    private mutating func interpretStatusLine() throws(ResponseError) {
        let parts = String(decoding: line, as: UTF8.self).split(separator: " ")
        guard parts.count >= 2, parts[0] == "HTTP/1.1", let code = Int(parts[1]) else {
            throw ResponseError("no status line")
        }
        status = code
    }

    private var stateAfterHead: State {
        if isChunked { return .chunkSize }
        guard let length else { return .untilClose }
        return length == 0 ? .complete : .counted(left: length)
    }

    private mutating func interpretChunkSize() throws(ResponseError) {
        guard let size = Int(String(decoding: line, as: UTF8.self), radix: 16), size >= 0 else {
            throw ResponseError("no chunk size")
        }
        state = size == 0 ? .trailer : .chunk(left: size)
    }
}
