import FastCGI
import Testing

@Suite(.timeLimit(.minutes(5))) struct ManagementRecordTests {
    static let limits = RecordScanner.Limits(requestsMax: 123)
    static let answers = ["FCGI_MAX_CONNS": "123", "FCGI_MAX_REQS": "123", "FCGI_MPXS_CONNS": "0"]

    @Test(arguments: ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"])
    func `each name is answered with its value`(name: String) {
        let value = [UInt8]((Self.answers[name] ?? "").utf8)
        let result: [UInt8] = [UInt8(name.utf8.count), UInt8(value.count)] + [UInt8](name.utf8) + value
        #expect(Scan(getValues([name]), limits: Self.limits).answers == record(.getValuesResult, id: 0, result))
    }

    @Test func `a name asked many times is answered once, unknown ones not at all`() {
        let asked = ["FCGI_MPXS_CONNS", "X", "FCGI_MAX_CONNS", "", "FCGI_MAX_CONNS", "fcgi_max_reqs", "FCGI_MPXS_CONNS"]
        let scan = Scan(getValues(asked), limits: Self.limits)
        let once = Scan(getValues(["FCGI_MAX_CONNS", "FCGI_MPXS_CONNS"]), limits: Self.limits)
        #expect(scan.answers == once.answers)
        #expect(scan.refusal == nil)
    }

    @Test func `2,000 names in one record, which end a libfcgi program, are answered with three`() {
        let names = (0..<2000).map { ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"][$0 % 3] }
        let scan = Scan(getValues(names), limits: Self.limits)
        #expect(scan.answers == Scan(getValues(Array(names.prefix(3))), limits: Self.limits).answers)
    }

    @Test func `a query for nothing gets a result with nothing`() {
        #expect(Scan(getValues([])).answers == record(.getValuesResult, id: 0))
        #expect(Scan(getValues(["UNKNOWN"])).answers == record(.getValuesResult, id: 0))
    }

    @Test(arguments: RecordLimitTests.malformed.map(\.1).filter { !$0.contains(65) || $0[0] > 3 || $0[1] > 3 })
    func `a malformed query is refused`(query: [UInt8]) {
        let scan = Scan(record(.getValues, id: 0, query))
        #expect(scan.refusal == .malformedParameters)
        #expect(scan.answers.isEmpty)
    }

    @Test(arguments: [UInt8(10), 11, 12, 99, 255])
    func `another management record is answered with UNKNOWN_TYPE`(type: UInt8) {
        for content in [[], pattern(65535)] {
            let scan = Scan(record(rawType: type, id: 0, content))
            #expect(scan.answers == record(.unknownType, id: 0, [type, 0, 0, 0, 0, 0, 0, 0]))
            #expect(scan.refusal == nil && scan.isIdle)
        }
    }

    @Test func `management records are answered at every moment of a request and change nothing about it`() {
        let sent = SentRequest(id: 4, body: pattern(100), padding: 2, recordBytesMax: 30)
        let query = getValues(["FCGI_MAX_REQS"])
        for size in [1, 5, 10_000] {
            let bytes = query + sent.records.flatMap { $0 + query }
            let scan = Scan(pieces: bytes.split(every: size))
            let answer = Scan(query).answers
            #expect(scan.requests == [sent.scanned])
            #expect(scan.answers.count == answer.count * (sent.records.count + 1))
        }
    }
}

/// A `GET_VALUES` record for `names`.
func getValues(_ names: [String]) -> [UInt8] {
    var query: [UInt8] = []
    for name in names { query.appendPair(name: [UInt8](name.utf8), value: []) }
    return record(.getValues, id: 0, query)
}
