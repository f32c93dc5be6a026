import TestSupport
import Testing

@Suite struct `With speech` {
    private static let settings = #"""
        retries = 0
        speech = ["think", "markdown", "emoji", "links"]
        [upstreams.stub]
        url = "UPSTREAM"
        [[models]]
        match = "plain-*"
        speech = []
        [[models]]
        match = "*"
        """#

    private static let texts = [
        "<think>", "The user greets.", "</think>", "\n\n", "**Hel", "lo*", "* 🎉", " — see [the", " docs](https://a.example/",
        "x).\n", "- 2 * 3",
        "\n- snake_case\n", "5 <",
    ]
    private static let spoken = [
        "", "", "", "", "Hel", "lo", "", " — see ", "the docs", ".\n", "2 * 3", ".\nsnake_case.\n", "5 ",
    ]
    /// What was held back.
    private static let rest = Chunks.content("<").replacing(#""logprobs":null,"#, with: "")

    private static func events(_ texts: [String], rest: [String] = []) -> [String] {
        [Chunks.role()] + texts.map(Chunks.content) + rest + [Chunks.finish(), Chunks.done]
    }

    @Test(arguments: WebServer.selected)
    func `a text goes out fit to be spoken, event by event`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.stream(Self.events(Self.texts), each: gate))
        try await Site.with(server, upstream: upstream, settings: Self.settings) { site in
            let stream = try site.call(chat())
            for _ in Self.events(Self.texts) { gate.open() }
            let response = try await stream.ended()
            #expect(response.end == .complete)
            #expect(response.content == Self.events(Self.spoken, rest: [Self.rest]).joined())
        }
    }

    @Test(arguments: WebServer.selected)
    func `a text that comes at once says the same`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(Self.events(Self.texts)))
        try await Site.with(server, upstream: upstream, settings: Self.settings) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.content == Self.events(Self.spoken, rest: [Self.rest]).joined())
        }
    }

    @Test(arguments: WebServer.selected)
    func `a model that says otherwise, and an answer in JSON, stay byte for byte`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(Self.events(Self.texts)))
        try await Site.with(server, upstream: upstream, settings: Self.settings) { site in
            let plain = ChatCall(#"{"model":"plain-1","messages":[{"role":"user","content":"Hi"}],"stream":true}"#)
            for call in [plain, chat(members: #","response_format":{"type":"json_object"}"#)] {
                #expect(try await site.call(call).ended().content == Self.events(Self.texts).joined())
            }
            let text = try await site.call(chat(members: #","response_format":{"type":"text"}"#)).ended().content
            #expect(text == Self.events(Self.spoken, rest: [Self.rest]).joined())
        }
    }

    @Test(arguments: WebServer.selected)
    func `an answer in one piece is made fit too, whether a stream was asked for or not`(server: WebServer) async throws {
        let upstream = try StubUpstream(.json(Chunks.completion("<think>x</think>**a** *")))
        try await Site.with(server, upstream: upstream, settings: Self.settings) { site in
            let whole = try await site.call(chat(stream: false)).ended().text
            #expect(whole == Chunks.completion("a *"))
            let stream = try await site.call(chat()).ended().text
            #expect(stream.contains(#""content":"a *""#))
        }
    }
}
