import FastCGI
import TestSupport
import Testing

@Suite(.ownThread, .timeLimit(.minutes(5))) struct RandomRecordTests {
    @Test func `random records never crash and never make up a request`() {
        var generator = SeededGenerator(seed: 20_261_122)
        var requests = 0
        for _ in 0..<5000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...20, using: &generator) { bytes += randomPiece(using: &generator) }
            requests += checkAgainstReference(bytes, pieceBytes: Int.random(in: 1...64, using: &generator))
        }
        #expect(requests > 100, "the garbage must come near enough to requests to mean something")
    }

    @Test func `random changes to requests never crash and never make up a request`() {
        var generator = SeededGenerator(seed: 42)
        let sent = SentRequest(id: 1, body: pattern(200), padding: 1, recordBytesMax: 50)
        for _ in 0..<5000 {
            var bytes = sent.bytes
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = checkAgainstReference(bytes + sent.bytes, pieceBytes: 1000)
        }
    }

    /// The scanner may refuse more than the reference, but what it lets through is what the reference finds.
    private func checkAgainstReference(_ bytes: [UInt8], pieceBytes: Int) -> Int {
        let scan = Scan(pieces: bytes.split(every: pieceBytes))
        #expect(sentRequests(in: bytes).starts(with: scan.requests), "\(bytes)")
        return scan.requests.count
    }

    /// Garbage, or a record that is nearly right.
    private func randomPiece(using generator: inout SeededGenerator) -> [UInt8] {
        let content = pattern(Int.random(in: 0...20, using: &generator), seed: generator.next())
        switch Int.random(in: 0..<40, using: &generator) {
        case 0: return content
        case 1: return record(.standardInput, id: 1, content)
        case 2: return record(.parameters, id: 1, content)
        case 3..<10: return record(.getValues, id: 0, content.count % 2 == 0 ? [] : content)
        case 10..<20: return record(.beginRequest, id: 1, begin())
        case 20..<28: return record(.parameters, id: 1)
        case 28..<36: return record(.standardInput, id: 1)
        default:
            return record(
                rawType: UInt8.random(in: 0...12, using: &generator), id: UInt16.random(in: 0...2, using: &generator), content,
                padding: Int.random(in: 0...9, using: &generator))
        }
    }
}

/// The requests in whole records, found without any check of their order.
private func sentRequests(in bytes: [UInt8]) -> [ScannedRequest] {
    var requests: [ScannedRequest] = []
    var current: SentRequest?
    var (parameters, rest): ([UInt8], ArraySlice<UInt8>) = ([], bytes[...])
    while let (header, content) = takeRecord(from: &rest) {
        switch header.type {
        case 1 where content.count == 8:
            current = SentRequest(id: header.requestID, keepsConnection: content[2] & 1 == 1, parameters: [])
            parameters = []
        case 4 where header.requestID == current?.id: parameters += content
        case 5 where header.requestID == current?.id && !content.isEmpty: current?.body += content
        case 5 where header.requestID == current?.id:
            guard var found = current?.scanned else { break }
            found.parameters = parameters
            if hasUnusablePair(parameters) {
                (found.parameters, found.body, found.dropped) = ([], [], .unusableParameters)
            }
            requests.append(found)
        default: break
        }
    }
    return requests
}

/// Whether there is a NUL, or an equals sign in a name, before the first length that points beyond the bytes.
private func hasUnusablePair(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    func length() -> Int? {
        guard let first = rest.popFirst() else { return nil }
        guard first > 127 else { return Int(first) }
        guard rest.count >= 3 else { return nil }
        defer { rest = rest.dropFirst(3) }
        return rest.prefix(3).reduce(Int(first & 127)) { $0 << 8 | Int($1) }
    }
    while let nameCount = length(), let valueCount = length(), nameCount + valueCount <= rest.count {
        let (name, value) = (rest.prefix(nameCount), rest.dropFirst(nameCount).prefix(valueCount))
        if name.contains(0) || name.contains(UInt8(ascii: "=")) || value.contains(0) { return true }
        rest = rest.dropFirst(nameCount + valueCount)
    }
    return false
}
