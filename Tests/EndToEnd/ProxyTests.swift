import TestSupport
import Testing

@Suite struct `A proxy` {
    private let server = WebServer.selected[0]
    private let frames = Chunks.stream(["Hello"])

    @Test(arguments: ["http_proxy", "ALL_PROXY"])
    func `that the environment names is asked for the upstream`(variable: String) async throws {
        let proxy = try StubUpstream(.stream(frames))
        let environment = ["OPENAI_API_KEY": "sk-stub", variable: "http://127.0.0.1:\(proxy.port)"]
        try await Site.with(
            server, upstream: proxy, upstreamURL: "http://upstream.invalid/v1", environment: environment
        ) { site in
            let stream = try await site.call(chat()).ended()
            #expect(stream.text == frames.joined())
            #expect(try await proxy.request().path == "http://upstream.invalid/v1/chat/completions")
        }
    }

    @Test func `is not asked for a host that the environment excepts`() async throws {
        let (proxy, upstream) = (try StubUpstream(.silence), try StubUpstream(.stream(frames)))
        let environment = [
            "OPENAI_API_KEY": "sk-stub", "http_proxy": "http://127.0.0.1:\(proxy.port)", "NO_PROXY": "127.0.0.1",
        ]
        try await Site.with(server, upstream: upstream, environment: environment) { site in
            let stream = try await site.call(chat()).ended()
            #expect(stream.text == frames.joined())
            #expect(proxy.requests.value.isEmpty)
        }
        try await proxy.stop()
    }
}
