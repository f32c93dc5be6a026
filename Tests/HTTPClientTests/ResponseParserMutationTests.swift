@testable import HTTPClient
import TestSupport
import Testing

@Suite(.ownThread, .timeLimit(.minutes(5))) struct ResponseParserMutationTests {
    private static let mutationsOfSeed = 25000

    @Test(arguments: UInt64(1)...4)
    func `a changed response is what the reference makes of it`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let grammar = Grammar()
        var (wholes, refusals) = (0, 0)
        for _ in 0..<Self.mutationsOfSeed {
            let (asked, bytes) = changedResponse(using: &generator)
            let verdict = ReferenceReader.read(bytes, for: asked, by: grammar)
            let outcome = FedParser(asked, bytes).outcome
            #expect(
                verdict.matches(outcome),
                "\(outcome) is not \(verdict): \(String(decoding: bytes, as: UTF8.self).debugDescription)")
            let cuts = generator.cuts(of: bytes.count)
            #expect(FedParser(asked, bytes, cutAt: cuts).outcome == outcome, "cut at \(cuts): \(bytes)")
            if case .end = outcome.ending { wholes += 1 }
            if case .failed = outcome.ending { refusals += 1 }
        }
        #expect(min(wholes, refusals) > Self.mutationsOfSeed / 20, "changes must be neither all fatal nor all harmless")
    }

    private func changedResponse(using generator: inout SeededGenerator) -> (Asked, [UInt8]) {
        let row = ResponseRow.all[Int.random(in: 0..<ResponseRow.all.count, using: &generator)]
        var bytes = row.bytes
        for _ in 0..<Int.random(in: 1...3, using: &generator) { change(&bytes, using: &generator) }
        let asked = Int.random(in: 0..<10, using: &generator) == 0 ? Asked.allCases.randomElement(using: &generator) : nil
        return (asked ?? row.asked, bytes)
    }

    private static let interesting = Array("\r\n\r\n \t:;,0123456789afAFgx-\u{0}\u{7F}HTP/.cChunked".utf8) + [0x80, 0xFF]

    private func change(_ bytes: inout [UInt8], using generator: inout SeededGenerator) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        let byte = Self.interesting.randomElement(using: &generator) ?? 0
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: bytes[place] = byte
        case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: bytes.insert(byte, at: place)
        case 3: bytes.remove(at: place)
        case 4: bytes.removeLast(min(bytes.count, Int.random(in: 0..<20, using: &generator)))
        default: bytes.insert(contentsOf: bytes[place...].prefix(Int.random(in: 0..<40, using: &generator)), at: place)
        }
    }
}
