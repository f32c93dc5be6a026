import Chat
import Testing

@Suite struct TokenUsageTests {
    @Test(arguments: [
        (#"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":0,"total_tokens":12}}"#, 12, 0),
        (#" { "us\u0061ge" : { "completion_tokens" : 7, "prompt_\u0074okens" : 3 } } "#, 3, 7),
        (
            #"{"usage":{"prompt_tokens":1,"completion_tokens":1},"usage":{"prompt_tokens":1,"prompt_tokens":2,"completion_tokens":3}}"#,
            2, 3
        ),
    ])
    func `the counts are read`(_ json: String, promptTokens: Int, completionTokens: Int) throws {
        let read = TokenUsage(bytes(json).span)
        let usage = try #require(read)
        #expect(usage.promptTokens == promptTokens && usage.completionTokens == completionTokens)
    }

    @Test(arguments: [(0, 0, true), (10_000_000, 10_000_000, true), (10_000_001, 1, false), (1, .max, false)])
    func `more than any model takes is not believed`(promptTokens: Int, completionTokens: Int, isBelievable: Bool) throws {
        let json = #"{"usage":{"prompt_tokens":\#(promptTokens),"completion_tokens":\#(completionTokens)}}"#
        let read = TokenUsage(bytes(json).span)
        #expect(try #require(read).isBelievable == isBelievable)
    }

    @Test(arguments: [
        "{}", #"{"usage":null}"#, #"{"usage":{}}"#, #"{"usage":[1,2]}"#, #"{"usage":{"prompt_tokens":1}}"#,
        #"{"usage":{"prompt_tokens":-1,"completion_tokens":2}}"#, #"{"usage":{"prompt_tokens":1,"completion_tokens":2.0}}"#,
        #"{"usage":{"prompt_tokens":"1","completion_tokens":2}}"#,
        #"{"usage":{"prompt_tokens":99999999999999999999,"completion_tokens":2}}"#,
        #"{"usage":{"prompt_tokens":1,"completion_tokens":2},"usage":null}"#,
        #"{"x":{"usage":{"prompt_tokens":1,"completion_tokens":2}}}"#, "[]", "7",
    ])
    func `what is not two counts is no usage`(_ json: String) {
        #expect(TokenUsage(bytes(json).span) == nil)
    }
}
