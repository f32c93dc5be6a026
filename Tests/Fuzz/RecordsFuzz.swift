// Whatever a web server sends: the scanner makes the same of it however it is cut, keeps no more than its limits, and lets no
// parameters through in which another value is found than stands there.

@testable import FastCGI

private struct Outcome: Equatable {
    enum Step: Equatable {
        case request(ScannedRequest), aborted
    }
    var steps: [Step] = []
    var refusal: ConnectionRefusal?
    var answers: [UInt8] = []
    var isIdle = false
}

private let limits = RecordScanner.Limits(parametersBytesMax: 300, bodyBytesMax: 200, requestsMax: 10)

/// The first byte says whether requests are answered, the next two how the bytes behind them are cut.
func feedRecords(_ input: [UInt8]) {
    guard input.count > 3 else { return }
    let (bytes, isAnswered) = (input[3...], input[0] & 1 == 0)
    let whole = outcome(Cuts.none.pieces(of: bytes), isAnswered: isAnswered)
    for cuts in [Cuts(input[1], input[2]), .each] {
        let cut = outcome(cuts.pieces(of: bytes), isAnswered: isAnswered, room: Int(input[1]))
        require(cut == whole, "cut into \(cuts.lengths): \(cut) is not \(whole)")
    }
    require(whole.answers.count <= 2 * bytes.count, "more answers than questions")
    for case .request(let request) in whole.steps { check(request) }
    if isLong(input) { _ = outcome(Cuts(input[1], input[2]).pieces(of: repeated(bytes)), isAnswered: isAnswered) }
}

/// - Parameter room: for a body, to begin with; where it is not enough it gets a byte more.
private func outcome(_ pieces: [[UInt8]], isAnswered: Bool, room: Int = .max) -> Outcome {
    var (scanner, outcome) = (RecordScanner(limits: limits, firstRoom: room), Outcome())
    do {
        for piece in pieces { try feed(piece, isAnswered, &scanner, &outcome) }
    } catch {
        outcome.refusal = error
    }
    outcome.answers = scanner.answers
    outcome.isIdle = outcome.refusal == nil && scanner.isIdle
    return outcome
}

private func feed(
    _ piece: [UInt8], _ isAnswered: Bool, _ scanner: inout RecordScanner, _ outcome: inout Outcome
) throws(ConnectionRefusal) {
    var start = 0
    repeat {
        var taken = 0
        let result = try scanner.scan(piece.span.extracting(start...), taken: &taken)
        start += taken
        switch result {
        case .incomplete: require(start == piece.count, "more is wanted, and bytes are left")
        case .needsRoom: scanner.bodyRoom += 1
        case .request(let request):
            outcome.steps.append(.request(request))
            if isAnswered { scanner.requestAnswered() }
        case .aborted: outcome.steps.append(.aborted)
        }
    } while start < piece.count
}

private func check(_ request: ScannedRequest) {
    require(request.id != 0, "a request without a number")
    require(request.parameters.count <= limits.parametersBytesMax, "more parameters than the limit")
    require(request.body.count <= limits.bodyBytesMax, "more body than the limit")
    require(request.dropped == nil || request.body.isEmpty, "a body that is too large is kept")
    if request.dropped == .parametersTooLarge || request.dropped == .unusableParameters {
        require(request.parameters.isEmpty, "parameters that are of no use are kept")
    }
    let parameters = RequestParameters(request.parameters)
    let (a, method) = (parameters["A"], parameters["REQUEST_METHOD"])
    require(a == value("A", request.parameters) && method == value("REQUEST_METHOD", request.parameters), "other parameters")
}

/// Of the first pair of this name.
private func value(_ name: String, _ parameters: [UInt8]) -> String? {
    var pairs = NameValuePairs(parameters)
    do throws(ConnectionRefusal) {
        while let (found, value) = try pairs.next() {
            if parameters[found].elementsEqual(name.utf8) { return text(parameters[value]) }
        }
        return nil
    } catch {
        fatalError("unchecked parameters")
    }
}
