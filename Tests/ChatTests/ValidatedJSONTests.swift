import Chat
import TestSupport
import Testing

@Suite struct ValidatedJSONTests {
    @Test(arguments: JSONVectors.accepted) func `a second look finds the values that the first one found`(_ text: String) throws {
        try check(bytes(text))
    }

    @Test func `a second look finds the same in documents of any shape`() throws {
        var random = SeededGenerator(seed: 2_811)
        var valid = 0
        for source in JSONVectors.accepted + [
            "{\"a\":[{\"b\\\"}\":\"]\",\"c\":\"\\\\\"}, [1,true ,\"{\"] ],\"long\":\"0123456789abcdef{\"}"
        ] {
            for _ in 0..<50 {
                var document = bytes(source)
                for _ in 0..<Int.random(in: 1...3, using: &random) { random.mutate(&document) }
                if (try? JSONScanner.validate(document.span, depthMax: 64)) != nil {
                    valid += 1
                    try check(document)
                } else {
                    // What is not valid has parts that make no sense, but none outside of it.
                    #expect(
                        parts(of: JSONValue(validated: document.span), in: document).allSatisfy {
                            $0.upperBound <= document.count
                        })
                }
            }
        }
        #expect(valid > 200)
    }

    private func check(_ document: [UInt8]) throws {
        let root = try JSONScanner.validate(document.span, depthMax: 64)
        #expect(JSONValue(validated: document.span) == root)
        #expect(try parts(of: root, in: document) == scanned(root, in: document), "\(String(decoding: document, as: UTF8.self))")
    }

    /// Names and values, outermost first.
    private func parts(of value: JSONValue, in document: [UInt8]) -> [Range<Int>] {
        var parts = [value.range]
        value.forEachMember(in: document.span) { parts += [$0.name] + self.parts(of: $0.value, in: document) }
        for element in value.elements(in: document.span) { parts += self.parts(of: element, in: document) }
        return parts
    }

    /// The same as the validating scanner has them.
    private func scanned(_ value: JSONValue, in document: [UInt8]) throws -> [Range<Int>] {
        var (parts, values) = ([value.range], [(name: Range<Int>?, value: JSONValue)]())
        var scanner = JSONScanner(depthMax: 64, offset: value.range.lowerBound)
        if value.kind == .object {
            try scanner.beginObject(document.span)
            while let name = try scanner.nextMember(document.span) { values.append((name, try scanner.value(document.span))) }
        } else if value.kind == .array {
            try scanner.beginArray(document.span)
            while try scanner.nextElement(document.span) { values.append((nil, try scanner.value(document.span))) }
        }
        for (name, value) in values { parts += (name.map { [$0] } ?? []) + (try scanned(value, in: document)) }
        return parts
    }
}
