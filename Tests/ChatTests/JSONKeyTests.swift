import TestSupport
import Testing

@testable import Chat

/// A key and the string in a document that it is looked for in are compared by words. Here they are compared letter by letter too.
@Suite struct JSONKeyTests {
    static let names = [
        "", "a", "role", "delta", "content", "messages", "finish_reason", "sixteen letters!", "seventeen letters",
    ]

    /// Each name, one that differs in its last letter, one that is longer, and one with an escape in it.
    static let strings: [String] = names.flatMap { name -> [String] in
        let head = String(name.dropLast())
        return [name, head + "x", name + "x", name + #"\u0078"#, head + #"\""#]
    }

    @Test(arguments: strings)
    func `a string has the key of a name when its letters are the name's`(_ string: String) throws {
        for behind in ["", ":", "                    "] {
            let document = bytes("\"\(string)\"\(behind)")
            let range = 0..<string.utf8.count + 2
            let decoded = JSONText.decode(range, in: document.span)
            for name in Self.names where name.utf8.count <= JSONKey.bytesMax {
                #expect((JSONKey(range, in: document.span) == JSONKey(name)) == (decoded == name), "\(string) \(name)")
                #expect(JSONText.isEqual(range, to: name, in: document.span) == (decoded == name), "\(string) \(name)")
            }
        }
    }

    @Test(arguments: strings)
    func `a plain key of up to seven letters stands where its letters and quotes do`(_ string: String) {
        for behind in ["", ":", "                    "] {
            let document = bytes("\"\(string)\"\(behind)")
            for name in Self.names where name.utf8.count <= JSONKey.bytesMax {
                let isThere = document.starts(with: bytes("\"\(name)\""))
                let canTell = name.utf8.count < 8 && document.count >= 9
                #expect(JSONKey(name).stands(at: 0, in: document.span) == (isThere && canTell), "\(string) \(name)")
            }
        }
    }

    @Test func `behind a backslash stand the letters that RFC 8259 names, and no others`() {
        for letter in UInt8.min...UInt8.max {
            let document: [UInt8] = [0x22, 0x5C, letter, 0x22, 0x20]
            let isAllowed = "\"\\/bfnrt".utf8.contains(letter)
            // A quote that is not escaped would end the string, and leave the other one behind it.
            let isValid = (try? JSONScanner.validate(document.span, depthMax: 1)) != nil
            #expect(isValid == isAllowed, "\(letter)")
        }
    }

    @Test func `the first byte that does not stand for itself is found wherever it is`() throws {
        for byte in UInt8.min...UInt8.max {
            for place in 0..<40 {
                var document: [UInt8] = [0x22] + Array(repeating: UInt8(ascii: "a"), count: 40) + [0x22]
                document[1 + place] = byte
                let isPlain = byte >= 0x20 && byte < 0x80 && byte != 0x22 && byte != 0x5C
                let end = try? JSONText.end(ofStringAt: 0, in: document.span)
                if isPlain { #expect(end == 42, "\(byte) at \(place)") }
                if byte == 0x22 { #expect(end == place + 2) }
                if byte < 0x20 || byte >= 0x80 { #expect(end == nil, "\(byte) at \(place)") }
            }
        }
    }
}
