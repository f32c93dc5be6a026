@testable import HTTPClient
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct ResponseParserTests {
    @Test func `there are enough responses`() { #expect(ResponseRow.all.count >= 200) }

    @Test(arguments: ResponseRow.all)
    func `a response is what its row says, however it is cut`(_ row: ResponseRow) {
        let whole = FedParser(row.asked, row.bytes).outcome
        #expect(row.expected.matches(whole, usedBytes: row.bytes.count), "\(whole)")
        #expect(FedParser(row.asked, row.bytes, cutAt: 1..<row.bytes.count).outcome == whole, "byte by byte")
        for cut in 0...row.bytes.count {
            #expect(FedParser(row.asked, row.bytes, cutAt: [cut]).outcome == whole, "cut at \(cut)")
        }
        var generator = SeededGenerator(seed: UInt64(row.bytes.count))
        for _ in 0..<20 {
            let cuts = generator.cuts(of: row.bytes.count)
            #expect(FedParser(row.asked, row.bytes, cutAt: cuts).outcome == whole, "cut at \(cuts)")
        }
    }

    @Test(arguments: ResponseRow.all.filter(\.isWhole))
    func `what follows a response is none of it`(_ row: ResponseRow) {
        for surplus in ["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnot", "\r\n", "x", "0\r\n\r\n"] {
            let bytes = row.bytes + Array(surplus.utf8)
            for cuts in [[], [row.bytes.count], Array(1..<bytes.count)] {
                let outcome = FedParser(row.asked, bytes, cutAt: cuts).outcome
                #expect(row.expected.matches(outcome, usedBytes: row.bytes.count), "\(outcome)")
            }
        }
    }

    @Test(arguments: ResponseRow.all)
    func `a response that ends early is whole only where the reference says so`(_ row: ResponseRow) {
        let grammar = Grammar()
        for count in 0...row.bytes.count {
            let bytes = Array(row.bytes[..<count])
            let verdict = ReferenceReader.read(bytes, for: row.asked, by: grammar)
            for isProved in [false, true] {
                var fed = FedParser(row.asked, bytes)
                let error = fed.endOfInput(isProved: isProved)
                #expect(verdict.matches(fed.outcome), "\(fed.outcome) is not \(verdict) after \(count) bytes")
                #expect(error == verdict.error(fed.outcome, isProved: isProved), "after \(count) bytes")
                #expect(fed.endOfInput(isProved: true) == error, "the answer stays")
            }
        }
    }

    @Test func `a response that lasted until the connection's end ends with it`() {
        let response = Array("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nx".utf8)
        var parser = ResponseParser(for: .get)
        var cursor = 0
        for _ in 0..<2 { _ = parser.next(in: response.span, from: &cursor, keeping: nil) }
        #expect(cursor == response.count)
        #expect(!parser.allowsReuse)
        #expect(parser.endOfInput(isProved: true) == nil)
        guard case .end = parser.next(in: response.span, from: &cursor, keeping: nil) else {
            Issue.record("no end")
            return
        }
        #expect(!parser.allowsReuse, "there is no connection left")
    }

    @Test func `headers come in order, in lower case, trimmed`() {
        let text = "HTTP/1.1 200 OK\r\nX-A: \t b c \t\r\nDate:x\r\nX-Empty:\r\nx-a: ü\r\nContent-Length: 0\r\n\r\n"
        let outcome = FedParser(.get, Array(text.utf8)).outcome
        #expect(outcome.status == 200)
        #expect(outcome.headers == ["x-a: b c", "date: x", "x-empty: ", "x-a: ü", "content-length: 0"])
    }

    @Test func `only the headers wanted are kept, and none of an interim head`() {
        let text =
            "HTTP/1.1 103 X\r\nRetry-After: 1\r\n\r\nHTTP/1.1 429 X\r\nRETRY-AFTER: 2\r\nRetry-After-Ms: 3\r\n"
            + "X-RateLimit-: 4\r\nx-ratelimit-Remaining: 5\r\nX-Ratelimi: 6\r\nContent-Length: 0\r\n\r\n"
        var parser = ResponseParser(for: .post)
        var cursor = 0
        let kept = ["retry-after", "x-ratelimit-*"].map { HeaderPattern($0) }
        guard case .head = parser.next(in: Array(text.utf8).span, from: &cursor, keeping: kept) else {
            Issue.record("no head")
            return
        }
        let head = parser.takeHead()
        #expect(head.headers.map(\.name) == ["retry-after", "x-ratelimit-", "x-ratelimit-remaining"])
        #expect(head.headers.map(\.value) == ["2", "4", "5"])
        #expect(parser.takeHead().headers.isEmpty, "it is handed over, not copied")
    }
}

extension ResponseRow.Expectation {
    func matches(_ outcome: Outcome, usedBytes: Int) -> Bool {
        switch (self, outcome.ending) {
        case (.whole(let body, let allowsReuse), .end(let used, let reuses)):
            outcome.body == Array(body.utf8) && used == usedBytes && allowsReuse == reuses
        case (.untilClose(let body), .more): outcome.body == Array(body.utf8) && outcome.status != nil
        case (.unfinished, .more): true
        case (.refused(let reason), .failed(.malformed(let given))): reason == given
        case (.tooLarge, .failed(.headTooLarge(65536))): true
        default: false
        }
    }
}

extension Verdict {
    func matches(_ outcome: Outcome) -> Bool {
        switch (self, outcome.ending) {
        case (.whole(let status, let body, let usedBytes, let allowsReuse), .end(let used, let reuses)):
            outcome.status == status && outcome.body == body && used == usedBytes && reuses == allowsReuse
        case (.untilClose(let status, let body), .more): outcome.status == status && outcome.body == body
        case (.unfinished(let body), .more): outcome.body == body
        case (.refused, .failed): true
        default: false
        }
    }

    /// What the connection's end makes of it.
    func error(_ outcome: Outcome, isProved: Bool) -> HTTPError? {
        switch (self, outcome.ending) {
        case (.whole, _): nil
        case (.untilClose, _) where isProved: nil
        case (.refused, .failed(let error)): error
        default: .cutOff(afterBytes: outcome.body.count)
        }
    }
}
