import Foundation
import TestSupport
import Testing

/// `affinity = "call"`: targets with weights share out calls, and not requests.
@Suite struct `A call` {
    private static let calls = (0..<24).map { "call-\($0)" }

    private func request(_ call: String, _ text: String = "Hi") -> ChatCall {
        chat(text, stream: false, members: #","call":{"id":"\#(call)"}"#)
    }

    /// - Parameter test: gets what asks for a call, and tells which upstream has answered.
    private func with(
        _ server: WebServer, isOut: Observed<Bool> = Observed(false),
        _ test: (Site, _ answers: @escaping (ChatCall) async throws -> String) async throws -> Void
    ) async throws {
        let one = try StubUpstream { _ in isOut.value ? .json(Chunks.error("no"), status: 503) : .json(Chunks.completion("one")) }
        let two = try StubUpstream(.json(Chunks.completion("two")))
        let settings = """
            retries = 0
            rest_after = 1000
            rest_share = "100%"
            [upstreams.one]
            url = "\(one.url)"
            [upstreams.two]
            url = "\(two.url)"
            [[models]]
            match = "*"
            targets = [{upstream = "one", weight = 1}, {upstream = "two", weight = 1}]
            affinity = "call"
            set = {prompt_cache_key = "${call}"}
            """
        try await Site.with(server, upstream: one, settings: settings) { site in
            try await test(site) { call in
                let answer = try await site.call(call).ended()
                #expect(answer.status == 200, "\(answer.text)")
                return answer.text.contains(#""content":"one""#) ? "one" : "two"
            }
        }
        try await two.stop()
    }

    @Test(arguments: WebServer.selected.prefix(1))
    func `stays with one target, moves when that is out, and comes back`(server: WebServer) async throws {
        let isOut = Observed(false)
        try await with(server, isOut: isOut) { site, answers in
            var home: [String: String] = [:]
            for call in Self.calls { home[call] = try await answers(request(call)) }
            #expect(Set(home.values) == ["one", "two"])
            #expect(site.upstream.requests.value.allSatisfy { $0.text.contains(#""prompt_cache_key":"call-"#) })
            for call in Self.calls { #expect(try await answers(request(call, "And?")) == home[call]) }
            isOut.update { $0 = true }
            for call in Self.calls { #expect(try await answers(request(call)) == "two") }
            isOut.update { $0 = false }
            for call in Self.calls { #expect(try await answers(request(call)) == home[call]) }
        }
    }

    @Test(arguments: WebServer.selected.prefix(1))
    func `without an id is told by how it began`(server: WebServer) async throws {
        try await with(server) { _, answers in
            var homes: Set<String> = []
            for number in 0..<16 {
                let begin = #"{"role":"system","content":"Prompt \#(number)"},{"role":"user","content":"Hi"}"#
                var seen: Set<String> = []
                for turn in ["", #",{"role":"assistant","content":"Hello"},{"role":"user","content":"And?"}"#] {
                    seen.insert(try await answers(ChatCall(#"{"model":"m","messages":[\#(begin)\#(turn)]}"#)))
                }
                #expect(seen.count == 1)
                homes.formUnion(seen)
            }
            #expect(homes.count == 2)
        }
    }
}
