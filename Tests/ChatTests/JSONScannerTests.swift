import Chat
import TestSupport
import Testing

@Suite(.ownThread) struct JSONScannerTests {
    @Test func `the vectors are at least as many as the public suite's`() {
        #expect(JSONVectors.accepted.count >= 95)
        #expect(JSONVectors.refused.count >= 188)
        #expect(Set(JSONVectors.accepted + JSONVectors.refused).count == (JSONVectors.accepted + JSONVectors.refused).count)
    }

    @Test(arguments: JSONVectors.accepted) func `a JSON document is accepted`(_ text: String) throws {
        let document = bytes(text)
        let value = try JSONScanner.validate(document.span, depthMax: 64)
        let outside = document[..<value.range.lowerBound] + document[value.range.upperBound...]
        #expect(outside.allSatisfy { [0x20, 0x09, 0x0A, 0x0D].contains($0) })
    }

    @Test(arguments: JSONVectors.refused) func `what is not JSON is refused`(_ text: String) {
        let document = bytes(text)
        let error = #expect(throws: JSONError.self) { try JSONScanner.validate(document.span, depthMax: 64) }
        #expect((0...document.count).contains(error?.offset ?? -1))
    }

    @Test(arguments: JSONVectors.accepted.filter { "[{\"".contains($0.first!) })
    func `a document cut anywhere is refused`(_ text: String) throws {
        let document = bytes(text)
        let end = try JSONScanner.validate(document.span, depthMax: 64).range.upperBound
        for count in 0..<end {
            let head = Array(document[..<count])
            #expect(throws: JSONError.self) { try JSONScanner.validate(head.span, depthMax: 64) }
        }
    }

    @Test(arguments: [
        ("{\"a\":tru}", 8, JSONError.Reason.unexpectedByte), ("[1,2", 4, .unexpectedEnd), ("[1 2]", 3, .expectedCommaOrBracket),
        ("{\"a\" 1}", 5, .expectedColon), ("{\"a\":1 2}", 7, .expectedCommaOrBrace), ("{\"a\":1,}", 7, .expectedName),
        ("[01]", 2, .expectedCommaOrBracket), ("[1.]", 3, .badNumber), ("[\"\\x\"]", 2, .badEscape),
        ("\"a‹01›\"", 2, .controlCharacter),
        ("[\"‹FF›\"]", 2, .badUTF8), ("‹EF BB BF›{}", 0, .byteOrderMark), ("{} {}", 3, .trailingBytes), ("", 0, .unexpectedEnd),
    ])
    func `an error says which rule was broken and where`(_ text: String, offset: Int, reason: JSONError.Reason) {
        let document = bytes(text)
        let error = #expect(throws: JSONError.self) { try JSONScanner.validate(document.span, depthMax: 64) }
        #expect(error == JSONError(offset: offset, reason: reason))
    }

    /// What stands in a string, and which rule it breaks.
    static let inStrings: [(String, JSONError.Reason?)] = [
        ("", nil), ("\\n", nil), ("\\\"", nil), ("\\\\", nil), ("\\u00e9", nil), ("é", nil), ("日本", nil), ("😀", nil),
        ("‹7F›", nil), ("!", nil),
        ("#", nil), (" ", nil), ("[", nil), ("]", nil), ("‹00›", .controlCharacter), ("‹0A›", .controlCharacter),
        ("‹1F›", .controlCharacter),
        ("\\x", .badEscape), ("\\u00g0", .badEscape), ("‹80›", .badUTF8), ("‹FF›", .badUTF8), ("‹C3›", .badUTF8),
        ("‹ED A0 80›", .badUTF8),
    ]

    @Test(arguments: inStrings)
    func `a string is read alike at any length, at any distance from the document's end`(
        _ special: String, reason: JSONError.Reason?
    ) {
        for (before, after, rest) in lengths {
            let (head, tail) = (String(repeating: "a", count: before), String(repeating: "z", count: after))
            let text = "\"\(head)\(special)\(tail)\""
            for (open, close) in [("", ""), ("{", ":1}"), ("[\"\",", "]")] {
                let document = bytes(open + text + close + String(repeating: " ", count: rest))
                let expected = reason.map { JSONError(offset: open.utf8.count + 1 + before, reason: $0) }
                #expect(error(in: document) == expected, "\(before) before, \(after) after, \(rest) behind")
            }
        }
    }

    @Test func `a string that does not end is an error at the document's end`() {
        for count in 0...40 {
            for special in ["", "\\n", "é"] {
                let document = bytes("\"" + String(repeating: "a", count: count) + special)
                #expect(error(in: document) == JSONError(offset: document.count, reason: .unexpectedEnd))
            }
        }
    }

    /// How many bytes stand before something in a string, behind it, and behind the string.
    private var lengths: [(Int, Int, Int)] {
        let counts = [0, 1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33]
        return counts.flatMap { before in counts.flatMap { after in [0, 1, 8, 20].map { (before, after, $0) } } }
    }

