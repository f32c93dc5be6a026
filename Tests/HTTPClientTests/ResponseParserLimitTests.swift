@testable import HTTPClient
import Testing

/// Each limit at its edge: what is just allowed, and one more.
@Suite(.timeLimit(.minutes(5))) struct ResponseParserLimitTests {
    private static let tooLarge = Outcome.Ending.failed(.headTooLarge(bytesMax: 65536))

    private func ending(_ text: String) -> Outcome.Ending {
        let bytes = Array(text.utf8)
        let whole = FedParser(.get, bytes).outcome
        for cuts in [Array(1..<bytes.count), Array(stride(from: 1000, to: bytes.count, by: 1000))] {
            #expect(FedParser(.get, bytes, cutAt: cuts).outcome == whole)
        }
        let verdict = ReferenceReader.read(bytes, for: .get, by: Grammar())
        #expect(verdict.matches(whole))
        return whole.ending
    }

    private func isWhole(_ text: String) -> Bool { if case .end = ending(text) { true } else { false } }

    private func malformed(_ reason: String) -> Outcome.Ending { .failed(.malformed(reason: reason)) }

    // MARK: Heads

    private func head(ofBytes count: Int) -> String {
        let start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: "
        return start + String(repeating: "a", count: count - start.utf8.count - 4) + "\r\n\r\n"
    }

    @Test func `a head has 64 KiB`() {
        #expect(isWhole(head(ofBytes: 65536)))
        #expect(ending(head(ofBytes: 65537)) == Self.tooLarge)
        #expect(ending(head(ofBytes: 80000)) == Self.tooLarge)
    }

    @Test func `a line without end is too large only with its first byte too many`() {
        let line = "HTTP/1.1 200 " + String(repeating: "a", count: 65536 - 13)
        #expect(ending(line) == .more)
        #expect(ending(line + "a") == Self.tooLarge)
        #expect(ending(line + "\n") == Self.tooLarge)
    }

    @Test func `all heads of a response have 64 KiB together`() {
        let interim = "HTTP/1.1 100 Continue\r\nX: " + String(repeating: "a", count: 30000) + "\r\n\r\n"
        let rest = 65536 - 2 * interim.utf8.count
        #expect(isWhole(interim + interim + head(ofBytes: rest)))
        #expect(ending(interim + interim + head(ofBytes: rest + 1)) == Self.tooLarge)
    }

    @Test func `a head has as many fields as it has room for`() {
        let head = { "HTTP/1.1 200 OK\r\n" + String(repeating: "a:\n", count: $0) + "Content-Length: 1\r\n\r\nx" }
        #expect(isWhole(head(300)))
        let most = FedParser(.get, Array(head(21_800).utf8)).outcome
        #expect(most.ending == .end(usedBytes: head(21_800).utf8.count, allowsReuse: true))
        #expect(FedParser(.get, Array(head(21_900).utf8)).outcome.ending == Self.tooLarge)
    }

    @Test func `of wanted headers 200 are kept, and the others do not count`() {
        let text = "HTTP/1.1 204 X\r\n" + String(repeating: "A: b\r\n", count: 1000) + "Connection: close\r\n\r\n"
        let outcome = FedParser(.get, Array(text.utf8)).outcome
        #expect(outcome.headers.count == 200)
        guard case .end(_, allowsReuse: false) = outcome.ending else {
            Issue.record("Connection is looked at behind the others: \(outcome.ending)")
            return
        }
    }

    @Test func `fields whose names are no tokens are left out`() {
        let text = "HTTP/1.1 204 X\r\nA: 1\r\nX Y: 2\r\nX : 3\r\n: 4\r\nÜ: 5\r\nB: 6\r\n\r\n"
        #expect(FedParser(.get, Array(text.utf8)).outcome.headers == ["a: 1", "b: 6"])
    }

    @Test func `sixteen interim responses are skipped`() {
        let interims = { String(repeating: "HTTP/1.1 102 Processing\r\n\r\n", count: $0) }
        let final = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        #expect(isWhole(interims(16) + final))
        #expect(ending(interims(17) + final) == malformed("more than 16 interim responses"))
    }

    @Test func `a kept value has 4096 bytes at most`() {
        for count in [4095, 4096, 4097, 9000] {
            let text = "HTTP/1.1 204 X\r\nX: " + String(repeating: "a", count: count) + "\r\n\r\n"
            let header = FedParser(.get, Array(text.utf8)).outcome.headers.first
            #expect(header?.utf8.count == 3 + min(count, 4096))
        }
    }

    // MARK: Chunks and trailers

    private static let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    private func chunk(lineOfBytes count: Int) -> String { "1;" + String(repeating: "a", count: count - 4) + "\r\nx\r\n" }

    @Test func `a chunk's line has 4 KiB, each anew`() {
        let chunk = chunk(lineOfBytes: 4096)
        #expect(isWhole(Self.chunked + chunk + chunk + "0\r\n\r\n"))
        #expect(
            ending(Self.chunked + chunk + self.chunk(lineOfBytes: 4097) + "0\r\n\r\n")
                == malformed("the line of a chunk is longer than 4096 bytes"))
    }

    @Test func `a trailer has 64 KiB of its own`() {
        let trailer = { "X: " + String(repeating: "a", count: $0 - 7) + "\r\n\r\n" }
        let last = Self.chunked + "1\r\nx\r\n0\r\n"
        #expect(isWhole(last + trailer(65536)))
        #expect(ending(last + trailer(65537)) == Self.tooLarge)
    }

    @Test func `a trailer has as many fields as it has room for`() {
        let fields = String(repeating: "A: b\r\n", count: 300) + "X Y: c\r\n"
        #expect(isWhole(Self.chunked + "0\r\n" + fields + "\r\n"))
    }

    // MARK: HTTP/2's heads

    private func add(_ name: String, _ value: String, to builder: inout HeadBuilder) throws(HTTPError) {
        try builder.add(name: Array(name.utf8).span, value: Array(value.utf8).span, keeping: nil)
    }

    @Test func `a head from HTTP/2 has the same limits`() throws {
        var builder = HeadBuilder()
        builder.begin(status: 200)
        try add("x", String(repeating: "a", count: 65536 - 3), to: &builder)
        #expect(throws: HTTPError.headTooLarge(bytesMax: 65536)) { try add("a", "", to: &builder) }
        builder = HeadBuilder()
        builder.begin(status: 200)
        for _ in 0..<300 { try add("a", "b", to: &builder) }
        #expect(try builder.end())
        #expect(builder.take().headers.count == 200)
    }

    @Test func `a head from HTTP/2 is checked as one of HTTP/1`() throws {
        var builder = HeadBuilder()
        builder.begin(status: 103)
        try add("content-encoding", "gzip", to: &builder)
        #expect(try !builder.end())
        builder.begin(status: 200)
        for value in ["a\r\nb", "\u{0}", "01234567\n"] {
            #expect(throws: HTTPError.malformed(reason: "a header's value holds a line end or NUL")) {
                try add("x", value, to: &builder)
            }
        }
        try add("x", "  y ", to: &builder)
        #expect(try builder.end())
        let head = builder.take()
        #expect(head.status == 200)
        #expect(head["x"] == "y")
        #expect(head["content-encoding"] == nil)
    }

    @Test func `a body in a coding is refused over HTTP/2 too`() throws {
        var builder = HeadBuilder()
        builder.begin(status: 200)
        try add("content-encoding", "br", to: &builder)
        let error = HTTPError.malformed(reason: "the body is compressed with br, though Accept-Encoding: identity was sent")
        #expect(throws: error) { try builder.end() }
    }

    @Test func `a head without a status is refused`() {
        var builder = HeadBuilder()
        #expect(throws: HTTPError.malformed(reason: "no status from 100 to 599")) { try builder.end() }
    }
}
