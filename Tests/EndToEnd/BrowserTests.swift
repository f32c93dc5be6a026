import TestSupport
import Testing

/// The lines of the shipped configuration for pages of another origin (CORS), which are off.
@Suite struct `A browser` {
    private static let origin = "https://app.example.com"
    private static let allowing = [Change("#cors ", to: "")]

    private func preflight(from origin: String, path: String = "/v1/chat/completions") -> ChatCall {
        var call = ChatCall("", token: nil, path: path, method: "OPTIONS")
        call.fields = [
            ("Origin", origin), ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization,content-type"),
        ]
        return call
    }

    private func call(from origin: String, token: String? = RunningServer.token) -> ChatCall {
        var call = chat()
        (call.token, call.fields) = (token, [("Origin", origin)])
        return call
    }

    @Test(arguments: WebServer.fronts)
    func `may not call from a page of another origin`(server: WebServer) async throws {
        try await Site.with(server, upstream: try StubUpstream(.stream(Chunks.stream(["Hi"])))) { site in
            let asked = try await site.call(preflight(from: Self.origin)).ended()
            #expect(asked.status == 401)
            let called = try await site.call(call(from: Self.origin)).ended()
            for head in [asked.head, called.head] { #expect(head?["Access-Control-Allow-Origin"] == nil) }
        }
    }

    @Test(arguments: WebServer.fronts)
    func `may call from the origins that the configuration names`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hi"])))
        try await Site.with(server, upstream: upstream, changes: Self.allowing) { site in
            for path in ["/v1/chat/completions", "/v/\(RunningServer.token)/chat/completions"] {
                let asked = try await site.call(preflight(from: Self.origin, path: path)).ended()
                #expect(asked.status == 204)
                #expect(asked.head?["Access-Control-Allow-Origin"] == Self.origin)
                #expect(asked.head?["Access-Control-Allow-Methods"]?.contains("POST") == true)
                #expect(asked.head?["Access-Control-Allow-Headers"]?.lowercased().contains("authorization") == true)
            }
            #expect(upstream.requests.value.isEmpty)
            let called = try await site.call(call(from: Self.origin)).ended()
            #expect(called.content == Chunks.stream(["Hi"]).joined())
            #expect(called.head?["Access-Control-Allow-Origin"] == Self.origin)
            let refused = try await site.call(call(from: Self.origin, token: "wrong")).ended()
            #expect(refused.status == 401)
            #expect(refused.head?["Access-Control-Allow-Origin"] == Self.origin)
        }
    }

    @Test(arguments: WebServer.fronts)
    func `may not call from any other then`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hi"])))
        try await Site.with(server, upstream: upstream, changes: Self.allowing) { site in
            let asked = try await site.call(preflight(from: "https://evil.example.com")).ended()
            #expect(asked.status == 401)
            #expect(asked.head?["Access-Control-Allow-Origin"] == nil)
            let called = try await site.call(call(from: "https://app.example.com.evil")).ended()
            #expect(called.head?["Access-Control-Allow-Origin"] == nil)
        }
    }
}
