import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct `sluice clients` {
    private let clients = "[clients.\"shop-*\"]\ntokens_per_day = 100\nconcurrent = 1"

    private func call(_ site: ProcessSite, _ client: String, stream: Bool) throws -> DirectCall {
        let body = String(decoding: chat(stream: stream, members: #","max_tokens":10"#).body, as: UTF8.self)
        return try DirectCall(
            to: site.sluice.socket, "POST", "/v1/chat/completions", [(name: "SLUICE_CLIENT", value: client)], body: body)
    }

    @Test(arguments: [1, 3]) func `tells what each has used, of all processes together`(processes: Int) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            request.text.contains("\"stream\":true")
                ? .stream(Chunks.stream(["one"]), each: gate) : .json(Chunks.completion("Hello"))
        }
        try await ProcessSite.with(
            upstream: upstream, upstreamLines: clients, options: ["--processes", "\(processes)"]
        ) { site in
            if processes > 1 { try await site.served(processes) }
            #expect(try await site.ask("clients").output == "no client that has limits has asked today\n")
            for _ in 0..<3 { #expect(try await BudgetAnswer(call(site, "shop-a", stream: false).response()).status == 200) }
            #expect(try await BudgetAnswer(call(site, "other", stream: false).response()).status == 200)
            let open = try call(site, "shop-b", stream: true)
            _ = try await upstream.request(containing: "\"stream\":true")
            #expect(try await BudgetAnswer(call(site, "shop-b", stream: false).response()).status == 429)

            let lines = try await site.ask("clients").output.split(separator: "\n").map { $0.split(separator: " ") }
            #expect(lines.first?.first == "client")
            #expect(lines.dropFirst().map(\.first) == ["shop-a", "shop-b"])
            let json = try await site.ask("clients", "--json").output
            #expect(json.contains(#"{"name":"shop-a","tokens":15,"tokens_per_day":100,"requests":"#))
            #expect(json.contains(#""open":1,"concurrent":1,"refused":1}]"#))
            gate.open(10)
            #expect(try await open.response().contains("data: [DONE]"))
            #expect(try await site.ask("clients", "--json").output.contains(#""open":0,"concurrent":1,"refused":1}]"#))
        }
    }
}
