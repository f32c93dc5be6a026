import Chat
import Testing

@Suite struct ListedModelsTests {
    private func names(_ text: String) -> [String]? { ListedModels.names(in: Array(text.utf8)) }

    @Test(
        arguments: [
            (#"{"object":"list","data":[{"id":"a","object":"model"},{"id":"b/c:free"}]}"#, ["a", "b/c:free"]),
            (#" [ {"id":"a"} , {"x":{"id":"y"},"id":"b"} ] "#, ["a", "b"]), (#"{"data":[]}"#, []), ("[]", []),
            ("\u{FEFF}[{\"id\":\"a\"}]", ["a"]), (#"{"data":[{"id":"x"}],"data":[{"id":"y"}]}"#, ["y"]),
            (#"[{"id":"\u0061\/b"},{"id":"a \"b\" \\"}]"#, ["a/b", #"a "b" \"#]),
            (#"[{"id":""},{"id":5},{"id":null},{"id":["a"]},{},"a",null,{"ID":"a"},{"id":"ok"}]"#, ["ok"]),
            (#"[{"id":"a\n"},{"id":"a\u0000"},{"id":"é"},{"id":"a\u007f"},{"id":"\ud800"},{"id":"\t"}]"#, []),
            (#"{"error":{"message":"no"}}"#, nil), (#"{"data":{"id":"a"}}"#, nil), (#"{"data":null}"#, nil),
            (#"{"models":[]}"#, nil),
            ("", nil), ("hello", nil), ("<html>", nil), (#"[{"id":"a"}"#, nil), (#"[{"id":"a"}]]"#, nil), ("\"a\"", nil),
            ("5", nil),
        ] as [(String, [String]?)]) func `are the names in OpenAI's list, or in the array alone`(
            text: String, expected: [String]?
        )
    {
        #expect(names(text) == expected)
    }

    @Test func `are at most a thousand, of 256 bytes each`() {
        let many = (0..<1500).map { "{\"id\":\"m\($0)\"}" }.joined(separator: ",")
        #expect(names("[\(many)]")?.count == ListedModels.countMax)
        for count in [256, 257] {
            let name = String(repeating: "x", count: count)
            #expect(names("[{\"id\":\"\(name)\"}]") == (count > 256 ? [] : [name]))
            let escaped = String(repeating: #"\u0078"#, count: count)
            #expect(names("[{\"id\":\"\(escaped)\"}]") == (count > 256 ? [] : [name]))
        }
    }

    @Test func `are at most 64 KiB, whatever a list has`() {
        let long = (0..<1000).map { "\($0)" + String(repeating: "x", count: 256 - "\($0)".utf8.count) }
        let found = names("[\(long.map { "{\"id\":\"\($0)\"}" }.joined(separator: ","))]")
        #expect(found == Array(long.prefix(256)))
        let usual = (0..<1000).map { "vendor-of-models/a-model-with-a-name-of-usual-length:\($0)" }
        #expect(names("[\(usual.map { "{\"id\":\"\($0)\"}" }.joined(separator: ","))]") == usual)
    }

    @Test func `are not looked for in what is nested too deeply`() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(names(deep) == nil)
        #expect(
            names("{\"data\":[{\"id\":\"a\",\"x\":\(String(repeating: "[", count: 100))\(String(repeating: "]", count: 100))}]}")
                == nil)
    }
}
