import Glibc
import TestSupport
import Testing

/// What clients may use: `[clients.NAME]`.
@Suite(.timeLimit(.minutes(20))) struct `A client's budget` {
    /// 3 tokens of a prompt and 2 of an answer, by the upstream's word.
    private let whole = Reply.json(Chunks.completion("Hello"))

    /// One answer for its name, by FastCGI itself.
    private func ask(_ site: ProcessSite, _ client: String?, members: String = "", stream: Bool = false) async throws
        -> BudgetAnswer
    {
        try await BudgetAnswer(try call(site, client, members: members, stream: stream).response())
    }

    private func call(
        _ site: ProcessSite, _ client: String?, members: String = "", stream: Bool = false
    ) throws -> DirectCall {
        let body = String(decoding: chat(stream: stream, members: members).body, as: UTF8.self)
        let name = client.map { [(name: "SLUICE_CLIENT", value: $0)] } ?? []
        return try DirectCall(to: site.sluice.socket, "POST", "/v1/chat/completions", name, body: body)
    }

    /// What a request takes ahead of its answer: its body and these are 30 tokens.
    private func members(_ tokens: Int) -> String { #","max_tokens":\#(tokens)"# }

    /// As Sluice estimates it.
    private func reserved(_ tokens: Int) -> Int { (chat(stream: false, members: members(tokens)).body.count + 3) / 4 + tokens }

    @Test func `of tokens is what the upstream says that it took, and one that has too few left is refused in OpenAI's words`()
        async throws
    {
        let upstream = try StubUpstream(whole)
        let limit = reserved(10) + 5
        try await ProcessSite.with(
            upstream: upstream, upstreamLines: "[clients.shop]\ntokens_per_day = \(limit)", options: []
        ) { site in
            for left in [limit - 5, limit - 10] {
                let answer = try await ask(site, "shop", members: members(10))
                #expect(answer.status == 200)
                #expect(answer.tokensLeft == left)
            }
            let refused = try await ask(site, "shop", members: members(10))
            #expect(refused.status == 429)
            #expect(refused.tokensLeft == limit - 10)
            #expect(refused.text.contains(#""type":"insufficient_quota","param":null,"code":"insufficient_quota""#))
            #expect((1...86_400).contains(refused.retryAfter ?? 0))
            #expect(refused["X-Should-Retry"] == "false")
            #expect(refused.text.contains("needs \(reserved(10)) tokens, and \(limit - 10) of your tokens of the day are left"))
            // A smaller one has room, and nobody else is touched by it.
            #expect(try await ask(site, "shop", members: members(1)).status == 200)
            let other = try await ask(site, "kiosk", members: members(10))
            #expect(other.status == 200)
            #expect(other.tokensLeft == nil)
            #expect(upstream.requests.value.count == 4)
            try await site.logs(1, #""ending":"insufficient_quota""#)
        }
    }

    @Test func `that is less than a request needs lets that wait for no other day`() async throws {
        let upstream = try StubUpstream(whole)
        try await ProcessSite.with(
            upstream: upstream, upstreamLines: "[clients.shop]\ntokens_per_day = 500", options: []
        ) { site in
            let refused = try await ask(site, "shop")
            #expect(refused.status == 429)
            #expect(refused.text.contains(#""type":"insufficient_quota","param":null,"code":"insufficient_quota""#))
            #expect(refused.text.contains("and you have 500 in a whole day, so that it never fits"))
            #expect(refused.retryAfter == nil)
            #expect(refused["X-Should-Retry"] == "false")
            #expect(try await ask(site, "shop", members: members(10)).status == 200)
        }
    }

    /// What a request says of its answers' length, and how many tokens that may be at least.
    @Test(arguments: [
        (#","max_tokens":5000.0"#, 5000), (#","max_tokens":5e3"#, 5000),
        (#","max_tokens":10,"max_completion_tokens":5000"#, 5000), (#","max_tokens":5000,"max_completion_tokens":10"#, 5000),
        (#","max_tokens":600,"n":8.0"#, 4800),
        (#","max_tokens":-1"#, 6000), (#","max_tokens":50000000000000000000000"#, 6000),
    ]) func `is taken by what the request means, however it is written`(members: String, tokens: Int) async throws {
        let upstream = try StubUpstream(whole)
        try await ProcessSite.with(
            upstream: upstream, upstreamLines: "[clients.\"*\"]\ntokens_per_day = \(tokens)", options: []
        ) { site in
            let refused = try await ask(site, "shop", members: members)
            #expect(refused.status == 429)
            let answered = try await ask(site, "shop", members: #","max_tokens":10"#)
            #expect(answered.status == 200)
        }
    }

    @Test func `is settled by the usage of a stream whose caller wants to see none`() async throws {
        let frames = Chunks.stream(["one"])
        let upstream = try StubUpstream { request in
            guard request.text.contains(#""include_usage":true"#) else { return .stream(frames) }
            let usage = #""choices":[],"usage":{"prompt_tokens":9,"completion_tokens":700}"#
            let chunk = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\(usage)}\n\n"
            // In one write: the usage may not be late behind the finish reason.
            return .stream([(frames.dropLast() + [chunk] + frames.suffix(1)).joined()])
        }
        try await ProcessSite.with(
            upstream: upstream, upstreamLines: "usage = true\n[clients.shop]\ntokens_per_day = 10000", options: []
        ) { site in
            let members = #","stream_options":{"include_usage":false}"#
            let answer = try await ask(site, "shop", members: members, stream: true)
            #expect(answer.text.contains("data: [DONE]") && !answer.text.contains("usage"), "\(answer.text)")
            try await eventually("what it took") {
                try await site.ask("clients", "--json").output.contains("709")
            }
        }
    }

    @Test(arguments: [false, true]) func `is estimated where the upstream says that it took more than can be`(stream: Bool)
        async throws
    {
        let usage = #""usage":{"prompt_tokens":3,"completion_tokens":9223372036854775807}"#
        let frames = Chunks.stream(["one"])
        let said = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[],\(usage)}\n\n"
        let upstream = try StubUpstream(
            stream
                ? .stream([(frames.dropLast() + [said] + frames.suffix(1)).joined()])
                : .json(Chunks.completion("Hello").replacing(#/"usage":\{[^}]*\}/#, with: usage)))
        let clients = "[clients.\"*\"]\ntokens_per_day = 10000"
        try await ProcessSite.with("metrics.clients = true", upstream: upstream, upstreamLines: clients, options: []) { site in
            for _ in 0..<2 { #expect(try await ask(site, "shop", members: members(10), stream: stream).status == 200) }
            let lines = try await site.logs(2, "\"answered\"")
            #expect(!lines.contains { $0.contains("completion_tokens") }, "\(lines)")
            #expect(try await site.logs(1, "the upstream tells a usage that cannot be").count == 1)
            let left = try #require(try await ask(site, "shop", members: members(10), stream: stream).tokensLeft)
            #expect((9_000..<10_000).contains(left))
            let metrics = try await site.ask("status", "--metrics").output
            #expect(!metrics.contains("sluice_client_tokens_total{"))
        }
    }

    @Test func `is estimated where the upstream does not say what it took`() async throws {
        let frames = Chunks.stream(["one", "two"])
        let upstream = try StubUpstream(.stream(frames))
        try await ProcessSite.with(
            upstream: upstream, upstreamLines: "[clients.\"*\"]\ntokens_per_day = 10000", options: []
        ) { site in
            let body = chat(members: members(500)).body.count
            let first = try await ask(site, "shop", members: members(500), stream: true)
            #expect(first.text.contains("data: [DONE]"))
            #expect(first.tokensLeft == 10_000 - (body + 3) / 4 - 500)
            let next = try await ask(site, "shop", members: members(500), stream: true)
            let spent = 10_000 - (next.tokensLeft ?? 0) - (body + 3) / 4 - 500
            // The prompt, and a token for each event.
            #expect(((body + 3) / 4 + 2..<((body + 3) / 4 + 50)).contains(spent))
        }
    }

    @Test func `gets all back of a request that fails without an answer`() async throws {
        let upstream = try StubUpstream { request in
            request.text.contains("\"max_tokens\":77") ? .json(Chunks.error("no"), status: 500) : whole
        }
        let limit = reserved(77)
        try await ProcessSite.with(
            upstream: upstream, upstreamLines: "[clients.shop]\ntokens_per_day = \(limit)", options: []
        ) { site in
            for _ in 0..<3 {
                let failed = try await ask(site, "shop", members: members(77))
                #expect(failed.status == 503)
                #expect(failed.tokensLeft == limit)
            }
            #expect(try await ask(site, "shop", members: members(10)).tokensLeft == limit - 5)
        }
    }

    @Test func `has what a model thought aloud for a caller who left before it said anything`() async throws {
        let thoughts = (0..<100).map { Chunks.reasoning("thought \($0)") }
        let upstream = try StubUpstream { request in
            request.text.contains("\"stream\":true") ? Reply([.text(Chunks.role() + thoughts.joined()), .silence]) : whole
        }
        let clients = "[clients.shop]\ntokens_per_day = 1000000"
        try await ProcessSite.with(upstream: upstream, upstreamLines: clients, options: ["--workers", "1"]) { site in
            var left = try #require(try await ask(site, "shop").tokensLeft)
            // He may have left before Sluice has read the thoughts.
            try await eventually("thoughts that count") {
                let requestsCount = upstream.requests.value.count
                let leaving = try call(site, "shop", stream: true)
                _ = try await upstream.request(requestsCount)
                _ = try await ask(site, "kiosk")
                leaving.close()
                _ = try await ask(site, "kiosk")
                let former = left
                left = try #require(try await ask(site, "shop").tokensLeft)
                return former - left > 105
            }
        }
    }

    @Test func `of requests and of those at once is the minute's and the moment's`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            guard request.text.contains("\"stream\":true") else { return whole }
            return .stream(Chunks.stream(["one"]), each: gate)
        }
        let clients =
            "[clients.often]\nrequests_per_minute = 100\n[clients.rare]\nrequests_per_minute = 1\n[clients.few]\nconcurrent = 1"
        try await ProcessSite.with(upstream: upstream, upstreamLines: clients, options: []) { site in
            // The minute may end in between.
            var rare = try await ask(site, "rare")
            for _ in 0..<3 where rare.status == 200 { rare = try await ask(site, "rare") }
            #expect(rare.status == 429)
            #expect(rare.text.contains(#""type":"rate_limit_error","param":null,"code":"rate_limit_exceeded""#))
            #expect((1...60).contains(rare.retryAfter ?? 0))
            #expect(rare.tokensLeft == nil)
            #expect(try await ask(site, "often").status == 200)

            let open = try call(site, "few", stream: true)
            _ = try await upstream.request(containing: "\"stream\":true")
            let refused = try await ask(site, "few")
            #expect(refused.status == 429)
            #expect(refused.retryAfter == 1)
            #expect(refused.text.contains(#""code":"rate_limit_exceeded""#))
            gate.open(10)
            #expect(try await open.response().contains("data: [DONE]"))
            #expect(try await ask(site, "few").status == 200)
        }
    }

    /// What limits it, and what else is asked for then; and what answers.
    @Test(
        arguments: [
            ("", "[clients.\"*\"]\nconcurrent = 1", 429),
            ("limits = {requests = 1}", "[clients.\"*\"]\ntokens_per_day = 100000", 503),
        ], [false, true]) func `of those at once is held by an answer that its caller does not take`(
            limit: (String, String, Int), isHooks: Bool
        ) async throws
    {
        let (settings, clients, status) = limit
        let long = String(repeating: "long ", count: 50_000)
        let upstream = try StubUpstream { request in
            if request.path.hasSuffix("turn") { return isHooks ? .json(#"{"say":"\#(long)"}"#) : .nothingToSay }
            return request.text.contains("\"max_tokens\":7") ? .json(Chunks.completion(long)) : whole
        }
        let hook = "hook = {url = \"\(upstream.turnURL)\", timeout = \"60s\"}"
        try await ProcessSite.with(
            "\(settings)\n\(hook)", upstream: upstream, upstreamLines: clients, options: ["--workers", "1"]
        ) { site in
            let slow = try call(site, "shop", members: members(7))
            try await eventually("nobody takes it") {
                try await site.ask("status", "--json", "--full").output.contains("finishing")
            }
            let refused = try await ask(site, "shop", members: members(7))
            #expect(refused.status == status, "\(refused.text.prefix(500))")
            // Once it is taken there is room for another one.
            #expect(try await slow.response().utf8.count > long.utf8.count)
            #expect(try await ask(site, "shop", members: members(10)).status == 200)
        }
    }

    @Test func `is of its models alone, and it sees no others`() async throws {
        let upstream = try StubUpstream(whole)
        let settings = "models = [{match = \"stub-1\"}, {match = \"stub-2\"}, {match = \"*\"}]"
        let clients = "[clients.shop]\nmodels = [\"stub-2\", \"llama-*\"]\n[clients.kiosk]\nmodels = [\"stub-?\"]"
        try await ProcessSite.with(settings, upstream: upstream, upstreamLines: clients, options: []) { site in
            let refused = try await ask(site, "shop")
            #expect(refused.status == 404)
            #expect(refused.text.contains(#""param":"model","code":"model_not_found""#))
            #expect(refused.text.contains("'stub-2'"))
            #expect(!refused.text.contains("'stub-1'"))
            #expect(try await ask(site, "kiosk").status == 200)
            #expect(try await ask(site, "other").status == 200)
            for (client, models) in [("shop", ["stub-2"]), ("kiosk", ["stub-1", "stub-2"]), ("other", ["stub-1", "stub-2"])] {
                let call = try DirectCall(
                    to: site.sluice.socket, "GET", "/v1/models", [(name: "SLUICE_CLIENT", value: client)])
                let list = try await BudgetAnswer(call.response())
                #expect(["stub-1", "stub-2"].filter { list.text.contains("\"\($0)\"") } == models)
            }
        }
    }

    @Test func `is changed by a reload, which forgets nothing`() async throws {
        let upstream = try StubUpstream(whole)
        let lines = "[clients.shop]\ntokens_per_day = "
        try await ProcessSite.with(upstream: upstream, upstreamLines: lines + "1000", options: []) { site in
            #expect(try await ask(site, "shop", members: members(10)).tokensLeft == 995)
            for (number, limit) in [2000, 20].enumerated() {
                try site.write("", lines + "\(limit)")
                site.sluice.process.signal(SIGHUP)
                try await site.logs(number + 1, "the settings were reloaded")
                let answer = try await ask(site, "shop", members: members(10))
                #expect(answer.status == (limit == 20 ? 429 : 200))
                #expect(answer.tokensLeft == max(0, limit - 10))
            }
        }
    }

    /// Names that are none count as no name.
    @Test(arguments: [
        String(repeating: "x", count: 129), String(repeating: "x", count: 60_000), "a\u{1B}[2Jb", "ä", "a\nX-Evil: 1", "",
    ])
    func `is never one for the asking of an odd name`(name: String) async throws {
        let upstream = try StubUpstream(whole)
        let clients = "[clients.\"*\"]\ntokens_per_day = \(reserved(10))"
        try await ProcessSite.with(upstream: upstream, upstreamLines: clients, options: []) { site in
            #expect(try await ask(site, nil, members: members(10)).tokensLeft == reserved(10) - 5)
            let odd = try await ask(site, name, members: members(10))
            #expect(odd.status == 429)
            #expect(odd["X-Evil"] == nil)
            #expect(try await ask(site, "named", members: members(10)).status == 200)
        }
    }

    @Test func `is the same for several processes together, also when one of them is killed`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            request.text.contains("\"stream\":true") ? .stream(Chunks.stream(["one"]), each: gate) : whole
        }
        let limit = reserved(10) + 35
        let clients = "[clients.shop]\ntokens_per_day = \(limit)\n[clients.few]\nconcurrent = 2"
        try await ProcessSite.with(upstream: upstream, upstreamLines: clients) { site in
            try await site.served(4)
            // Eight answers, whichever process gives each.
            for number in 1...8 {
                #expect(try await ask(site, "shop", members: members(10)).tokensLeft == limit - 5 * number)
            }
            #expect(try await ask(site, "shop", members: members(10)).status == 429)

            let streams = try (0..<2).map { _ in try call(site, "few", stream: true) }
            _ = try await upstream.request(9)
            #expect(try await ask(site, "few").status == 429)
            for process in try await site.status().processes { kill(process.process, SIGKILL) }
            try await site.served(8)
            #expect(try await ask(site, "few").status == 200)
            #expect(try await ask(site, "shop", members: members(10)).status == 429)
            for stream in streams { stream.close() }
            gate.open(10)
        }
    }
}

/// An answer of Sluice's, by FastCGI itself.
struct BudgetAnswer {
    let text: String
    let status: Int
    private let fields: [(name: String, value: String)]

    struct NoAnswer: Error { let text: String }

    init(_ response: String) throws {
        guard let end = response.firstRange(of: "\r\n\r\n") else { throw NoAnswer(text: response) }
        fields = response[..<end.lowerBound].split(separator: "\r\n").map { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return (parts[0].lowercased(), parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
        }
        text = String(response[end.upperBound...])
        status = fields.first { $0.name == "status" }.flatMap { Int($0.value.prefix(3)) } ?? 200
    }

    subscript(_ name: String) -> String? { fields.first { $0.name == name.lowercased() }?.value }

    var tokensLeft: Int? { self["X-Sluice-Budget-Remaining"].flatMap { Int($0) } }
    var retryAfter: Int? { self["Retry-After"].flatMap { Int($0) } }
}
