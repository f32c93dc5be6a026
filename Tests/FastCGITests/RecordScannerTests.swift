import FastCGI
import Testing

@Suite(.timeLimit(.minutes(5))) struct RecordScannerTests {
    static let full = SentRequest(id: 7, body: pattern(300), padding: 3, recordBytesMax: 20)

    @Test func `a request in one piece arrives as it was sent`() {
        let sent = SentRequest(body: pattern(100_000))
        let scan = Scan(sent.bytes)
        #expect(scan.requests == [sent.scanned])
        #expect(scan.answers.isEmpty && scan.refusal == nil && scan.isIdle)
    }

    @Test func `a request arrives the same byte by byte`() {
        #expect(Scan(pieces: Self.full.bytes.split(every: 1)) == Scan(Self.full.bytes))
        #expect(Scan(pieces: Self.full.bytes.split(every: 1)).requests == [Self.full.scanned])
    }

    @Test func `a request arrives the same split at any position`() {
        let bytes = Self.full.bytes
        for position in 1..<bytes.count { #expect(Scan(pieces: bytes.split(at: position)).requests == [Self.full.scanned]) }
    }

    @Test func `padding of every size is skipped after every kind of record`() {
        for padding in 0...255 {
            let sent = SentRequest(body: pattern(50), padding: padding, recordBytesMax: 30)
            let management = record(.getValues, id: 0, padding: padding) + record(rawType: 99, id: 0, [1, 2], padding: padding)
            let foreign = record(.parameters, id: 9, padding: padding)
            let scan = Scan(management + sent.bytes + foreign + sent.bytes + management)
            #expect(scan.requests == [sent.scanned, sent.scanned])
            #expect(scan.refusal == nil && scan.isIdle)
        }
    }

    @Test func `a request without parameters and body is one`() {
        let sent = SentRequest(parameters: [])
        #expect(Scan(sent.bytes).requests == [sent.scanned])
    }

    @Test func `parameters may be cut into records anywhere`() {
        let long = SentRequest(parameters: [("A", "b"), ("LONG", String(repeating: "x", count: 300)), ("", ""), ("EMPTY", "")])
        for size in 1...long.parameterBytes.count {
            var sent = long
            sent.recordBytesMax = size
            #expect(Scan(sent.bytes).requests == [long.scanned])
        }
    }

    @Test(arguments: [UInt16(1), 2, 255, 256, 65535])
    func `any id but zero may be a request's`(id: UInt16) {
        let sent = SentRequest(id: id, body: pattern(10))
        #expect(Scan(sent.bytes).requests == [sent.scanned])
    }

    @Test func `only the lowest flag keeps the connection`() {
        for flags in UInt8.min...UInt8.max {
            let bytes =
                record(.beginRequest, id: 1, [0, 1, flags, 9, 9, 9, 9, 9]) + record(.parameters, id: 1)
                + record(.standardInput, id: 1)
            #expect(Scan(bytes).requests.map(\.keepsConnection) == [flags & 1 == 1])
        }
    }

    @Test func `requests follow one another on a connection with any ids`() {
        let sent = [1, 2, 2, 1].map { SentRequest(id: $0, body: pattern(Int($0) * 100)) }
        #expect(Scan(sent.flatMap(\.bytes)).requests == sent.map(\.scanned))
    }

    @Test func `the scanner is idle between requests only`() {
        let bytes = Self.full.bytes
        for position in 1..<(bytes.count - Self.full.padding) { #expect(!Scan([UInt8](bytes[..<position])).isIdle) }
        #expect(Scan([UInt8](bytes.dropLast(Self.full.padding))).isIdle, "padding that is due belongs to no next request")
        #expect(Scan([UInt8]()).isIdle)
    }

    @Test(arguments: RecordType.allRequestTypes)
    func `an empty record of a foreign id is ignored`(type: RecordType) {
        let sent = SentRequest(id: 3, body: pattern(40), recordBytesMax: 16)
        let foreign = record(type, id: 4, padding: 5)
        var bytes = foreign
        for part in sent.records { bytes += part + foreign }
        #expect(Scan(bytes).requests == [sent.scanned])
        #expect(Scan(bytes).refusal == nil)
    }

    @Test(arguments: [true, false])
    func `an empty record of data, which a responder does not need, is ignored at every moment`(answersRequests: Bool) {
        let sent = SentRequest(id: 3, body: pattern(40), recordBytesMax: 16)
        let data = record(.data, id: 3, padding: 5)
        for count in 1...sent.records.count {
            let bytes = sent.records.prefix(count).flatMap(\.self) + data + sent.records.dropFirst(count).flatMap(\.self)
            let scan = Scan(bytes, answersRequests: answersRequests)
            #expect(scan.requests == [sent.scanned] && scan.refusal == nil && scan.answers.isEmpty)
        }
    }

    @Test(arguments: RecordType.allRequestTypes)
    func `a foreign record with content is refused`(type: RecordType) {
        let foreign = record(type, id: 4, [1])
        let refusal = ConnectionRefusal.unexpectedRecord(type: type.rawValue)
        #expect(Scan(foreign).refusal == refusal)
        for count in 1...5 {
            let sent = SentRequest(id: 3, body: [1])
            let scan = Scan(sent.records.prefix(count).flatMap(\.self) + foreign, answersRequests: false)
            #expect(scan.refusal == refusal)
        }
    }
}

extension RecordType {
    /// Types of an application record that is no BEGIN_REQUEST; what a web server may send and what it may not.
    static let allRequestTypes: [RecordType] = [
        .abortRequest, .endRequest, .parameters, .standardInput, .standardOutput, .standardError, .data,
    ]
}

extension SentRequest {
    /// Its records one by one.
    var records: [[UInt8]] {
        var records: [[UInt8]] = []
        var rest = bytes[...]
        while case let before = rest, takeRecord(from: &rest) != nil { records.append([UInt8](before.dropLast(rest.count))) }
        return records
    }
}
