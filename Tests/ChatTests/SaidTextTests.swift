import TestSupport
import Testing

@testable import Chat

@Suite struct SaidTextTests {
    /// What has been said by deltas of a choice.
    private func said(_ deltas: [String]) -> String? {
        var (said, reader) = (SaidText(), ChatFrameReader(depthMax: 8))
        for delta in deltas {
            // In the midst of other bytes.
            let data = bytes(#"..{"choices":[{"index":0,"delta":\#(delta),"finish_reason":null}]}"#)[2...]
            guard case .chunk(let chunk) = reader.read(data.span) else { continue }
            said.take(chunk, content: reader.content, in: data)
        }
        return said.string.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `texts become one JSON string, in their own bytes`() throws {
        let json = said(
            [#"{"role":"assistant","content":""}"#]
                + ["Hel", #"lo \"you\""#, #"\n\u00e9"#, "é \\ud83d", "\\ude00"].map { #"{"content":"\#($0)"}"# })
        #expect(json == #""Hello \"you\"\n\u00e9é \ud83d\ude00""#)
        let document = bytes(json ?? "")
        #expect(try JSONScanner.validate(document.span, depthMax: 1).string(in: document.span) == "Hello \"you\"\néé 😀")
    }

    @Test(arguments: [
        (#"ok \ud83d"#, #""ok ""#), (#"\uDBFF"#, nil), (#"ok \\ud83d"#, #""ok \\ud83d""#), (#"ok \\\ud83d"#, #""ok \\""#),
        (#"\ud83d\ude00"#, #""\ud83d\ude00""#), (#"\u00e9"#, #""\u00e9""#),
    ])
    func `half of a character at its end is none of it`(text: String, expected: String?) throws {
        #expect(said([#"{"content":"\#(text)"}"#]) == expected)
    }

    @Test func `reasoning is none of it, and empty texts add nothing`() {
        #expect(said([#"{"reasoning_content":"Hm"}"#, #"{"content":"a"}"#, #"{"content":null}"#, "{}"]) == #""a""#)
        #expect(said([#"{"role":"assistant"}"#, #"{"content":""}"#]) == nil)
    }

    @Test(arguments: [
        #"{"tool_calls":[{"index":0,"function":{"name":"f"}}]}"#, #"{"function_call":{"name":"f"}}"#, #"{"refusal":"No"}"#,
        #"{"audio":{"id":"a"}}"#, #"{"content":[{"type":"text","text":"b"}]}"#,
        #"{"content":"b"}},{"index":1,"delta":{"content":"c"}"#,
    ])
    func `what is no text alone is nothing to go on with, whatever follows`(delta: String) {
        #expect(said([#"{"content":"a"}"#, delta, #"{"content":"c"}"#]) == nil)
    }

    @Test func `a longer one than anybody goes on with is let go`() {
        let most = String(repeating: "a", count: SaidText.bytesMax)
        #expect(said([#"{"content":"\#(most)"}"#])?.utf8.count == SaidText.bytesMax + 2)
        #expect(said([#"{"content":"\#(most)"}"#, #"{"content":"a"}"#]) == nil)
    }
}
