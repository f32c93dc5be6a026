import Chat
import Testing

/// A request as one platform sends it, and what must become of it (contract §1, §2).
struct PlatformRequest: CustomTestStringConvertible {
    let testDescription: String
    /// What goes to the upstream whatever else was there.
    let messages: String
    /// The other members before and after the messages, and what stays of them.
    let before: String
    let after: String
    let keptBefore: String
    let keptAfter: String
    let isStreaming: Bool
    let callID: String?

    init(
        _ name: String, _ messages: String, before: String = "", after: String = "", keptBefore: String? = nil,
        keptAfter: String? = nil, isStreaming: Bool = true, callID: String? = nil
    ) {
        testDescription = name
        (self.messages, self.before, self.after) = (messages, before, after)
        self.keptBefore = keptBefore ?? before
        self.keptAfter = keptAfter ?? after
        (self.isStreaming, self.callID) = (isStreaming, callID)
    }

    var body: String { "{\(before)\"messages\":\(messages)\(after)}" }
    var upstreamBody: String { "{\(keptBefore)\"messages\":\(messages)\(keptAfter)}" }
}

private let chat = #"[{"role":"system","content":"You are a clinic's assistant."},{"role":"user","content":"Hello?"}]"#

private let toolHistory =
    #"[{"role":"user","content":"Am I booked?"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_9","type":"function","#
    + #""function":{"name":"find_booking","arguments":"{\"name\": \"Zo\u00eb\"}"}}]},{"role":"tool","tool_call_id":"call_9","#
    + #""content":"{\"at\":\"10:00\",\"fee\":1.50}"},{"role":"assistant","content":"Yes, at ten.","refusal":null}]"#

private let vapiCall =
    #""call":{"id":"7d0e9f3c-0b1a-4c2d-9e3f-aabbccddeeff","orgId":"org-1","type":"inboundPhoneCall","status":"in-progress","#
    + #""phoneCallProvider":"twilio","phoneCallTransport":"pstn"},"phoneNumber":{"id":"pn-1","provider":"twilio","number":"+15551230000","#
    + #""twilioAccountSid":"AC1","twilioAuthToken":"secret"},"customer":{"number":"+15551231111"}"#

private let vapiAssistant =
    #""assistant":{"name":"Front desk","model":{"provider":"custom-llm","url":"https://x"},"serverUrlSecret":"s"}"#

private let vapiID = "7d0e9f3c-0b1a-4c2d-9e3f-aabbccddeeff"

private let tool =
    #"{"type":"function","function":{"name":"end_call","description":"Ends it.","parameters":{"type":"object","properties":{},"required":[]}}}"#

