// A response's parser must not trap, and must make the same of a response however it is cut. Compiled into the module itself: see `run`.

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

    /// Cut into pieces whose lengths come from `lengths`, again and again; whole where that is empty.
    static func outcome(_ parser: ResponseParser, _ bytes: ArraySlice<UInt8>, lengths: [Int], isProved: Bool) -> Outcome {
        var feeding = Feeding(parser)
        var (rest, turn) = (bytes, 0)
        while !rest.isEmpty {
            let length = lengths.isEmpty ? rest.count : lengths[turn % lengths.count]
            guard feeding.feed(Array(rest.prefix(length))) else { break }
            rest = rest.dropFirst(length)
            turn += 1
        }
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

/// As `precondition`, which tells nothing in an optimized build.
private func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}

private func makeParser(_ choice: UInt8) -> ResponseParser {
    switch choice % 4 {
    case 0: ResponseParser(for: .head)
    case 1: .forConnect()
    default: ResponseParser(for: .post)
    }
}

/// The first byte chooses the request, the second one how the bytes behind the third are cut.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 3 else { return 0 }
    let input = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let (parser, bytes, isProved) = (makeParser(input[0]), input[3...], input[0] & 0x80 != 0)
    let whole = Feeding.outcome(parser, bytes, lengths: [], isProved: isProved)
    let lengths = [1 + Int(input[1] & 0x0F), 1 + Int(input[1] >> 4), 1 + Int(input[2])]
    for lengths in [lengths, [1]] {
        let cut = Feeding.outcome(parser, bytes, lengths: lengths, isProved: isProved)
        require(cut == whole, "cut into \(lengths): \(cut) is not \(whole)")
    }
    return 0
}