    private func error(in document: [UInt8]) -> JSONError? {
        do throws(JSONError) {
            _ = try JSONScanner.validate(document.span, depthMax: 2)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: ["[", "{\"\":", "[{\"\":"], [1, 2, 63, 64, 65, 200, 1000])
    func `nesting up to the limit is accepted, one more is refused`(_ open: String, depth: Int) throws {
        let closing = ["[": "]", "{\"\":": "}", "[{\"\":": "}]"][open]!
        let text = String(repeating: open, count: depth) + "0" + String(repeating: closing, count: depth)
        let document = bytes(text)
        let levels = depth * closing.utf8.count
        #expect(try JSONScanner.validate(document.span, depthMax: levels).range == 0..<document.count)
        let error = #expect(throws: JSONError.self) { try JSONScanner.validate(document.span, depthMax: levels - 1) }
        #expect(error?.reason == .tooDeep)
    }

    @Test(arguments: ["[", "{\"\":", "[{\"\":"], [64, Int.max])
    func `a hundred thousand open brackets are an error and no stack overflow`(_ open: String, depthMax: Int) {
        let document = bytes(String(repeating: open, count: 100_000))
        let error = #expect(throws: JSONError.self) { try JSONScanner.validate(document.span, depthMax: depthMax) }
        #expect(error?.reason == (depthMax == 64 ? .tooDeep : .unexpectedEnd))
    }

    @Test func `documents with random changes never end the process`() {
        var random = SeededGenerator(seed: 20_261_122)
        let sources = JSONVectors.accepted.map { bytes($0) }
        var refused = 0
        for _ in 0..<20_000 {
            var document = sources.randomElement(using: &random)!
            for _ in 0..<Int.random(in: 1...4, using: &random) { random.mutate(&document) }
            do {
                let value = try JSONScanner.validate(document.span, depthMax: 64)
                _ = value.members(in: document.span).map { JSONText.decode($0.name, in: document.span) }
                _ = value.elements(in: document.span).map { $0.string(in: document.span) }
            } catch {
                refused += 1
            }
        }
        #expect(refused > 5_000)
    }
}

@Suite struct JSONValueTests {
    @Test func `members come as byte ranges in their order`() throws {
        let document = bytes(" { \"a\" : [1, 2] ,\"b\":\"x\"} ")
        let members = try JSONScanner.validate(document.span, depthMax: 2).members(in: document.span)
        #expect(members.map { document[$0.name] } == [bytes("\"a\"")[...], bytes("\"b\"")[...]])
        #expect(members.map { document[$0.value.range] } == [bytes("[1, 2]")[...], bytes("\"x\"")[...]])
        #expect(members.map(\.value.kind) == [.array, .string])
        #expect(members[0].value.elements(in: document.span).map { $0.integer(in: document.span) } == [1, 2])
    }

    @Test func `the last of duplicate members wins, however they are written`() throws {
        let document = bytes(#"{"model":"a","\u006dodel":"b"}"#)
        let root = try JSONScanner.validate(document.span, depthMax: 2)
        #expect(root.member("model", in: document.span)?.string(in: document.span) == "b")
    }

    @Test(arguments: [
        (#"model"#, true), (#"\u006dodel"#, true), (#"\u006D\u006f\u0064\u0065\u006c"#, true), (#"Model"#, false),
        (#"mode"#, false),
        (#"models"#, false), (#"\u004dodel"#, false), (#"model\u0000"#, false), (#"mod\u0065"#, false), ("", false),
    ])
    func `a name is compared by what it means`(_ name: String, matches: Bool) throws {
        let document = bytes("\"" + name + "\"")
        let value = try JSONScanner.validate(document.span, depthMax: 1)
        #expect(JSONText.isEqual(value.range, to: "model", in: document.span) == matches)
    }

    @Test(arguments: [
        (#""""#, ""), (#""abc""#, "abc"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"), (#""\u00e9é""#, "éé"),
        (#""\ud83d\ude00""#, "😀"), (#""\ud83d""#, "\u{FFFD}"), (#""\ude00x""#, "\u{FFFD}x"),
        (#""\ud83d\ud83d\ude00""#, "\u{FFFD}😀"),
        (#""\ud83d\n""#, "\u{FFFD}\n"), (#""\u0000""#, "\0"), (#""\uffff""#, "\u{FFFF}"), (#""日本\u8a9e""#, "日本語"),
        (#""\ud83dx\ude00""#, "\u{FFFD}x\u{FFFD}"), (#""\udbff\udfff""#, "\u{10FFFF}"),
    ])
    func `a string is decoded`(_ json: String, text: String) throws {
        let document = bytes(json)
        #expect(try JSONScanner.validate(document.span, depthMax: 1).string(in: document.span) == text)
    }

    @Test(arguments: [("12", 12), ("-3", -3), ("1.0", nil), ("1e3", nil), ("99999999999999999999", nil), ("\"1\"", nil)])
    func `an integer is one that is written so`(_ json: String, integer: Int?) throws {
        let document = bytes(json)
        #expect(try JSONScanner.validate(document.span, depthMax: 1).integer(in: document.span) == integer)
    }

    @Test(arguments: ["", "a", "\"\\", "\n\r\t\u{0}\u{1f}\u{7f}", "é😀\u{2028}", "</script>"])
    func `what the writer escapes the scanner decodes`(_ text: String) throws {
        var document: [UInt8] = []
        document.appendJSONString(text)
        #expect(!document.contains { $0 < 0x20 })
        #expect(try JSONScanner.validate(document.span, depthMax: 1).string(in: document.span) == text)
    }
}
