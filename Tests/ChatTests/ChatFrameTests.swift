import Chat
import TestSupport
import Testing

@Suite(.ownThread) struct ChatFrameTests {
    private func frame(_ text: String) -> ChatFrame {
        ChatFrame(bytes(text).span, depthMax: 64)
    }

    private func chunk(_ text: String) throws -> ChatChunk {
        guard case .chunk(let chunk) = frame(text) else { throw NoChunk(frame: frame(text)) }
        return chunk
    }

    private struct NoChunk: Error { let frame: ChatFrame }

    @Test(arguments: ["[DONE]", " [DONE]", "[DONE] ", "\t[DONE]\r"]) func `the end of the stream is known`(_ text: String) {
        #expect(frame(text) == .done)
    }

    @Test(arguments: [
        "[DONE", "[DONE]]", "DONE", "[done]", "[DONE][DONE]", "{\"choices\":[]} x", "{\"choices\":[", "", "{\"a\":\"‹FF›\"}",
    ])
    func `what is neither JSON nor the end is garbage`(_ text: String) {
        guard case .garbage = frame(text) else {
            Issue.record("\(frame(text))")
            return
        }
    }

    @Test(arguments: [
        "{}", "{\"id\":\"x\"}", "[]", "null", "{\"choices\":null}", "{\"choices\":{}}", "{\"error\":null}", "{\"error\":false}",
        "{\"error\":{}}", "{\"error\":\"\"}", "{\"error\":{\"message\":\"\",\"code\":null}}", "[{\"choices\":[]}]",
    ])
    func `JSON without choices and without an error is neither chunk nor error`(_ text: String) {
        #expect(frame(text) == .other)
    }

    @Test func `of several choices the last ones count, as for clients`() throws {
        let text = #""choices":[{"index":3,"delta":{"content":"a","tool_calls":[1],"refusal":"b"},"finish_reason":"stop"}]"#
        #expect(frame("{\(text),\"choices\":null}") == .other)
        #expect(frame("{\(text),\"\\u0063hoices\":{}}") == .other)
        #expect(try chunk("{\(text),\"choices\":7,\"usage\":{}}").lacksChoices)
        #expect(try chunk("{\(text),\"choices\":[]}") == chunk(#"{"choices":[]}"#))
        #expect(try chunk("{\"choices\":[{}],\"usage\":{},\(text)}") == chunk("{\"usage\":{},\(text)}"))
    }

