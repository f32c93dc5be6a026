import Chat
import Testing

@Suite struct SpokenErrorTests {
    @Test func `a spoken error is a whole stream with the sentence`() {
        let chunk =
            #"data: {"id":"req_1","object":"chat.completion.chunk","created":17,"model":"m","choices":[{"index":0,"delta":"#
        #expect(
            SpokenError.events(text: "Sorry, \"try\"\nagain é.", id: "req_1", model: "m", systemFingerprint: nil, created: 17)
                == bytes(
                    chunk + #"{"role":"assistant","content":""},"finish_reason":null}]}"# + "\n\n"
                        + chunk + #"{"content":"Sorry, \"try\"\nagain é."},"finish_reason":null}]}"# + "\n\n"
                        + chunk + #"{},"finish_reason":"stop"}]}"# + "\n\ndata: [DONE]\n\n"))
    }

    /// Hume takes its session from each chunk.
    @Test func `every chunk of a spoken error has the session's fingerprint`() throws {
        let stream = SpokenError.events(text: "Sorry.", id: "x", model: nil, systemFingerprint: "a \"b\"", created: 0)
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
        var data = try eventData(of: SpokenError.events(text: text, id: "\"", model: nil, systemFingerprint: nil, created: 0))
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
        let data = try eventData(of: SpokenError.events(text: "Sorry.", id: "x", model: "m", systemFingerprint: nil, created: 0))
        #expect(data.dropLast().map { chunk in isChunk(chunk) { $0.hasFinishReason } } == [false, false, true])
    }

    private func isChunk(_ json: [UInt8], _ condition: (ChatChunk) -> Bool) -> Bool {
        if case .chunk(let chunk) = ChatFrame(json.span, depthMax: 8) { return condition(chunk) }
        return false
    }
}
