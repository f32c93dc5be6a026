import TestSupport
import Testing

/// What a web server makes of the tokens of its callers, whom Sluice does not ask for any.
@Suite struct `A caller's token` {
    private let frames = Chunks.stream(["Hi"])

    @Test(arguments: WebServer.fronts) func `in the path must be right, whatever the header says`(server: WebServer)
        async throws
    {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(server, upstream: upstream) { site in
            for name in ["wrong", RunningServer.token + "x", String(RunningServer.token.dropLast())] {
                for token in [nil, RunningServer.token] {
                    let call = ChatCall(chat().body, token: token, path: "/v/\(name)/chat/completions")
                    #expect(try await site.call(call).ended().status == 401, "\(name)")
                }
            }
            #expect(upstream.requests.value.isEmpty)
            try await site.answers(frames)
        }
    }

    @Test(arguments: WebServer.fronts) func `reaches no upstream, not in a second header either`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(frames))
        let settings = "[upstreams.stub]\nkind = \"compatible\"\nurl = \"UPSTREAM\"\nkey = \"passthrough\"\n"
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            var call = ChatCall(
                chat().body, token: "sk-callers-own", path: "/v/\(RunningServer.token)/chat/completions")
            #expect(try await site.call(call).ended().content == frames.joined())
            #expect(try await upstream.request().head["Authorization"] == "Bearer sk-callers-own")
            for (first, second) in [("sk-callers-own", RunningServer.otherToken), (RunningServer.otherToken, "sk-callers-own")] {
                (call.token, call.fields) = (first, [("Authorization", "Bearer \(second)")])
                _ = try await site.call(call).ended()
            }
            for request in upstream.requests.value {
                #expect(request.head.fields.allSatisfy { !$0.value.contains(RunningServer.otherToken) })
            }
        }
    }
}
