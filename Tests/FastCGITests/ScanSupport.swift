// Feeds the scanner and gathers what comes out.

import FastCGI

/// What a scanner made of some bytes.
struct Scan: Equatable {
    var requests: [ScannedRequest] = []
    var aborts = 0
    var refusal: ConnectionRefusal?
    var answers: [UInt8] = []
    var isIdle = false

    /// - Parameter pieces: fed one after another; requests count as answered at once.
    init(pieces: [[UInt8]], limits: RecordScanner.Limits = .init(), answersRequests: Bool = true) {
        var scanner = RecordScanner(limits: limits)
        do {
            for piece in pieces {
                var taken = 0
                while taken < piece.count {
                    switch try scanner.scan(piece.span.extracting(taken...), advancing: &taken) {
                    case .incomplete: break
                    case .needsRoom: preconditionFailure("it has all the room")
                    case .request(let request):
                        requests.append(request)
                        if answersRequests { scanner.requestAnswered() }
                    case .aborted: aborts += 1
                    }
                }
            }
        } catch {
            refusal = error
        }
        answers = scanner.answers
        isIdle = scanner.isIdle
    }

    init(_ bytes: [UInt8], limits: RecordScanner.Limits = .init(), answersRequests: Bool = true) {
        self.init(pieces: [bytes], limits: limits, answersRequests: answersRequests)
    }
}

extension RecordScanner {
    fileprivate mutating func scan(_ bytes: Span<UInt8>, advancing total: inout Int) throws(ConnectionRefusal) -> ScanResult {
        var taken = 0
        defer { total += taken }
        return try scan(bytes, taken: &taken)
    }
}

extension Array {
    /// In pieces of `count` elements.
    func split(every count: Int) -> [[Element]] {
        stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min($0 + count, self.count)]) }
    }

    /// In two at `position`.
    func split(at position: Int) -> [[Element]] { [Array(self[..<position]), Array(self[position...])] }
}
