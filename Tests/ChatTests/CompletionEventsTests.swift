import Chat
import TestSupport
import Testing

@Suite(.ownThread) struct CompletionEventsTests {
    private func events(_ completion: String, edits: ChunkEdits = ChunkEdits(), includesUsage: Bool = false) throws -> [String] {
        let stream = try #require(CompletionEvents.events(of: bytes(completion), edits: edits, includesUsage: includesUsage))
        return try eventData(of: stream).map { String(decoding: $0, as: UTF8.self) }
    }

    private func stream(_ completion: String) -> [UInt8]? {
        CompletionEvents.events(of: bytes(completion), edits: ChunkEdits(), includesUsage: true)
    }

    /// What each chunk begins with, of `completion` below.
    private static let head =
        #"{"id":"c1","created":17,"model":"m","service_tier":"default","system_fingerprint":null,"object":"chat.completion.chunk","#
    private static let completion =
        #"{"id":"c1","object":"chat.completion","created":17,"model":"m","choices":[{"index":0,"message":{"role":"assistant","#
        + #""content":"Hi \u00e9","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"#
        + #""usage":{"prompt_tokens":1,"completion_tokens":2},"service_tier":"default","system_fingerprint":null}"#

    @Test func `a completion becomes its message, its finish reason and the end`() throws {
        #expect(
            try events(Self.completion) == [
                Self.head
                    + #""choices":[{"index":0,"logprobs":null,"delta":{"role":"assistant","content":"Hi \u00e9","refusal":null,"#
                    + #""annotations":[]},"finish_reason":null}]}"#,
                Self.head + #""choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#, "[DONE]",
            ])
    }

    @Test func `the usage comes last, for a caller who asked`() throws {
        let events = try events(Self.completion, includesUsage: true)
        #expect(events.count == 4)
        #expect(events[2] == Self.head + #""choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#)
        #expect(events[3] == "[DONE]")
    }

    @Test(arguments: ["", #","usage":null"#]) func `a completion without usage has no usage chunk`(_ usage: String) throws {
        let completion = #"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]\#(usage)}"#
        #expect(try events(completion, includesUsage: true).count == 3)
    }

    @Test(arguments: [
        (
            #"{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{}]}"#,
            #"{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"},"index":0},{"index":1}]}"#
        ),
        (
            #"{"tool_calls":[{"index":4,"id":"a"},{"\u0069ndex":null}]}"#,
            #"{"tool_calls":[{"index":4,"id":"a"},{"\u0069ndex":1}]}"#
        ),
        (#"{"tool_calls":null}"#, #"{"tool_calls":null}"#), (#"{"tool_calls":[]}"#, #"{"tool_calls":[]}"#),
        (#"{"tool_calls":[7]}"#, #"{"tool_calls":[7]}"#),
        (
            #"{"content":null,"function_call":{"name":"f","arguments":""}}"#,
            #"{"content":null,"function_call":{"name":"f","arguments":""}}"#
        ),
        (#"{"audio":{"id":"x","data":"AA==","expires_at":1}}"#, #"{"audio":{"id":"x","data":"AA==","expires_at":1}}"#),
        (#"{"content":null,"refusal":"No"}"#, #"{"content":null,"refusal":"No"}"#),
        ("{\n  \"content\": \"a\",\r\n  \"x\": 1.0\n}", #"{   "content": "a",    "x": 1.0 }"#),
        ("{}", "{}"), ("null", "{}"),
    ])
    func `the whole message is the delta, and tool calls are numbered`(_ message: String, delta: String) throws {
        let events = try events(#"{"choices":[{"index":0,"message":\#(message),"finish_reason":"x"}]}"#)
        #expect(
            events == [
                #"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":\#(delta),"finish_reason":null}]}"#,
                #"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"x"}]}"#, "[DONE]",
            ])
    }

    @Test func `all choices say their part before any is finished`() throws {
        let events = try events(
            #"{"choices":[{"index":1,"message":{"content":"b"},"finish_reason":"length"},"#
                + #"{"message":{"content":"a"},"logprobs":{"content":[]},"finish_reason":"st\u006fp"},"#
                + #"{"index":null,"finish_reason":"content_filter","content_filter_results":{"hate":{}}}]}"#)
        let head = #"{"object":"chat.completion.chunk","choices":["#
        #expect(
            events == [
                head + #"{"index":1,"delta":{"content":"b"},"finish_reason":null}]}"#,
                head + #"{"index":1,"logprobs":{"content":[]},"delta":{"content":"a"},"finish_reason":null}]}"#,
                head + #"{"index":2,"content_filter_results":{"hate":{}},"delta":{},"finish_reason":null}]}"#,
                head + #"{"index":1,"delta":{},"finish_reason":"length"}]}"#,
                head + #"{"index":1,"delta":{},"finish_reason":"st\u006fp"}]}"#,
                head + #"{"index":2,"delta":{},"finish_reason":"content_filter"}]}"#, "[DONE]",
            ])
    }

    @Test func `what else a server tells comes once`() throws {
        let events = try events(
            #"{"citations":["u"],"choices":[{"message":{},"finish_reason":"stop"}],"\u006fbject":"x","error":null,"id":7}"#)
        #expect(
            events == [
                #"{"id":7,"object":"chat.completion.chunk","citations":["u"],"error":null,"choices":[{"index":0,"delta":{},"finish_reason":null}]}"#,
                #"{"id":7,"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#, "[DONE]",
            ])
    }

    @Test(arguments: [(1, 20_000), (1000, 2)])
    func `what is long comes once, and not with each of many choices`(idsCount: Int, idBytes: Int) throws {
        let id = #""id":"\#(String(repeating: "x", count: idBytes))","#
        let choices = Array(repeating: #"{"message":{"content":"a"}}"#, count: 128).joined(separator: ",")
        let completion = #"{"model":"m",\#(String(repeating: id, count: idsCount))"choices":[\#(choices)]}"#
        let whole = try #require(stream(completion))
        #expect(whole.count < completion.utf8.count + 256 * (4096 + 200))
        let events = try eventData(of: whole).map { String(decoding: $0, as: UTF8.self) }
        #expect(events.count == 257)
        #expect(events[0].split(separator: id, omittingEmptySubsequences: false).count == idsCount + 1)
        #expect(events.dropLast().allSatisfy { $0.hasPrefix(#"{"model":"m","#) } as Bool)
    }

    @Test(arguments: [1000, 1025])
    func `a thousand members or tool calls in one place are none too many`(count: Int) {
        func times(_ text: String, _ count: Int) -> String { Array(repeating: text, count: count).joined(separator: ",") }
        for completion in [
            #"{"choices":[{"message":{}}],\#(times(#""a":1"#, count))}"#,
            #"{"choices":[{"message":{},\#(times(#""a":1"#, count))}]}"#,
            #"{"choices":[{"message":{"tool_calls":[\#(times("{}", count))]}}]}"#,
        ] { #expect((stream(completion) == nil) == (count > 1024)) }
    }

    @Test func `each chunk is edited`() throws {
        var edits = ChunkEdits()
        edits.systemFingerprint = "s"
        edits.speaksRefusal = true
        let events = try events(
            #"{"choices":[{"message":{"content":null,"refusal":"No"},"finish_reason":"stop"}],"usage":{}}"#, edits: edits,
            includesUsage: true)
        let head = #"{"system_fingerprint":"s","object":"chat.completion.chunk","choices":["#
        #expect(
            events == [
                head + #"{"index":0,"delta":{"content":"No","refusal":"No"},"finish_reason":null}]}"#,
                head + #"{"index":0,"delta":{},"finish_reason":"stop"}]}"#, head + #"],"usage":{}}"#, "[DONE]",
            ])
    }

    @Test(arguments: [
        (#"{"message":{"content":"a"}}"#, "stop"), (#"{"message":{"content":"a"},"finish_reason":null}"#, "stop"),
        (#"{"message":{"content":"a"},"finish_reason":"null"}"#, "stop"),
        (#"{"message":{"content":"a"},"finish_reason":"stop","finish_reason":""}"#, "stop"),
        (#"{"message":{"tool_calls":[{}]}}"#, "tool_calls"), (#"{"message":{"tool_calls":[]}}"#, "stop"),
    ])
    func `a finish reason that is left out is there all the same`(_ choice: String, reason: String) throws {
        let events = try #require(stream("{\"choices\":[\(choice)]}"))
        #expect(String(decoding: events, as: UTF8.self).contains("\"delta\":{},\"finish_reason\":\"\(reason)\""))
    }

    @Test(arguments: [
        #"{"choices":[]}"#, #"{"choices":[{}]}"#, #"{"choices":[{"message":null}]}"#,
        #"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"},{"finish_reason":null}]}"#,
        #"{"choices":[{"message":"a","finish_reason":"stop"}]}"#, #"{"choices":[7]}"#, #"{"choices":null}"#, "{}", "[]",
    ])
    func `what is no whole answer does not look like one`(_ completion: String) {
        #expect(stream(completion) == nil)
    }

    @Test func `choices are taken up to a limit`() {
        func completion(_ count: Int) -> String {
            "{\"choices\":[" + Array(repeating: #"{"finish_reason":"stop"}"#, count: count).joined(separator: ",") + "]}"
        }
        #expect(stream(completion(128)) != nil)
        #expect(stream(completion(129)) == nil)
    }

    @Test func `tool calls are numbered up to a limit`() {
        func completion(_ count: Int) -> String {
            "{\"choices\":[{\"message\":{\"tool_calls\":[" + Array(repeating: "{}", count: count).joined(separator: ",") + "]}}]}"
        }
        #expect(stream(completion(1024)) != nil)
        #expect(stream(completion(1025)) == nil)
    }

    // MARK: Any completion

    @Test func `put together again, the events of any completion are that completion`() throws {
        var random = RandomChunk(seed: 815)
        for _ in 0..<1_000 {
            let completion = bytes(random.completion())
            let stream = try #require(CompletionEvents.events(of: completion, edits: ChunkEdits(), includesUsage: false))
            var chunks = try eventData(of: stream)
            #expect(chunks.popLast() == bytes("[DONE]"))
            var reader = ChatFrameReader(depthMax: 64)
            for chunk in chunks { try #require(isChunk(reader.read(chunk.span)), "\(String(decoding: chunk, as: UTF8.self))") }
            #expect(try assembled(chunks) == (try parts(completion)), "\(String(decoding: completion, as: UTF8.self))")
        }
    }

    private func isChunk(_ frame: ChatFrame) -> Bool {
        if case .chunk(let chunk) = frame { return chunk.choicesCount == 1 }
        return false
    }

    /// All that the chunks say, by path.
    private func assembled(_ chunks: [[UInt8]]) throws -> [String: String] {
        var whole: [String: String] = [:]
        for chunk in chunks {
            for (path, value) in try parts(chunk, message: "delta") where whole[path] ?? "null" == "null" { whole[path] = value }
        }
        return whole
    }

    /// The values of a completion or a chunk by their paths, on one line each and without the numbers of tool calls.
    private func parts(_ json: [UInt8], message: String = "message") throws -> [String: String] {
        var parts: [String: String] = [:]
        let root = try JSONScanner.validate(json.span, depthMax: 64)
        for member in root.members(in: json.span) {
            parts[JSONText.decode(member.name, in: json.span)] = line(json, member.value)
        }
        (parts["choices"], parts["object"]) = (nil, nil)
        for choice in root.member("choices", in: json.span)?.elements(in: json.span) ?? [] {
            let index = choice.member("index", in: json.span)?.integer(in: json.span) ?? -1
            for member in choice.members(in: json.span) {
                parts["\(index).\(JSONText.decode(member.name, in: json.span))"] = line(json, member.value)
            }
            parts["\(index).\(message)"] = nil
            let said = choice.member(message, in: json.span)?.members(in: json.span) ?? []
            for member in said {
                parts["\(index) says \(JSONText.decode(member.name, in: json.span))"] = withoutNumbers(line(json, member.value))
            }
        }
        return parts
    }

    private func line(_ json: [UInt8], _ value: JSONValue) -> String {
        String(decoding: json[value.range].map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }, as: UTF8.self)
    }

    private func withoutNumbers(_ value: String) -> String {
        value.replacing(",\"index\":0", with: "").replacing("\"index\":0", with: "")
    }
}
