import FastCGI
import Testing

@Suite(.timeLimit(.minutes(5))) struct RecordRefusalTests {
    @Test(arguments: [UInt16(0), 2, 3, 4, 256, 257, 65535])
    func `another role is answered with UNKNOWN_ROLE and refused`(role: UInt16) {
        let scan = Scan(SentRequest(id: 5, role: role, body: [1]).bytes)
        #expect(scan.requests.isEmpty)
        #expect(scan.refusal == .unknownRole(role))
        #expect(scan.answers == endRequest(id: 5, .unknownRole))
    }

    @Test func `a second id is answered with CANT_MPX_CONN and refused, at every moment of the first`() {
        let first = SentRequest(id: 1, body: pattern(10))
        for count in 1...first.records.count {
            let bytes = first.records.prefix(count).flatMap(\.self) + record(.beginRequest, id: 2, begin())
            let scan = Scan(bytes, answersRequests: false)
            #expect(scan.refusal == .secondRequest)
            #expect(scan.answers == endRequest(id: 2, .cannotMultiplex))
            #expect(scan.requests.count == (count == first.records.count ? 1 : 0))
        }
    }

    @Test func `the same id begun twice is refused`() {
        let first = SentRequest(id: 1, body: pattern(10))
        for count in 1...first.records.count {
            let bytes = first.records.prefix(count).flatMap(\.self) + record(.beginRequest, id: 1, begin())
            let scan = Scan(bytes, answersRequests: false)
            #expect(scan.refusal == .secondRequest)
            #expect(scan.answers.isEmpty)
        }
    }

    @Test(arguments: [UInt8(0), 2, 255])
    func `a record of another version is refused, wherever it stands`(version: UInt8) {
        let sent = SentRequest(body: [1])
        for index in 0..<sent.records.count {
            var records = sent.records
            records[index][0] = version
            let scan = Scan(records.flatMap(\.self))
            #expect(scan.refusal == .unsupportedVersion(version))
            #expect(scan.requests.isEmpty)
        }
        #expect(Scan(record(rawType: 9, id: 0, version: version)).refusal == .unsupportedVersion(version))
    }

    @Test(arguments: Array(UInt8(0)...8))
    func `an application record with id 0 is refused`(type: UInt8) {
        #expect(Scan(record(rawType: type, id: 0, begin())).refusal == .unexpectedRecord(type: type))
        #expect(Scan(record(rawType: type, id: 0)).refusal == .unexpectedRecord(type: type))
    }

    @Test(arguments: [0, 1, 7, 9, 16, 65535])
    func `BEGIN_REQUEST of another length than 8 is refused`(length: Int) {
        let scan = Scan(record(.beginRequest, id: 1, [UInt8](pattern(length))))
        #expect(scan.refusal == .malformedBeginRequest)
        #expect(scan.answers.isEmpty)
    }

    @Test(arguments: [RecordType.endRequest, .standardOutput, .standardError, .data, .getValues, .getValuesResult, .unknownType])
    func `a record that no responder gets is refused at every moment`(type: RecordType) {
        let sent = SentRequest(body: [1])
        for count in 1...sent.records.count {
            for content in [[], [1]] as [[UInt8]] where type != .data || !content.isEmpty {
                let bytes = sent.records.prefix(count).flatMap(\.self) + record(type, id: 1, content)
                #expect(Scan(bytes, answersRequests: false).refusal == .unexpectedRecord(type: type.rawValue))
            }
        }
    }

    @Test func `streams out of their order are refused`() {
        let (start, parameters) = (record(.beginRequest, id: 1, begin()), record(.parameters, id: 1, [1, 0, 65]))
        let (parametersEnd, input) = (record(.parameters, id: 1), record(.standardInput, id: 1, [1]))
        let inputEnd = record(.standardInput, id: 1)
        for bytes in [
            parameters, input, start + input, start + inputEnd, start + parameters + input,
            start + parametersEnd + parameters, start + parametersEnd + parametersEnd,
            start + parametersEnd + input + parametersEnd, start + parametersEnd + input + inputEnd + input,
            start + parametersEnd + inputEnd + inputEnd, start + parametersEnd + inputEnd + parameters,
        ] {
            let scan = Scan(bytes, answersRequests: false)
            guard case .unexpectedRecord = scan.refusal else {
                Issue.record("\(bytes) was taken")
                continue
            }
        }
    }

    @Test func `an abort ends a request at every moment, and answers it while it is not complete`() {
        let sent = SentRequest(id: 3, body: pattern(10))
        for count in 1...sent.records.count {
            let bytes = sent.records.prefix(count).flatMap(\.self) + record(.abortRequest, id: 3, padding: 2)
            let scan = Scan(bytes, answersRequests: false)
            #expect(scan.aborts == 1 && scan.refusal == nil)
            #expect(scan.answers == (count < sent.records.count ? endRequest(id: 3, .requestComplete) : []))
        }
    }

    @Test func `an abort without its request is ignored: it crossed the answer on its way`() {
        let sent = SentRequest(id: 3, body: pattern(10))
        let abort = record(.abortRequest, id: 3)
        let scan = Scan(abort + sent.bytes + abort + sent.bytes)
        #expect(scan.requests == [sent.scanned, sent.scanned])
        #expect(scan.aborts == 0 && scan.refusal == nil && scan.answers.isEmpty)
    }

    @Test func `an abort with content is refused`() {
        let sent = SentRequest(id: 3, body: pattern(10))
        for count in 0...sent.records.count {
            let bytes = sent.records.prefix(count).flatMap(\.self) + record(.abortRequest, id: 3, [1, 2])
            #expect(Scan(bytes, answersRequests: false).refusal == .unexpectedRecord(type: 2))
        }
    }
}
