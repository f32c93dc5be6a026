// Responses that no table of combinations has.

extension ResponseRow {
    static let accepted = [
        ResponseRow(
            "HTTP/1.0 with keep-alive", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx",
            .whole(body: "x", allowsReuse: true)),
        ResponseRow(
            "HTTP/1.0 without", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", .whole(body: "x", allowsReuse: false)),
        ResponseRow(
            "HTTP/1.0 with both options", "HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 1\r\n\r\nx",
            .whole(body: "x", allowsReuse: false)),
        ResponseRow("HTTP/1.0 until close", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nx", .untilClose(body: "x")),
        ResponseRow(
            "HTTP/1.0 answers HEAD with chunked", asked: .head, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            .refused("Transfer-Encoding in a response of HTTP/1.0")),
        ResponseRow(
            "HTTP/1.0 behind an interim head of 1.1", "HTTP/1.1 100\r\n\r\nHTTP/1.0 200\r\nContent-Length: 0\r\n\r\n",
            .whole(body: "", allowsReuse: false)),
        ResponseRow(
            "close in an interim head only",
            "HTTP/1.1 102 Processing\r\nConnection: close\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
            .whole(body: "", allowsReuse: true)),
        ResponseRow(
            "a length with leading zeros", "HTTP/1.1 200 OK\r\nContent-Length: 0002\r\n\r\nok",
            .whole(body: "ok", allowsReuse: true)),
        ResponseRow(
            "one length in three members", "HTTP/1.1 200 OK\r\nContent-Length: 2 ,02,\t2\r\n\r\nok",
            .whole(body: "ok", allowsReuse: true)),
        ResponseRow(
            "a chunk's size of sixteen digits",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0000000000000002\r\nok\r\n0000000000000000\r\n\r\n",
            .whole(body: "ok", allowsReuse: true)),
        ResponseRow(
            "chunked in one field twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            .whole(body: "ok", allowsReuse: false)),
        ResponseRow(
            "mixed line ends", "\n\r\nHTTP/1.1 200 OK\nTransfer-Encoding: chunked\r\n\n2\r\nok\n0\n\r\n",
            .whole(body: "ok", allowsReuse: true)),
        ResponseRow(
            "gzip in answer to HEAD", asked: .head, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n",
            .whole(body: "", allowsReuse: true)),
        ResponseRow(
            "gzip in a 304", "HTTP/1.1 304 Not Modified\r\nContent-Encoding: gzip\r\n\r\n", .whole(body: "", allowsReuse: true)),
        ResponseRow(
            "gzip in an interim head",
            "HTTP/1.1 103 Early Hints\r\nContent-Encoding: gzip\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            .whole(body: "", allowsReuse: true)),
        ResponseRow(
            "a proxy that says no", asked: .connect, "HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno",
            .whole(body: "no", allowsReuse: true)),
        ResponseRow(
            "a tunnel by HTTP/1.0 with a coding", asked: .connect, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            .whole(body: "", allowsReuse: false)),
        ResponseRow(
            "status 205 with a body", "HTTP/1.1 205 Reset\r\nContent-Length: 1\r\n\r\nx", .whole(body: "x", allowsReuse: true)),
        ResponseRow("the greatest length", "HTTP/1.1 200 OK\r\nContent-Length: 9007199254740992\r\n\r\n", .unfinished),
        ResponseRow(
            "the greatest chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20000000000000\r\n", .unfinished),
    ]

    static let refusedHeads =
        [
            "\r\n\r\n\r\nHTTP/1.1 200 OK", "\n\r\n\nHTTP/1.1 200 OK", " HTTP/1.1 200 OK", "HTTP/2 200", "HTTP/2.0 200 OK",
            "HTTP/1.2 200 OK", "HTTP/0.9 200 OK", "HTTP/11 200 OK", "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 20 OK",
            "HTTP/1.1 2000 OK", "HTTP/1.1 2x0 OK", "HTTP/1.1 -20 OK", "HTTP/1.1 200OK", "HTTP/1.1 200\tOK", "HTTP/1.1",
            "HTTP/1.1 ",
            "HTTP/1.1 20", "http/1.1 200 OK", "Http/1.1 200 OK", "HTTPS/1.1 200 OK", "HTTP 1.1 200 OK", "ICY 200 OK", "H",
            "SSH-2.0-OpenSSH", "220 smtp", "\u{16}\u{3}\u{3}", "<html>", "HTTP/1.1 200 O\u{0}K", "HTTP/1.1 200 O\rK",
            "HTTP/1.1 200 OK\r", "HTTP/1.1 200\r", "\rHTTP/1.1 200 OK", "\r\r\nHTTP/1.1 200 OK",
            "HTTP/1.1 100\r\n\r\n\r\nHTTP/1.1 200",
        ].map { ResponseRow("refused: \($0.debugDescription)", $0 + "\r\nContent-Length: 0\r\n\r\n", .refused("no status line")) }
        + ["000", "099", "600", "999"].map {
            ResponseRow("status \($0)", "HTTP/1.1 \($0) X\r\nContent-Length: 0\r\n\r\n", .refused("no status from 100 to 599"))
        }
        + [
            ResponseRow(
                "status 101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
                .refused("switched protocols, which nobody asked for"))
        ]

    static let refusedFields =
        [
            ("a folded field", "X: a\r\n b", "a folded header line"),
            ("a field folded by a tab", "X: a\r\n\tb", "a folded header line"),
            ("a folded line before any field", " X: a", "a folded header line"),
            ("a line of blanks", "  ", "a folded header line"),
            ("a tab behind a length's name", "Content-Length\t: 5", "the name of a header about the body is no token"),
            ("a blank behind a coding's name", "transfer-encoding : chunked", "the name of a header about the body is no token"),
            ("a length's name behind another", "X Content-Length: 5", "the name of a header about the body is no token"),
            ("a length's name ahead of another", "Content-Length X: 5", "the name of a header about the body is no token"),
            ("a coding's name in quotes", "\"Content-Encoding\": br", "the name of a header about the body is no token"),
            ("a vertical tab behind Connection", "Connection\u{B}: close", "the name of a header about the body is no token"),
            ("no colon", "X", "a header line without a colon"),
            ("no colon behind a blank", "X Y", "a header line without a colon"),
            ("NUL in a name", "X\u{0}: a", "a header line holds a line end or NUL"),
            ("CR in a name", "X\rY: a", "a header line holds a line end or NUL"),
            ("CR before a name", "\rX: a", "a header line holds a line end or NUL"),
            ("CR behind a name that is no token", "X Y: a\rContent-Length: 0", "a header line holds a line end or NUL"),
            ("NUL in a value", "X: a\u{0}b", "a header's value holds a line end or NUL"),
            ("CR in a value", "X: a\rContent-Length: 0", "a header's value holds a line end or NUL"),
            ("CR in a long value", "X: 0123456789abcdef\r0123456789abcdef", "a header's value holds a line end or NUL"),
            ("CR at a value's end", "X: a\r", "a header's value holds a line end or NUL"),
            ("CR as a value", "X:\r", "a header's value holds a line end or NUL"),
            ("NUL at a value's end", "X: 0123456\u{0}", "a header's value holds a line end or NUL"),
            ("no number", "Content-Length: five", "Content-Length is no number"),
            ("a sign", "Content-Length: +5", "Content-Length is no number"),
            ("less than nothing", "Content-Length: -5", "Content-Length is no number"),
            ("no length", "Content-Length:", "Content-Length is no number"),
            ("a hexadecimal length", "Content-Length: 0x5", "Content-Length is no number"),
            ("a length and a blank", "Content-Length: 5 5", "Content-Length is no number"),
            ("half a list", "Content-Length: 5,", "Content-Length is no number"),
            ("a fraction", "Content-Length: 5.0", "Content-Length is no number"),
            ("a length over 2^53", "Content-Length: 9007199254740993", "Content-Length is no number"),
            ("a length over 2^64", "Content-Length: 18446744073709551621", "Content-Length is no number"),
            ("two lengths in one field", "Content-Length: 5, 6", "Content-Length is given twice, differently"),
            ("two lengths in two fields", "Content-Length: 5\r\ncontent-length: 6", "Content-Length is given twice, differently"),
            ("gzip, chunked", "Transfer-Encoding: gzip, chunked", "another transfer coding than chunked was used"),
            ("chunked, gzip", "Transfer-Encoding: chunked, gzip", "another transfer coding than chunked was used"),
            (
                "gzip in a field of its own", "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
                "another transfer coding than chunked was used"
            ),
            ("identity", "Transfer-Encoding: identity", "another transfer coding than chunked was used"),
            ("chunked with a parameter", "Transfer-Encoding: chunked;q=1", "another transfer coding than chunked was used"),
            ("chunked and something", "Transfer-Encoding: xchunked", "another transfer coding than chunked was used"),
            ("chunked behind a vertical tab", "Transfer-Encoding: \u{B}chunked", "another transfer coding than chunked was used"),
            ("no coding", "Transfer-Encoding: ,", "Transfer-Encoding names no coding"),
            ("an empty coding", "Transfer-Encoding:", "Transfer-Encoding names no coding"),
        ].map { name, field, reason in ResponseRow(name, "HTTP/1.1 200 OK\r\nA: b\r\n\(field)\r\n\r\n", .refused(reason)) }
        + codings

    private static let codings =
        [
            ("gzip", "with gzip"), ("GZip", "with gzip"), ("x-gzip", "with gzip"), ("deflate", "with deflate"), ("br", "with br"),
            ("zstd", "with zstd"), ("compress", "with compress"), ("x-compress", "with compress"),
            ("identity, br, gzip", "with br"),
            ("aes128gcm", "in an unknown way"), ("gzip2", "in an unknown way"),
        ].map { coding, way in
            ResponseRow(
                "compressed: \(coding)", "HTTP/1.1 200 OK\r\nContent-Encoding: \(coding)\r\nContent-Length: 1\r\n\r\nx",
                .refused("the body is compressed \(way), though Accept-Encoding: identity was sent"))
        }

    static let refusedChunks =
        [
            (" 5\r\nhello", "no size of a chunk"), ("0x5\r\nhello", "no size of a chunk"), ("-5\r\nhello", "no size of a chunk"),
            ("+5\r\nhello", "no size of a chunk"), ("\r\nhello", "no size of a chunk"), (";a\r\nhello", "no size of a chunk"),
            ("5a5g\r\nhello", "no size of a chunk"), ("5 5\r\nhello", "no size of a chunk"),
            ("5\r;a\r\nhello", "no size of a chunk"),
            ("5\r\r\nhello", "no size of a chunk"), ("5;a\rb\r\nhello", "no size of a chunk"),
            ("5;\u{0}\r\nhello", "no size of a chunk"),
            ("00000000000000005\r\nhello", "no size of a chunk"), ("20000000000001\r\nhello", "no size of a chunk"),
            ("8000000000000005\r\nhello", "no size of a chunk"), ("ffffffffffffffff\r\nhello", "no size of a chunk"),
            ("10000000000000005\r\nhello", "no size of a chunk"), ("five\r\nhello", "no size of a chunk"),
            ("4\r\nhello\r\n0\r\n\r\n", "no line end behind a chunk"), ("5\r\nhello0\r\n\r\n", "no line end behind a chunk"),
            ("5\r\nhello\r0\r\n\r\n", "no line end behind a chunk"), ("5\r\nhello\r\r\n0\r\n\r\n", "no line end behind a chunk"),
            ("5\r\nhello \r\n0\r\n\r\n", "no line end behind a chunk"), ("5\r\nhello\r\n\r\n0\r\n\r\n", "no size of a chunk"),
            ("0\r\nX\r\n\r\n", "a header line without a colon"),
            ("0\r\nContent-Length : 1\r\n\r\n", "the name of a header about the body is no token"),
            ("0\r\n X: y\r\n\r\n", "a folded header line"), ("0\r\nX: y\r\n z\r\n\r\n", "a folded header line"),
            ("0\r\nX: \u{0}\r\n\r\n", "a header's value holds a line end or NUL"),
            ("0\r\n\r\r\n", "a header line holds a line end or NUL"),
        ].map { body, reason in
            ResponseRow(
                "chunks: \(body.debugDescription)", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body,
                .refused(reason))
        }
}
