import Chat
import Testing

@Suite struct ServedModelTests {
    @Test(arguments: [
        "gpt-4o-mini-2024-07-18", "o1-2024-12-17", "meta-llama/Llama-3.1-8B-Instruct", "@cf/meta/llama-3-8b", "ft:gpt-4o:org::id",
        "1", "claude-3-5-sonnet@20241022", "claude-3-5-sonnet-v2@20241022", "accounts/fireworks/models/qwen2p5-72b-instruct",
        String(repeating: "m", count: 128),
    ])
    func `the name is read as it came`(name: String) {
        #expect(served(#"{"id":"x","model":"\#(name)","choices":[]}"#)?.name == name)
    }

    @Test(arguments: [
        "{}", "[]", "7", #"{"model":null}"#, #"{"model":""}"#, #"{"model":7}"#, #"{"model":{"model":"a"}}"#,
        #"{"x":{"model":"a"}}"#,
        #"{"model":"a b"}"#, #"{"model":"a\"b"}"#, #"{"model":"ä"}"#, #"{"model":"+15551234567"}"#,
        #"{"model":"1-555-123-4567"}"#, #"{"model":"mr.smith/15551234567"}"#, #"{"model":"tel:1-555-123-4567/x"}"#,
        #"{"model":"sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"}"#, #"{"model":"openai/sk-proj-abcdef0123"}"#,
        #"{"model":"Bearer-tok_1234567890abcdef1234567890abcdef"}"#,
        #"{"model":"\#(String(repeating: "m", count: 129))"}"#,
    ])
    func `what is no name, or none for a log, is left out`(json: String) {
        #expect(served(json) == nil)
    }

    @Test(arguments: [
        ("my-local-secret-key", nil), ("openai/my-local-secret-key@1", nil), (#"my\u002dlocal-secret-key"#, nil),
        ("my-local-secret", "my-local-secret"), ("My-Local-Secret-Key", "My-Local-Secret-Key"),
        ("ollama/llama3", "ollama/llama3"),
    ])
    func `a name with a secret of the upstream's in it is left out`(said: String, name: String?) {
        let key = UpstreamKey(secrets: [bytes("Bearer my-local-secret-key"), bytes("my-local-secret-key"), bytes("ollama")])
        #expect(served(#"{"model":"\#(said)"}"#, hiding: key)?.name == name)
    }

    private func served(_ json: String, hiding key: UpstreamKey = UpstreamKey()) -> ServedModel? {
        let json = bytes(json)
        var reader = ChatFrameReader(depthMax: 8)
        _ = reader.read(json.span)
        return reader.servedModel.flatMap { ServedModel($0, in: json.span, hiding: key) }
    }
}
