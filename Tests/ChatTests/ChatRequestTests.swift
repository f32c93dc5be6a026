import Chat
import TestSupport
import Testing

/// The request of contract §1.
let referenceRequest =
    #"{"model":"gpt-3.5-turbo","messages":[{"role":"user","content":"Tell me a joke"}],"temperature":0.7,"tools":[],"stream":true,"#
    + #""call":{"id":"12345","orgId":"org001","createdAt":"2024-11-29T10:00:00Z","updatedAt":"2024-11-29T10:00:00Z","type":"query","#
    + #""status":"pending","assistantId":"assist001"},"metadata":{"context":"chat_query"}}"#

/// A request with one message and these further members.
func request(_ members: String...) -> String {
    "{" + (["\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"] + members).joined(separator: ",") + "}"
}

func parsed(_ text: String) throws -> ChatRequest {
    try ChatRequest(body: bytes(text), depthMax: 64)
}

@Suite(.ownThread) struct ChatRequestTests {
    @Test func `the reference request is understood`() throws {
        let request = try parsed(referenceRequest)
        #expect(request.model == "gpt-3.5-turbo")
        #expect(request.isStreaming)
        #expect(request.lastUserMessage == "Tell me a joke")
        #expect(request.maxTokens == nil && request.includeUsage == nil && request.toolNames == [])
    }

