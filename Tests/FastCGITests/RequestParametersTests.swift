// Which value a parameter has.

import Testing

@testable import FastCGI

/// Parameters of these names, each with its place as its value.
private func parameters(_ names: [String], paddedBy count: Int = 0) -> RequestParameters {
    var bytes: [UInt8] = []
    if count > 0 { bytes.appendPair(name: Array("PADDING".utf8), value: [UInt8](repeating: 0x78, count: count)) }
    for (place, name) in names.enumerated() { bytes.appendPair(name: Array(name.utf8), value: Array("\(place)".utf8)) }
    return RequestParameters(bytes)
}

@Suite struct RequestParametersTests {
    /// More than there are places for them, so that names share one; and with a block that is larger than any place can say.
    @Test(arguments: [0, 100, 65_000, 70_000])
    func `each has its own value, whatever else is there`(_ padding: Int) {
        let letters = (0..<26).map { Character(Unicode.Scalar(UInt8(0x41 + $0))) }
        let names = letters.flatMap { first in letters.map { "\(first)_\($0)" } }
        let found = parameters(["", "HTTP_X"] + names + ["REQUEST_METHOD"], paddedBy: padding)
        #expect(found[""] == "0")
        #expect(found["A_A"] == "2")
        #expect(found["A_E"] == "6" && found["A_M"] == "14" && found["A_U"] == "22")
        #expect(found["Z_Z"] == "677")
        #expect(found["REQUEST_METHOD"] == "678")
        #expect(found["REQUEST_METHOD_"] == nil && found["a_a"] == nil && found["HTTP_Y"] == nil)
    }

    @Test(arguments: [0, 70_000])
    func `of duplicates the first counts, and is known to be none alone`(_ padding: Int) {
        let found = parameters(["A", "SLUICE_ROUTE", "B", "SLUICE_ROUTE", "C"], paddedBy: padding)
        #expect(found["SLUICE_ROUTE"] == "1")
        #expect(found.isRepeated("SLUICE_ROUTE"))
        #expect(!found.isRepeated("A") && !found.isRepeated("C") && !found.isRepeated("D"))
    }

    @Test func `among none there is none`() {
        #expect(RequestParameters.none["A"] == nil)
        #expect(!RequestParameters.none.isRepeated("A"))
    }
}
