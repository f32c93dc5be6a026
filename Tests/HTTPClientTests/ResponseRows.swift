// Responses with each framing and head, and what they come to.

import Testing

// Responses and what they are: every framing under every kind of head, and odd ones written by hand.

/// One response and what it must come to when it comes whole.
struct ResponseRow: Sendable, CustomTestStringConvertible {
    let name: String
    let asked: Asked
    let bytes: [UInt8]
    let expected: Expectation

    enum Expectation: Sendable {
        case whole(body: String, allowsReuse: Bool)
        case untilClose(body: String)
        /// There must be more.
        case unfinished
        case refused(String)
        case tooLarge
    }

    init(_ name: String, asked: Asked = .get, _ text: String, _ expected: Expectation) {
        (self.name, self.asked, self.bytes, self.expected) = (name, asked, Array(text.utf8), expected)
    }

    var isWhole: Bool { if case .whole = expected { true } else { false } }

    var testDescription: String { name }
}

extension ResponseRow {
    /// Of everything.
    static let all = combined + bodiless + accepted + refusedHeads + refusedFields + refusedChunks

    // MARK: Framings under heads

    /// Lines end with `¶`.
    private struct Framing {
        let name: String
        let fields: [String]
        let body: String
        let expected: Expectation
    }

    private static let framings = [
        Framing(
            name: "a length", fields: ["Content-Length: 5"], body: "hello", expected: .whole(body: "hello", allowsReuse: true)),
        Framing(name: "no bytes", fields: ["Content-Length: 0"], body: "", expected: .whole(body: "", allowsReuse: true)),
        Framing(
            name: "one length twice", fields: ["content-length:5", "CONTENT-LENGTH: 5, 5"], body: "HTTP/",
            expected: .whole(body: "HTTP/", allowsReuse: true)),
        Framing(
            name: "one chunk", fields: ["Transfer-Encoding: chunked"], body: "5¶hello¶0¶¶",
            expected: .whole(body: "hello", allowsReuse: true)),
        Framing(
            name: "chunks and trailer", fields: ["transfer-encoding:\tChunked"],
            body: "1;a=\"b;c\"¶h¶00C \t;x¶ello\n\n, worl¶1 ¶d¶000¶Content-Length: 9¶X: y¶¶",
            expected: .whole(body: "hello\n\n, world", allowsReuse: true)),
        Framing(
            name: "no chunks", fields: ["Transfer-Encoding: chunked"], body: "0¶¶",
            expected: .whole(body: "", allowsReuse: true)),
        Framing(
            name: "one coding twice", fields: ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], body: "5¶hello¶0¶¶",
            expected: .whole(body: "hello", allowsReuse: false)),
        Framing(
            name: "two lengths", fields: ["Content-Length: 3", "Transfer-Encoding: , chunked"], body: "5¶hello¶0¶¶",
            expected: .whole(body: "hello", allowsReuse: false)),
        Framing(name: "no length", fields: [], body: "all\nthere is", expected: .untilClose(body: "all\nthere is")),
    ]

    private struct Head {
        let name: String
        var before = ""
        var status = "200 OK"
        var fields: [String] = []
        var closes = false
    }

    private static let heads = [
        Head(name: "a plain head"),
        Head(name: "interim heads", before: "HTTP/1.1 100 Continue¶¶HTTP/1.1 103 Early¶Link: </a>¶Content-Length: 7¶¶"),
        Head(name: "two empty lines", before: "¶¶"),
        Head(name: "no reason", status: "200 "),
        Head(name: "no blank", status: "299"),
        Head(name: "an error", status: "503 Überlast\t…"),
        Head(name: "close", fields: ["Connection: keep-alive , CLOSE"], closes: true),
        Head(name: "close in the second field", fields: ["connection: x", "Connection: a,,close"], closes: true),
        Head(name: "other options", fields: ["Connection: Keep-Alive, closer,upgrade", "Keep-Alive: timeout=5"]),
        Head(name: "names that are none", fields: ["X Y: a", "X : b", ": c", "Ü: d", "\"X\": e", "X,Y\t:f"]),
        Head(
            name: "odd fields",
            fields: [
                "X-Empty:", "x-blank: \t ", "x-tab: a\tb\u{1}\u{7F}", "!#$%&'*+-.^_`|~09AZaz: ü:", "Content-Encoding: identity,",
            ]),
    ]

    private static let combined = framings.flatMap { framing in
        heads.flatMap { head in
            ["\r\n", "\n"].map { row(framing, head, lineEnd: $0) }
        }
    }

    private static func row(_ framing: Framing, _ head: Head, lineEnd: String) -> ResponseRow {
        let fields = (framing.fields + head.fields).map { $0 + "¶" }.joined()
        let text = head.before + "HTTP/1.1 \(head.status)¶" + fields + "¶" + framing.body
        return ResponseRow(
            "\(framing.name) under \(head.name), lines end with \(lineEnd == "\n" ? "LF" : "CRLF")",
            text.split(separator: "¶", omittingEmptySubsequences: false).joined(separator: lineEnd),
            framing.expected.closing(head.closes))
    }

    // MARK: No body whatever the fields say

    private static let bodiless = framings.flatMap { framing in
        [("HEAD", Asked.head, 200), ("204", .get, 204), ("304", .get, 304), ("CONNECT", .connect, 200)].map {
            name, asked, status in
            let fields = framing.fields.map { $0 + "\r\n" }.joined()
            var reuses = true
            if case .whole(_, false) = framing.expected { reuses = false }
            // It says that there is a body, and may send it.
            if status == 204, !["no bytes", "no length"].contains(framing.name) { reuses = false }
            return ResponseRow(
                "\(framing.name) where \(name) has none", asked: asked, "HTTP/1.1 \(status) X\r\n\(fields)\r\n",
                .whole(body: "", allowsReuse: reuses))
        }
    }
}

extension ResponseRow.Expectation {
    fileprivate func closing(_ closes: Bool) -> Self {
        guard closes, case .whole(let body, _) = self else { return self }
        return .whole(body: body, allowsReuse: false)
    }
}