    @Test(
        arguments: [
            (#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#, "a"),
            (#"{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b\n\u00e9"}]}"#, "b\né"),
            (#"{"messages":[{"content":"order","role":"user"}]}"#, "order"),
            (
                #"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{}},{"type":"text","text":"b"}]}]}"#,
                "a\nb"
            ),
            (#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}"#, nil),
            (#"{"messages":[{"role":"user","content":null}]}"#, nil), (#"{"messages":[{"role":"user"}]}"#, nil),
            (#"{"messages":[{"role":"system","content":"a"}]}"#, nil),
            (#"{"messages":[{"role":"user","content":"old"}],"messages":[{"role":"user","content":"new"}]}"#, "new"),
            (#"{"messages":[{"role":"user","content":"old"}],"messages":[{"role":"system","content":"new"}]}"#, nil),
        ] as [(String, String?)])
    func `the last message of the user is found`(_ body: String, text: String?) throws {
        #expect(try parsed(body).lastUserMessage == text)
    }

    @Test(arguments: [
        ([], false), ([#""stream":true"#], true), ([#""stream":false"#], false), ([#""stream":null"#], false),
        ([#""call":{"id":"1"}"#], true), ([#""call":{}"#, #""stream":false"#], false),
        ([#""call":{}"#, #""stream":null"#], true),
        ([#""call":"me""#], false), ([#""customer":{}"#], false), ([#""customer":{}"#, #""phoneNumber":{}"#], true),
        ([#""customer":"x""#, #""assistant":"y""#], false), ([#""stream":true"#, #""stream":false"#], false),
        ([#""str\u0065am":true"#], true),
    ])
    func `the body decides whether to stream`(_ members: [String], isStreaming: Bool) throws {
        let text = "{\"messages\":[{\"role\":\"user\"}]" + members.map { "," + $0 }.joined() + "}"
        #expect(try parsed(text).isStreaming == isStreaming)
    }

    @Test(
        arguments: [
            (#""max_tokens":250"#, 250), (#""max_completion_tokens":7"#, 7), (#""max_tokens":1,"max_completion_tokens":2"#, 2),
            (#""max_tokens":2,"max_completion_tokens":1"#, 2), (#""max_tokens":2,"max_completion_tokens":null"#, 2),
            (#""max_tokens":null"#, nil), (#""n":1"#, nil), (#""max_tokens":0"#, 0),
            // However it is written.
            (#""max_tokens":1e2"#, 100), (#""max_tokens":5000.0"#, 5000), (#""max_tokens":5.000e3"#, 5000),
            (#""max_tokens":0.1"#, 1), (#""max_tokens":12345678901234567890123"#, .max), (#""max_tokens":1e400"#, .max),
            ("\"max_tokens\":1.\(String(repeating: "0", count: 100))", .max),
            // No limit, for servers that know such a number.
            (#""max_tokens":-1"#, .max), (#""max_tokens":-0.5"#, .max),
        ] as [(String, Int?)])
    func `the token limit is read`(_ member: String, maxTokens: Int?) throws {
        #expect(try parsed(request(member)).maxTokens == maxTokens)
    }

    @Test(arguments: [
        (#""n":3"#, 3), (#""n":8.0"#, 8), (#""n":1e1"#, 10), (#""n":null"#, 1), (#""n":0"#, 1), (#""n":-2"#, 1), (#""x":2"#, 1),
    ])
    func `how many answers are wanted is read`(_ member: String, count: Int) throws {
        #expect(try parsed(request(member)).choicesCount == count)
    }

    @Test(
        arguments: [
            (#""stream_options":{"include_usage":true}"#, true), (#""stream_options":{"include_usage":false}"#, false),
            (#""stream_options":{"include_usage":null}"#, nil), (#""stream_options":{}"#, nil), (#""stream_options":null"#, nil),
        ] as [(String, Bool?)])
    func `whether usage is wanted is read`(_ member: String, includeUsage: Bool?) throws {
        #expect(try parsed(request(member)).includeUsage == includeUsage)
    }

    @Test func `the names of tools and functions are listed`() throws {
        let tools =
            #""tools":[{"type":"function","function":{"name":"end_call"}},{"type":"custom"},{"function":{"name":"a\u0062"}}]"#
        #expect(try parsed(request(tools)).toolNames == ["end_call", "ab"])
        #expect(try parsed(request(#""functions":[{"name":"f"}]"#)).toolNames == ["f"])
    }

    @Test(
        arguments: [
            ("{}", "messages", .missing), (#"{"messages":null}"#, "messages", .missing),
            (#"{"messages":[]}"#, "messages", .empty),
            (#"{"messages":[ ]}"#, "messages", .empty),
            (#"{"messages":{}}"#, "messages", .wrongType(expected: "an array of messages")),
            (#"{"messages":"hi"}"#, "messages", .wrongType(expected: "an array of messages")),
            (#"{"messages":["hi"]}"#, "messages[0]", .wrongType(expected: "an object")),
            (#"{"messages":[{"role":"user"},{"content":"x"}]}"#, "messages[1].role", .missing),
            (#"{"messages":[{"role":1}]}"#, "messages[0].role", .wrongType(expected: "a string")),
            (#"{"messages":[{"role":null}]}"#, "messages[0].role", .wrongType(expected: "a string")),
            (
                #"{"messages":[{"role":"user","content":1}]}"#, "messages[0].content",
                .wrongType(expected: "a string, an array of parts, or null")
            ),
            (
                #"{"messages":[{"role":"user","content":{}}]}"#, "messages[0].content",
                .wrongType(expected: "a string, an array of parts, or null")
            ),
            (#"{"messages":[{"role":"a"},7,{"role":1}]}"#, "messages[1]", .wrongType(expected: "an object")),
            (request(#""model":7"#), "model", .wrongType(expected: "a string")),
            (request(#""stream":"true""#), "stream", .wrongType(expected: "true or false")),
            (request(#""stream":1"#), "stream", .wrongType(expected: "true or false")),
            (request(#""max_tokens":"250""#), "max_tokens", .wrongType(expected: "an integer")),
            (request(#""max_completion_tokens":[]"#), "max_completion_tokens", .wrongType(expected: "an integer")),
            (request(#""tools":{}"#), "tools", .wrongType(expected: "an array")),
            (request(#""functions":"f""#), "functions", .wrongType(expected: "an array")),
            (request(#""stream_options":true"#), "stream_options", .wrongType(expected: "an object")),
            (
                request(#""stream_options":{"include_usage":1}"#), "stream_options.include_usage",
                .wrongType(expected: "true or false")
            ),
            (request("\"model\":\"\(String(repeating: "m", count: 257))\""), "model", .tooLong(bytesMax: 256)),
            (request("\"model\":\"\(String(repeating: "é", count: 129))\""), "model", .tooLong(bytesMax: 256)),
            (#"{"message":"text"}"#, "messages", .missing), (#"{"message":{"role":"user"}}"#, "messages", .missing),
        ] as [(String, String, ParameterProblem)])
    func `a wrong parameter is named`(_ body: String, param: String, problem: ParameterProblem) {
        let error = #expect(throws: ChatError.self) { try parsed(body) }
        #expect(error == .invalidParameter(param, problem))
        #expect(error?.status == 400 && error?.param == param && error?.type == "invalid_request_error")
    }

    @Test(arguments: ["[]", "null", "\"x\"", "7", " [{\"messages\":[]}] "]) func `a body that is no object is refused`(
        _ body: String
    ) {
        #expect(throws: ChatError.notAnObject) { try parsed(body) }
    }

    @Test(arguments: ["", "{", "{\"messages\":[1,2}", "{\"messages\":[{\"role\":1}]} x", "[", "hello", request(#""a":01"#)])
    func `a body that is no JSON is refused, whatever else is wrong`(_ body: String) {
        let error = #expect(throws: ChatError.self) { try parsed(body) }
        guard case .invalidJSON = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `a webhook event is told apart`() {
        #expect(throws: ChatError.webhook) { try parsed(#"{"message":{"type":"status-update","status":"ended","call":{}}}"#) }
    }

    @Test func `nulls and unknown members are no error`() throws {
        let request = try parsed(
            request(#""model":null,"stream":null,"max_tokens":null,"tools":null,"stream_options":null,"x":[[{}]],"":1"#))
        #expect(request.model == nil && !request.isStreaming)
    }

    @Test(arguments: ["m", "\\u006d"]) func `a model of 256 bytes is accepted, however it is written`(_ letter: String) throws {
        let model = String(repeating: letter, count: 256)
        #expect(try parsed(request("\"model\":\"\(model)\"")).model == String(repeating: "m", count: 256))
    }

    @Test func `a body of very many members is refused`() throws {
        let members = (0..<1_100).map { "\"k\($0)\":0" }
        let error = #expect(throws: ChatError.self) { try parsed("{\(members.joined(separator: ","))}") }
        guard case .invalidJSON(let error) = error else { return }
        #expect(error.reason == .tooManyMembers)
        #expect(throws: Never.self) { try parsed(request(members[..<1_000].joined(separator: ","))) }
    }

    @Test func `a chat of two thousand messages is read`() throws {
        let messages = (0..<2_000).map { #"{"role":"\#($0 % 2 == 0 ? "user" : "assistant")","content":"message \#($0)"}"# }
        let request = try parsed(#"{"messages":[\#(messages.joined(separator: ","))]}"#)
        #expect(request.lastUserMessage == "message 1998")
    }

    @Test func `requests with random changes never end the process`() {
        var random = SeededGenerator(seed: 9_000)
        let source = bytes(referenceRequest)
        var accepted = 0
        for _ in 0..<10_000 {
            var body = source
            for _ in 0..<Int.random(in: 1...4, using: &random) { random.mutate(&body) }
            do {
                let request = try ChatRequest(body: body, depthMax: 64)
                _ = (request.lastUserMessage, request.maxTokens, request.includeUsage, request.toolNames)
                let upstream = request.upstreamBody(UpstreamRules()).bytes
                #expect(throws: Never.self) { try JSONScanner.validate(upstream.span, depthMax: 64) }
                accepted += 1
            } catch {
                #expect(error.status == 400)
            }
        }
        #expect((100..<9_000).contains(accepted))
    }
}
