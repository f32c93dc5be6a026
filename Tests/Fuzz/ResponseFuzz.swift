// Whatever an upstream answers: the parser makes the same of it however it is cut.

@testable import HTTPClient

/// What a parser made of some bytes, and what their end makes of it.
private struct Outcome: Equatable {
    var status: Int?
    var headers: [String] = []
    var body: [UInt8] = []
    var error: HTTPError?
    /// Of a response that is whole.
    var usedBytes: Int?
    var allowsReuse = false
    var errorAtEnd: HTTPError?
}

private struct Feeding {
    private var parser: ResponseParser
    private var outcome = Outcome()
    private var usedBytes = 0

    private init(_ parser: ResponseParser) { self.parser = parser }

    static func outcome(_ parser: ResponseParser, _ pieces: [[UInt8]], isProved: Bool) -> Outcome {
        var feeding = Feeding(parser)
        for piece in pieces { guard feeding.feed(piece) else { break } }
        _ = feeding.feed([])
        feeding.outcome.errorAtEnd = feeding.parser.endOfInput(isProved: isProved)
        return feeding.outcome
    }

    /// Whether there may be more.
    private mutating func feed(_ input: [UInt8]) -> Bool {
        var cursor = 0
        while true {
            let start = cursor
            switch parser.next(in: input.span, from: &cursor, keeping: nil) {
            case .more:
                require(cursor == input.count, "more, with input left")
                usedBytes += cursor
                return true
            case .head: takeHead()
            case .body(let range):
                require(range.lowerBound >= start && range.upperBound == cursor && !range.isEmpty, "no body")
                outcome.body += input[range]
            case .end: return end(at: usedBytes + cursor)
            case .failed(let error):
                require(outcome.usedBytes == nil, "failed behind the end")
                outcome.error = error
                return false
            }
        }
    }

    private mutating func takeHead() {
        require(outcome.status == nil && parser.isHeadComplete, "a second head")
        let head = parser.takeHead()
        outcome.status = head.status
        outcome.headers = head.headers.map { "\($0.name): \($0.value)" }
    }

    private mutating func end(at offset: Int) -> Bool {
        require(outcome.status != nil && (outcome.usedBytes ?? offset) == offset, "an end without head, or two")
        outcome.usedBytes = offset
        outcome.allowsReuse = parser.allowsReuse
        usedBytes = offset
        return false
    }
}

private func makeParser(_ choice: UInt8) -> ResponseParser {
    switch choice % 4 {
    case 0: ResponseParser(for: .head)
    case 1: .forConnect()
    default: ResponseParser(for: .post)
    }
}

/// The first byte chooses the request, the next two how the bytes behind them are cut.
func feedResponse(_ input: [UInt8]) {
    guard input.count > 3 else { return }
    let (parser, bytes, isProved) = (makeParser(input[0]), input[3...], input[0] & 0x80 != 0)
    let whole = Feeding.outcome(parser, Cuts.none.pieces(of: bytes), isProved: isProved)
    for cuts in [Cuts(input[1], input[2]), .each] {
        let cut = Feeding.outcome(parser, cuts.pieces(of: bytes), isProved: isProved)
        require(cut == whole, "cut into \(cuts.lengths): \(cut) is not \(whole)")
    }
    if isLong(input) {
        _ = Feeding.outcome(parser, Cuts(input[1], input[2]).pieces(of: repeated(bytes)), isProved: isProved)
    }
}