    @Test func `a chunk with text is a chunk with text and nothing else`() throws {
        let chunk = try chunk(
            #"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":null,"#
                + #""choices":[{"index":0,"delta":{"content":" joke"},"logprobs":null,"finish_reason":null}],"usage":null}"#)
        #expect(chunk.choicesCount == 1)
        #expect(chunk.hasContent)
        #expect(!chunk.hasFinishReason && !chunk.hasToolCalls && !chunk.hasRefusal && !chunk.hasUsage)
    }

    @Test(arguments: [
        "finish_reason_", "finish_reason_xx", "finish_reason_xxx", "finish_reaso", "finish_reason\\u0000", "Finish_reason", "",
    ])
    func `a name that only resembles is another name`(_ name: String) throws {
        let chunk = try chunk("{\"choices\":[{\"\(name)\":\"stop\"}],\"padding\":\"0123456789\"}")
        #expect(!chunk.hasFinishReason)
    }

    @Test func `an escaped name is the same name`() throws {
        let chunk = try chunk(#"{"ch\u006fices":[{"d\u0065lta":{"\u0063ontent":"x"},"finish\u005freason":"stop"}]}"#)
        #expect(chunk.choicesCount == 1 && chunk.hasContent && chunk.hasFinishReason)
    }

    @Test(arguments: [
        #"{"role":"assistant","content":""}"#, #"{"content":null}"#, "{}", "null", "[]", #"{"tool_calls":[ ]}"#,
        #"{"tool_calls":[]}"#,
        #"{"refusal":null}"#,
    ])
    func `a delta that says nothing has no output`(_ delta: String) throws {
        let chunk = try chunk(#"{"choices":[{"delta":\#(delta),"finish_reason":null}]}"#)
        #expect(!chunk.hasContent && !chunk.hasToolCalls && !chunk.hasRefusal && !chunk.hasFinishReason)
    }

    @Test(arguments: ["delta", "message"]) func `tool calls and refusals are seen in chunks and completions`(_ name: String)
        throws
    {
        #expect(try chunk(#"{"choices":[{"\#(name)":{"tool_calls":[{"index":0}]}}]}"#).hasToolCalls)
        #expect(try chunk(#"{"choices":[{"\#(name)":{"function_call":{"name":"f"}}}]}"#).hasToolCalls)
        #expect(try chunk(#"{"choices":[{"\#(name)":{"refusal":"I can't"}}]}"#).hasRefusal)
        #expect(try chunk(#"{"choices":[{"\#(name)":{"content":"a"}}]}"#).hasContent)
    }

    @Test(arguments: [
        (#"{"index":0,"finish_reason":"stop"},{"index":1,"finish_reason":"stop"}"#, true),
        (#"{"index":1,"finish_reason":"stop"},{"index":0,"finish_reason":"stop"}"#, true),
        (#"{"finish_reason":"stop"},{"finish_reason":"stop"}"#, true),
        (#"{"index":0,"finish_reason":"stop"},{"index":0,"finish_reason":"length"}"#, false),
        (#"{"index":0,"finish_reason":"stop"},{"index":2,"finish_reason":"stop"}"#, false),
        (#"{"index":0,"finish_reason":"stop"},{"index":-1,"finish_reason":"stop"}"#, false),
        (#"{"index":0,"finish_reason":"stop"},{"index":1e99,"finish_reason":"null"}"#, false),
    ])
    func `two choices are finished when each is`(_ choices: String, areFinished: Bool) throws {
        #expect(try chunk("{\"choices\":[\(choices)]}").finished.isSuperset(of: ChoiceSet(count: 2)) == areFinished)
    }

    @Test func `no number of choices is more than can be told apart`() {
        for count in [-1, 0, 1, 127, 128, 129, .max] {
            #expect(ChoiceSet(count: count).isEmpty == (count < 1))
        }
    }

    @Test func `usage alone is a chunk that lacks choices`() throws {
        for text in [#"{"usage":{"x":1}}"#, #"{"choices":null,"usage":{"x":1}}"#] {
            #expect(try chunk(text).lacksChoices)
            #expect(try chunk(text).isUsageOnly)
        }
    }

    @Test func `a finish reason in any choice counts`() throws {
        let chunk = try chunk(
            #"{"choices":[{"delta":{},"finish_reason":null},{"delta":{},"finish_reason":"length"},{"finish_reason":null}]}"#)
        #expect(chunk.hasFinishReason)
        #expect(chunk.choicesCount == 3)
    }

    @Test(arguments: ["null", "\"\"", "\"null\"", "{}", "[]"]) func `a finish reason that says nothing is none`(_ reason: String)
        throws
    {
        #expect(try !chunk("{\"choices\":[{\"delta\":{},\"finish_reason\":\(reason)}]}").hasFinishReason)
    }

    @Test(arguments: [
        (#"{"choices":[],"usage":{}}"#, true), (#"{"choices":[],"usage":null}"#, false), (#"{"choices":[]}"#, false),
        (#"{"choices":[{"delta":{}}],"usage":{}}"#, false),
    ])
    func `a chunk with usage alone is known`(_ text: String, isUsageOnly: Bool) throws {
        #expect(try chunk(text).isUsageOnly == isUsageOnly)
    }

    @Test func `a usage chunk has no choices and usage`() throws {
        let chunk = try chunk(#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#)
        #expect(chunk.choicesCount == 0)
        #expect(chunk.hasUsage)
    }

    @Test func `text that looks like JSON stays text`() throws {
        let chunk = try chunk(
            #"{"choices":[{"delta":{"content":"{\"error\":{}} \"finish_reason\":\"stop\" [DONE]"},"finish_reason":null}]}"#)
        #expect(chunk.hasContent && !chunk.hasFinishReason)
    }

    @Test(
        arguments: [
            (#"{"error":{"message":"no","type":"t","param":"p","code":"c"}}"#, "no", "t", "p", "c"),
            (#"{"error":{"message":"no","code":429}}"#, "no", nil, nil, "429"), (#"{"error":"no"}"#, "no", nil, nil, nil),
            (
                #"{"object":"error","message":"no","type":"BadRequestError","param":null,"code":400}"#, "no", "BadRequestError",
                nil, "400"
            ),
            (#"{"id":"x","choices":[{"delta":{},"finish_reason":"error"}],"error":{"message":"no"}}"#, "no", nil, nil, nil),
            (#"{"error":{"message":7}}"#, nil, nil, nil, nil), (#"{"error":{"code":7}}"#, nil, nil, nil, "7"),
            (#"[{"error":{"message":"no","code":400}}]"#, "no", nil, nil, "400"),
            (#"{"code":"c","message":"no"}"#, "no", nil, nil, "c"),
            (#"{"error_type":"t","error_message":"no"}"#, "no", "t", nil, nil),
            (#"{"choices":null,"base_resp":{"status_code":1008,"status_msg":"no"}}"#, "no", nil, nil, "1008"),
            (#"{"choices":[],"base_resp":{"status_code":1008,"status_msg":"no"}}"#, "no", nil, nil, "1008"),
            (#"{"detail":"no"}"#, "no", nil, nil, nil),
            (#"{"detail":[{"msg":"no","loc":["body",0]}]}"#, "no (body.0)", nil, nil, nil),
            (#"{"errors":[{"code":3,"message":"no"},{"message":"nor"}]}"#, "no; nor", nil, nil, "3"),
            (#"{"error":"QUOTA","message":"no"}"#, "no", nil, nil, "QUOTA"),
            (#"{"error":{"message":{"detail":"no"}}}"#, "no", nil, nil, nil),
            (#"{"error":["no","nor"]}"#, "no; nor", nil, nil, nil),
        ] as [(String, String?, String?, String?, String?)])
    func `an upstream's error is understood`(_ text: String, message: String?, type: String?, param: String?, code: String?) {
        guard case .error(let error) = frame(text) else {
            Issue.record("\(frame(text))")
            return
        }
        #expect([error.message, error.type, error.param, error.code] == [message, type, param, code])
    }

    @Test(arguments: ["\"\"", "\" \"", "{}", "{ }", "null", "false", "{\"code\":null}", "{\"message\":\"\",\"code\":0}", "[]"])
    func `an empty error beside choices is none`(_ empty: String) throws {
        let choices = #""choices":[{"delta":{"content":"a"},"finish_reason":null}]"#
        for text in ["{\(choices),\"error\":\(empty)}", "{\"error\":\(empty),\(choices)}"] {
            #expect(try chunk(text).hasContent)
        }
    }

    @Test(arguments: ["\"x\"", "{\"code\":1}", "{\"message\":\"x\"}", "{\"x\":\"y\"}"])
    func `any other error beside choices is one`(_ error: String) {
        guard case .error = frame("{\"choices\":[],\"error\":\(error)}") else {
            Issue.record("an error was missed")
            return
        }
    }

    @Test(
        arguments: [
            (#"{"error":500}"#, nil, "500"), (#"{"error":true}"#, nil, nil), (#"{"error":500,"message":"no"}"#, "no", "500"),
            (#"{"errors":[{"code":3}]}"#, nil, "3"), (#"[{"error":500}]"#, nil, "500"),
            // Of a choice.
            (#"{"choices":[{"index":0,"delta":{},"finish_reason":"abort"}]}"#, nil, "abort"),
            (#"{"choices":[{"delta":{"content":"a"},"finish_reason":"\u0065rror"}]}"#, nil, "error"),
            (#"{"choices":[{"delta":{},"finish_reason":"error","error":{"code":502,"message":"died"}}]}"#, "died", "502"),
            (#"{"choices":[{"error":{"message":"died"},"delta":{}}]}"#, "died", nil),
            (#"{"choices":[{"delta":{},"error":"died"}]}"#, nil, "died"), (#"{"choices":[{"error":["died"]}]}"#, "died", nil),
            (#"{"choices":[{"delta":{}},{"delta":{},"finish_reason":"abort"}]}"#, nil, "abort"),
        ] as [(String, String?, String?)])
    func `an error that says little is one all the same, and so is a choice's`(_ text: String, message: String?, code: String?) {
        guard case .error(let error) = frame(text) else {
            Issue.record("\(frame(text))")
            return
        }
        #expect([error.message, error.code] == [message, code])
    }

    @Test(arguments: [
        #""finish_reason":"stop""#, #""finish_reason":"errors""#, #""finish_reason":null,"error":null"#, #""error":{}"#,
        #""error":"""#, #""error":false"#,
    ])
    func `a choice that has not failed is none`(_ members: String) throws {
        _ = try chunk("{\"choices\":[{\"delta\":{},\(members)}]}")
        // Of several choices the last ones count.
        _ = try chunk(#"{"choices":[{"finish_reason":"abort"}],"choices":[{}]}"#)
    }

    @Test func `an error object is kept byte for byte when it has a message`() {
        guard case .error(let error) = frame(#"{"error": {"message" : "n\u006f",  "extra":1.0} }"#) else { return }
        #expect(error.object == bytes(#"{"message" : "n\u006f",  "extra":1.0}"#))
        #expect(error.message == "no")
    }

    @Test func `frames with random changes never end the process`() {
        var random = SeededGenerator(seed: 15_445)
        let source = bytes(
            #"{"choices":[{"delta":{"content":"\u0061é","tool_calls":[]},"finish_reason":null}],"error":{"message":"x"}}"#)
        var garbage = 0
        for _ in 0..<20_000 {
            var data = source
            for _ in 0..<Int.random(in: 1...5, using: &random) { random.mutate(&data) }
            if case .garbage = ChatFrame(data.span, depthMax: 64) { garbage += 1 }
        }
        #expect((5_000..<20_000).contains(garbage))
    }
}

@Suite struct ChatFrameReaderTests {
    private static let plain = #"{"id":"c","choices":[{"index":0,"delta":{"content":" a"},"finish_reason":null}]}"#

    @Test(arguments: [
        plain,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":" and \"more\" \u00e9 é"},"finish_reason":null}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":""},"finish_reason":null}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":null},"finish_reason":null}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":" a"},"finish_reason":"stop"}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":" a","tool_calls":[{}]},"finish_reason":null}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":" a"},"finish_reason":null}],"error":{"message":"m"}}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":" a"},"finish_reason":null}]"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":" a"},"finish_reason":null}]}x"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":" \x"},"finish_reason":null}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":" ‹FF›"},"finish_reason":null}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":" a""#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":" a"},"finish_reason":null}]}"},"finish_reason":null}]}"#,
        #"{"id":"d","choices":[{"index":0,"delta":{"content":" a"},"finish_reason":null}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":" "#, "", "[DONE]", "{}",
    ])
    func `a frame behind another of its kind is seen as it is alone`(_ text: String) {
        var reader = ChatFrameReader(depthMax: 64)
        for before in [Self.plain, Self.plain, text] { _ = reader.read(bytes(before).span) }
        #expect(reader.read(bytes(text).span) == ChatFrame(bytes(text).span, depthMax: 64))
        #expect(reader.read(bytes(Self.plain).span) == ChatFrame(bytes(Self.plain).span, depthMax: 64))
    }

    /// The part behind the content differs too, as OpenAI's does.
    @Test(arguments: [
        #""obfuscation":"Zk3"}"#, #""obfuscation":"""#, #""obfuscation":""}"#, #""obfuscation":"a\"b\u00e9 é"}"#,
        #""obfuscation":"\x"}"#,
        #""obfuscation":"‹FF›"}"#, #""obfuscation":"open}"#, #""obfuscation":"a","error":{"message":"m"}}"#,
        #""obfuscation":null}"#,
        #""obfuscation":{"a":"b"}}"#, #""obfuscation":"a","obfuscation":"b"}"#, #""obfuscation":"a"}x"#, #""obfuscation":"#,
        #""obfuscation""#, #""obfuscatio\u006e":"a"}"#, #""usage":{"a":1},"obfuscation":"a"}"#, "\"model\":\"x\"}",
    ])
    func `a chunk whose padding differs from the one before is seen as it is alone`(_ end: String) {
        let choices = #""choices":[{"delta":{"content":" a"},"finish_reason":null}],"#
        let (padded, text) = ("{\(choices)\"obfuscation\":\"xY9zzz\"}", "{\(choices)\(end)")
        let first = "{\"obfuscation\":\"q\",\(choices)\"obfuscation\":\"xY9zzz\"}"
        for before in [padded, first, text] {
            var reader = ChatFrameReader(depthMax: 64)
            for frame in [before, padded, before] { _ = reader.read(bytes(frame).span) }
            #expect(reader.read(bytes(text).span) == ChatFrame(bytes(text).span, depthMax: 64))
            #expect(reader.read(bytes(padded).span) == ChatFrame(bytes(padded).span, depthMax: 64))
        }
    }

    @Test(arguments: [plain, #"{"choices":[{"delta":{"content":"a"}}],"obfuscation":"b","usage":null}"#])
    func `any byte of a chunk may change, and the look at it with it`(_ chunk: String) {
        let original = bytes(chunk)
        for index in original.indices {
            for byte in [UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "}"), 0, 0xFF, UInt8(ascii: "x")] {
                var changed = original
                changed[index] = byte
                var reader = ChatFrameReader(depthMax: 64)
                _ = reader.read(original.span)
                #expect(reader.read(changed.span) == ChatFrame(changed.span, depthMax: 64))
            }
        }
    }

    /// The id differs too, as with some servers, and may stand anywhere.
    @Test(arguments: [
        #""id":"chatcmpl-2","#, #""id":"","#, #""id":"é\u00e9\"","#, #""id":7,"#, #""id":null,"#, #""id":"a","id":"b","#, "",
        #""id":"\x","#, #""id":"‹FF›","#, #""id":"open,"#, #""id":"a","object":"error","#, #""i\u0064":"chatcmpl-2","#,
    ])
    func `a chunk whose id differs from the one before is seen as it is alone`(_ id: String) {
        let choices = #""choices":[{"delta":{"content":" a"},"finish_reason":null}]"#
        let (plain, text) = ("{\"id\":\"chatcmpl-1\",\(choices)}", "{\(id)\(choices)}")
        for before in [plain, text, "{\(choices),\"obfuscation\":\"x\",\"id\":\"chatcmpl-1\"}"] {
            var reader = ChatFrameReader(depthMax: 64)
            for frame in [before, plain, before] { _ = reader.read(bytes(frame).span) }
            #expect(reader.read(bytes(text).span) == ChatFrame(bytes(text).span, depthMax: 64))
            #expect(reader.read(bytes(plain).span) == ChatFrame(bytes(plain).span, depthMax: 64))
        }
    }

    @Test func `chunks that differ in their strings, and some by chance, are seen as each is alone`() {
        var random = SeededGenerator(seed: 19_171)
        var (alikeCount, count) = (0, 0)
        for _ in 0..<2_000 {
            let shape = Shape.allCases.randomElement(using: &random)!
            var reader = ChatFrameReader(depthMax: 64)
            for _ in 0..<8 {
                var data = bytes(shape.chunk(&random))
                for _ in 0..<max(0, Int.random(in: -2...2, using: &random)) { random.mutate(&data) }
                var alone = ChatFrameReader(depthMax: 64)
                let (frame, content) = (alone.read(data.span), alone.content)
                #expect(reader.read(data.span) == frame)
                #expect(reader.content == content)
                count += 1
                if reader.servedModel == nil, alone.servedModel != nil { alikeCount += 1 }
            }
        }
        #expect((count / 10..<count / 2).contains(alikeCount))
    }

    /// How servers write their chunks.
    private enum Shape: CaseIterable {
        case plain, padded, idLast, several

        func chunk(_ random: inout SeededGenerator) -> String {
            let texts = [
                "a", " and", "", "\\n", "\\\"", "é", "\\u00e9", "日本語", "of more than sixteen bytes", "\\ud83d", "\\x", "‹FF›",
                "‹C3›", "\t",
            ]
            var text: String { (Bool.random(using: &random) ? texts.prefix(2) : texts[...]).randomElement(using: &random)! }
            let choice = #"{"index":0,"delta":{"content":"\#(text)"},"finish_reason":null}"#
            let id = #""id":"\#(text)""#
            let rest = #""model":"m","choices":[\#(choice)]"#
            return switch self {
            case .plain: "{\(id),\(rest)}"
            case .padded: "{\(id),\(rest),\"obfuscation\":\"\(text)\"}"
            case .idLast: "{\"obfuscation\":\"\(text)\",\(rest),\(id)}"
            case .several: "{\(id),\"model\":\"m\",\"choices\":[\(choice),\(choice)],\"usage\":null}"
            }
        }
    }
}

extension ChatChunk {
    var hasFinishReason: Bool { !finished.isEmpty }
}
