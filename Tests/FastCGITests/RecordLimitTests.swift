import FastCGI
import Testing

@Suite(.timeLimit(.minutes(5))) struct RecordLimitTests {
    static let limits = RecordScanner.Limits(parametersBytesMax: 1000, bodyBytesMax: 5000)

    @Test(arguments: [0, 1, 4999, 5000, 5001, 5002, 9000], [1, 7, 4096, 65535])
    func `a body is kept up to the limit, dropped and told about above it`(size: Int, recordBytesMax: Int) {
        let sent = SentRequest(body: pattern(size), recordBytesMax: recordBytesMax)
        let next = SentRequest(id: 2, body: pattern(10, seed: 2))
        let scan = Scan(sent.bytes + next.bytes, limits: Self.limits)
        var expected = sent.scanned
        if size > 5000 { (expected.body, expected.dropped) = ([], .bodyTooLarge) }
        #expect(scan.requests == [expected, next.scanned])
        #expect(scan.answers.isEmpty && scan.refusal == nil)
    }

    @Test func `20 MiB against 8 MiB are dropped, and nothing in them is taken for a request`() {
        let limits = RecordScanner.Limits()
        var sent = SentRequest()
        let smuggled = SentRequest(body: pattern(5000)).bytes
        while sent.body.count < 20 << 20 { sent.body += smuggled }
        let next = SentRequest(body: pattern(10))
        let scan = Scan(pieces: (sent.bytes + next.bytes).split(every: 65536), limits: limits)
        #expect(scan.requests.map(\.dropped) == [.bodyTooLarge, nil])
        #expect(scan.requests.map(\.body) == [[], next.body])
    }

    @Test(arguments: [-1, 0, 1, 500], [1, 10, 65535])
    func `parameters are kept up to the limit, dropped with the body and told about above it`(excess: Int, recordBytesMax: Int) {
        let sent = SentRequest(
            parameters: [("A", String(repeating: "x", count: 1000 - 6 + excess))], body: pattern(100),
            recordBytesMax: recordBytesMax)
        #expect(sent.parameterBytes.count == 1000 + excess)
        let next = SentRequest(id: 2, body: pattern(10, seed: 2))
        let scan = Scan(sent.bytes + next.bytes, limits: Self.limits)
        var expected = sent.scanned
        if excess > 0 { (expected.parameters, expected.body, expected.dropped) = ([], [], .parametersTooLarge) }
        #expect(scan.requests == [expected, next.scanned])
        #expect(scan.answers.isEmpty && scan.refusal == nil)
    }

    static let malformed: [(String, [UInt8])] = [
        ("a name length alone", [1]),
        ("a name shorter than its length", [2, 0, 65]),
        ("a value shorter than its length", [1, 2, 65, 66]),
        ("a four-byte length cut off", [0x80, 0, 0]),
        ("a four-byte value length cut off", [1, 0x80, 0, 0]),
        ("a name of 2³¹−1 bytes", [0xFF, 0xFF, 0xFF, 0xFF, 0, 65]),
        ("a name of 2³¹−2 bytes", [0xFF, 0xFF, 0xFF, 0xFE, 0, 65]),
        ("a value of 2³¹−2 bytes", [1, 0xFF, 0xFF, 0xFF, 0xFE, 65]),
        ("both of 2³¹−2 bytes, whose sum overflows an int", [0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 0xFE, 65]),
        ("one byte too many", [1, 1, 65, 66, 0]),
    ]

    @Test(arguments: malformed)
    func `malformed parameters are refused`(what: String, parameters: [UInt8]) {
        for size in 1...parameters.count {
            let sent = SentRequest(recordBytesMax: size)
            let bytes =
                record(.beginRequest, id: 1, begin()) + sent.stream(.parameters, parameters) + sent.stream(.standardInput, [1])
            let scan = Scan(bytes)
            #expect(scan.refusal == .malformedParameters, "\(what)")
            #expect(scan.requests.isEmpty)
        }
    }

    /// Any caller may bring these about, where its web server hands them on.
    @Test(
        arguments: [
            ("a NUL in a name", [3, 1, 65, 0, 66, 67]), ("a NUL in a value", [1, 3, 65, 66, 0, 67]),
            ("an equals sign in a name", [3, 1, 65, 61, 66, 67]),
        ] as [(String, [UInt8])])
    func `unusable parameters are dropped with the body and told about`(what: String, parameters: [UInt8]) {
        for size in 1...parameters.count {
            let sent = SentRequest(recordBytesMax: size)
            let next = SentRequest(body: pattern(10))
            let bytes =
                record(.beginRequest, id: 1, begin()) + sent.stream(.parameters, parameters)
                + sent.stream(.standardInput, pattern(100)) + next.bytes
            let scan = Scan(bytes)
            #expect(scan.requests.map(\.dropped) == [.unusableParameters, nil], "\(what)")
            #expect(scan.requests.map(\.parameters) == [[], next.scanned.parameters])
            #expect(scan.requests.map(\.body) == [[], next.body])
            #expect(scan.answers.isEmpty && scan.refusal == nil)
        }
    }

    @Test func `a short length may stand in four bytes, and an equals sign in a value`() {
        let parameters: [UInt8] = [0x80, 0, 0, 1, 0x80, 0, 0, 2, 65, 61, 61] + [0x80, 0, 0, 0, 0] + [0, 0x80, 0, 0, 1, 66]
        let sent = SentRequest(parameters: [])
        let bytes =
            record(.beginRequest, id: 1, begin()) + sent.stream(.parameters, parameters) + sent.stream(.standardInput, [])
        #expect(Scan(bytes).requests.map(\.parameters) == [parameters])
    }
}
