import Chat
import Testing

@Suite struct OwnChunksTests {
    @Test func `a spoken error is a whole stream with the sentence`() {
        let chunk =
            #"data: {"id":"req_1","object":"chat.completion.chunk","created":17,"model":"m","choices":[{"index":0,"delta":"#
        #expect(
            OwnChunks(id: "req_1", model: "m", systemFingerprint: nil, created: 17).answer(saying: "Sorry, \"try\"\nagain é.")
                == bytes(
                    chunk + #"{"role":"assistant","content":""},"finish_reason":null}]}"# + "\n\n"
                        + chunk + #"{"content":"Sorry, \"try\"\nagain é."},"finish_reason":null}]}"# + "\n\n"
                        + chunk + #"{},"finish_reason":"stop"}]}"# + "\n\ndata: [DONE]\n\n"))
    }

    /// Hume takes its session from each chunk.
    @Test func `every chunk of a spoken error has the session's fingerprint`() throws {
        let stream = OwnChunks(id: "x", model: nil, systemFingerprint: "a \"b\"", created: 0).answer(saying: "Sorry.")
        let chunks = try eventData(of: stream).dropLast()
        #expect(chunks.count == 3)
        for chunk in chunks {
            let root = try JSONScanner.validate(chunk.span, depthMax: 8)
            #expect(root.member("system_fingerprint", in: chunk.span)?.string(in: chunk.span) == "a \"b\"")
        }
    }

    @Test(arguments: ["Sorry.", "", "a\u{2028}\\\u{1}😀", "</s> data: [DONE]\n\n"]) func `any sentence arrives as it was set`(
        _ text: String
    )
        throws
    {
        var data = try eventData(of: OwnChunks(id: "\"", model: nil, systemFingerprint: nil, created: 0).answer(saying: text))
        #expect(data.popLast() == bytes("[DONE]"))
        var content = ""
        for chunk in data {
            let root = try JSONScanner.validate(chunk.span, depthMax: 8)
            #expect(root.member("model", in: chunk.span) == nil)
            #expect(root.member("id", in: chunk.span)?.string(in: chunk.span) == "\"")
            let choice = root.member("choices", in: chunk.span)?.elements(in: chunk.span).first
            content += choice?.member("delta", in: chunk.span)?.member("content", in: chunk.span)?.string(in: chunk.span) ?? ""
        }
        #expect(content == text)
    }

    @Test func `only the last chunk finishes it`() throws {
        let data = try eventData(of: OwnChunks(id: "x", model: "m", systemFingerprint: nil, created: 0).answer(saying: "Sorry."))
        #expect(data.dropLast().map { chunk in isChunk(chunk) { $0.hasFinishReason } } == [false, false, true])
    }

    @Test func `a part and an ending go on with one message`() throws {
        let chunks = OwnChunks(id: "x", model: "m", systemFingerprint: nil, created: 0)
        let first = try eventData(of: chunks.part(saying: "One. ", isFirst: true))
        #expect(
            first.count == 1
                && first[0].elementsEqual(
                    #"{"id":"x","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"One. "},"finish_reason":null}]}"#
                        .utf8)
        )
        let rest = try eventData(of: chunks.part(saying: "Two. ", isFirst: false) + chunks.ending(saying: "Sorry."))
        #expect(rest.count == 4 && rest.last == bytes("[DONE]"))
        #expect(rest.allSatisfy { !String(decoding: $0, as: UTF8.self).contains("role") })
        #expect(String(decoding: rest[1], as: UTF8.self).contains(#"{"content":" Sorry."}"#))
    }

    @Test(arguments: [
        (#"{"role":"assistant","content":"a"}"#, #"{"content":"a"}"#),
        (#"{"content":"a","role":"assistant"}"#, #"{"content":"a"}"#),
        (#"{ "role" : "assistant" }"#, "{}"), (#"{"a":1, "role":"x" ,"role":"y","b":{"role":1}}"#, #"{"a":1,"b":{"role":1}}"#),
        (#"{"a":1,"role":"x","role":"y"}"#, #"{"a":1}"#), (#"{"role":1,"role":2}"#, "{}"),
        (#"{"content":"role"}"#, #"{"content":"role"}"#),
    ])
    func `the role of a message that has begun is left out, and nothing else`(delta: String, changed: String) {
        let event = { (delta: String) in "data: {\"choices\":[{\"delta\":\(delta),\"role\":1}]}\n\n" }
        let (start, end) = (": comment\n\nid: 1\n", "data: [DONE]\n\n")
        let stream = bytes(start + event(delta) + event(#"{"content":"b"}"#) + end)
        let expected = delta == changed ? start + event(delta) : ": comment\n\n" + event(changed)
        #expect(RepeatedRole.removed(from: stream[...]) == bytes(expected + event(#"{"content":"b"}"#) + end))
    }

    private func isChunk(_ json: [UInt8], _ condition: (ChatChunk) -> Bool) -> Bool {
        if case .chunk(let chunk) = ChatFrame(json.span, depthMax: 8) { return condition(chunk) }
        return false
    }
}