@Suite struct PlatformRequestTests {
    static let requests = [
        PlatformRequest(
            "Vapi, metadata off", chat, before: #""model":"gpt-4o","#,
            after: #","temperature":0.5,"max_tokens":250,"stream":true,"tools":[]"#,
            keptAfter: #","temperature":0.5,"max_tokens":250,"stream":true"#),
        PlatformRequest(
            "Vapi, metadata variable", chat, before: #""model":"gpt-4o","#,
            after: ",\"temperature\":0.5,\"max_tokens\":250,\"stream\":true,\(vapiCall),\(vapiAssistant),"
                + #""assistantOverrides":{"variableValues":{"name":"Ann"}},"metadata":{"numModelRequestInTurn":0,"plan":"gold"}"#,
            keptAfter: #","temperature":0.5,"max_tokens":250,"stream":true"#, callID: vapiID),
        PlatformRequest(
            "Vapi, metadata destructured", chat, before: #""plan":"gold","model":"gpt-4o","#,
            after:
                ",\"temperature\":0.5,\"numModelRequestInTurn\":2,\(vapiCall),\"store\":true,\"metadata\":{\"a\":\"b\"},\"tier\":{\"n\":1}",
            keptBefore: #""stream":true,"model":"gpt-4o","#, keptAfter: #","temperature":0.5,"store":true"#, callID: vapiID),
        PlatformRequest(
            "Vapi, tools and a history that ends with the assistant", toolHistory,
            after: ",\"stream\":true,\"tools\":[\(tool)],\"tool_choice\":\"auto\",\(vapiCall)",
            keptAfter: ",\"stream\":true,\"tools\":[\(tool)],\"tool_choice\":\"auto\"", callID: vapiID),
        PlatformRequest(
            "ElevenLabs", chat, before: #""model":"gpt-4o-mini","temperature":0.0,"max_tokens":5000,"stream":true,"#,
            after:
                ",\"tools\":[\(tool)],\"user_id\":\"u-1\",\"elevenlabs_extra_body\":{\"conversation_id\":\"conv_01jx\",\"n\":[1]}",
            keptAfter: ",\"tools\":[\(tool)],\"user\":\"u-1\"", callID: "conv_01jx"),
        PlatformRequest(
            "ElevenLabs without extras", chat, before: #""model":"gpt-4o-mini","stream":true,"#,
            after: #","user_id":null,"elevenlabs_extra_body":null"#, keptAfter: ""),
        PlatformRequest(
            "LiveKit", chat, before: #""model":"gpt-4o-mini","#,
            after:
                ",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"tools\":[\(tool)],\"parallel_tool_calls\":false,\"user\":\"\""
        ),
        PlatformRequest(
            "Pipecat", toolHistory, before: #""model":"gpt-4.1","stream":true,"stream_options":{"include_usage":true},"#,
            after: #","frequency_penalty":0.1,"seed":42,"temperature":1.0,"top_p":0.9,"max_completion_tokens":400,"extra":{}"#,
            keptAfter: #","frequency_penalty":0.1,"seed":42,"temperature":1.0,"top_p":0.9,"max_completion_tokens":400"#),
        PlatformRequest(
            "Agora, parts",
            #"[{"role":"user","content":[{"type":"text","text":"What is \"this\"?"},{"type":"image_url","#
                + #""image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}},{"type":"input_audio","#
                + #""input_audio":{"data":"UklGRg==","format":"wav"}}]}]"#,
            before: #""model":"gpt-4o","stream":true,"#,
            after: #","context":{"presence":1},"turn_id":3,"timestamp":1730000000000"#,
            keptAfter: ""),
        PlatformRequest(
            "Fish Audio", chat, before: #""model":"m","stream":true,"#,
            after: #","session_id":"s-1","agent_id":"a-1","modalities":["text"]"#, keptAfter: #","modalities":["text"]"#),
        PlatformRequest(
            "an older client",
            #"[{"role":"user","content":"2+2"},{"role":"assistant","content":null,"function_call":{"name":"add","#
                + #""arguments":"{}"}},{"role":"function","name":"add","content":"4"}]"#,
            before: #""model":"gpt-3.5-turbo","#, after: #","functions":[{"name":"add","parameters":{}}],"function_call":"auto""#,
            isStreaming: false),
        PlatformRequest(
            "a plain client", #"[ {"content" : "\u0041\/\ud83d\ude00 é", "role": "user"} ]"#, before: #""n":1,"#,
            after: #","logit_bias":{"50256":-1e2},"stop":["\n"],"temperature":-0.0,"max_tokens":1,"stream":false"#,
            isStreaming: false),
    ]

    @Test(arguments: requests) func `a platform's request goes out as OpenAI's`(_ request: PlatformRequest) throws {
        let parsed = try parsed(request.body)
        #expect(String(decoding: parsed.upstreamBody(UpstreamRules()).bytes, as: UTF8.self) == request.upstreamBody)
        #expect(parsed.isStreaming == request.isStreaming)
        #expect(parsed.callID == request.callID)
    }

    @Test(arguments: requests) func `no secret of a platform's request goes out`(_ request: PlatformRequest) throws {
        let body = try upstream(request.body) { ($0.asksForUsage, $0.obfuscation) = (true, false) }
        for secret in ["+1555", "secret", "serverUrl", "conv_01jx", vapiID] { #expect(!body.contains(secret)) }
    }

    /// Hume names no model, and each message says how it sounded.
    @Test func `a request of Hume's goes out as OpenAI's`() throws {
        let request =
            #"{"messages":[{"role":"user","content":"Hi there","time":{"begin":640,"end":1320},"models":{"prosody":{"scores":"#
            + #"{"Admiration":0.0129,"Calmness":0.23e-1}}}},{"role":"assistant","content":"Hello!","time":null,"models":{}},"#
            + #"{"role":"user","content":"Caf\u00e9?","models":{"prosody":null},"time":{"begin":1,"end":2}}],"stream":true}"#
        let body = try upstream(request) { $0.defaultModel = "gpt-4o-mini" }
        #expect(
            body
                == #"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hi there"},{"role":"assistant","content":"Hello!"},"#
                + #"{"role":"user","content":"Caf\u00e9?"}],"stream":true}"#)
        #expect(try parsed(request).lastUserMessage == "Café?")
    }
}
