// Feeds the response parser, cut anywhere, and gathers what it makes of that.

@testable import HTTPClient
import TestSupport

/// To what a response is the answer.
enum Asked: Sendable, CaseIterable {
    case get, head, connect

    var parser: ResponseParser {
        switch self {
        case .get: ResponseParser(for: .get)
        case .head: ResponseParser(for: .head)
        case .connect: .forConnect()
        }
    }
}

/// What a parser made of some bytes.
struct Outcome: Equatable {
    enum Ending: Equatable {
        case more
        case end(usedBytes: Int, allowsReuse: Bool)
        case failed(HTTPError)
        /// The parser broke its own rules.
        case broken(String)
    }

    var status: Int?
    var headers: [String] = []
    var body: [UInt8] = []
    var ending = Ending.more
}

/// A parser that is fed piece by piece, and checked on the way.
struct FedParser {
    private(set) var parser: ResponseParser
    private(set) var outcome = Outcome()
    private var usedBytes = 0

    init(_ asked: Asked) { parser = asked.parser }

    /// Feeds the bytes cut at these offsets, and then nothing once more.
    init(_ asked: Asked, _ bytes: [UInt8], cutAt cuts: some Sequence<Int> = []) {
        self.init(asked)
        var start = 0
        for cut in cuts {
            feed(bytes[start..<cut])
            start = cut
        }
        feed(bytes[start...])
        feed([])
    }

    private mutating func feed(_ piece: ArraySlice<UInt8>) {
        guard case .more = outcome.ending else { return }
        let input = Array(piece)
        var cursor = 0
        while take(input, &cursor) {}
        usedBytes += cursor
        if case .end(_, let allowsReuse) = outcome.ending {
            outcome.ending = .end(usedBytes: usedBytes, allowsReuse: allowsReuse)
            checkEndStays(input, cursor)
        }
        if parser.hasBegun != (usedBytes > 0 || isFailed) { outcome.ending = .broken("hasBegun is wrong") }
    }

    private var isFailed: Bool { if case .failed = outcome.ending { true } else { false } }

    /// Whether there may be more.
    private mutating func take(_ input: [UInt8], _ cursor: inout Int) -> Bool {
        let start = cursor
        switch parser.next(in: input.span, from: &cursor, keeping: nil) {
        case .more:
            if cursor != input.count { outcome.ending = .broken("more, with input left") }
            return false
        case .head: return takeHead()
        case .body(let range):
            if range.isEmpty || range.upperBound != cursor || range.lowerBound < start {
                return breakRule("the body is not what was passed over")
            }
            outcome.body += input[range]
            return true
        case .end: outcome.ending = .end(usedBytes: 0, allowsReuse: parser.allowsReuse)
        case .failed(let error): outcome.ending = .failed(error)
        }
        return false
    }

    private mutating func takeHead() -> Bool {
        guard outcome.status == nil, parser.isHeadComplete else { return breakRule("a second head, or none") }
        let head = parser.takeHead()
        outcome.status = head.status
        outcome.headers = head.headers.map { "\($0.name): \($0.value)" }
        return true
    }

    private mutating func checkEndStays(_ input: [UInt8], _ end: Int) {
        var cursor = end
        guard case .end = parser.next(in: input.span, from: &cursor, keeping: nil), cursor == end else {
            _ = breakRule("the end did not stay")
            return
        }
    }

    private mutating func breakRule(_ rule: String) -> Bool {
        outcome.ending = .broken(rule)
        return false
    }

    mutating func endOfInput(isProved: Bool) -> HTTPError? { parser.endOfInput(isProved: isProved) }
}

extension SeededGenerator {
    /// Places to cut so many bytes at, in order; mostly near each other.
    mutating func cuts(of count: Int) -> [Int] {
        var cuts: [Int] = []
        var offset = 0
        let most = [1, 3, 20, 100].randomElement(using: &self) ?? 1
        while true {
            offset += Int.random(in: 1...most, using: &self)
            guard offset < count else { return cuts }
            cuts.append(offset)
        }
    }
}
