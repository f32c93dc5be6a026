// What the tests of `budget_store` have in common.

import TestSupport
import Testing

/// Calls of clients at machines that count together.
protocol BudgetMachines: Sendable {}

extension BudgetMachines {
    /// 5 tokens, by the upstream's word.
    static var whole: Reply { Reply.json(Chunks.completion("Hello")) }
    static var cannot: String { "what clients use cannot be counted for all machines together (budget_store)" }
    static var again: String { "what clients use is counted for all machines together again (budget_store)" }
    static var leftOut: String { "what clients have used is left out of what all machines count together (budget_store)" }

    func settings(_ url: String, _ failure: String = "deny") -> String {
        "budget_store = \"\(url)\"\non_store_failure = \"\(failure)\""
    }

    func tokens(_ limit: Int) -> String { "[clients.shop]\ntokens_per_day = \(limit)" }

    func call(_ site: ProcessSite, _ client: String = "shop", stream: Bool = false) throws -> DirectCall {
        let body = String(decoding: chat(stream: stream, members: #","max_tokens":10"#).body, as: UTF8.self)
        return try DirectCall(
            to: site.sluice.socket, "POST", "/v1/chat/completions", [(name: "SLUICE_CLIENT", value: client)], body: body)
    }

    func ask(_ site: ProcessSite, _ client: String = "shop") async throws -> BudgetAnswer {
        try await BudgetAnswer(call(site, client).response())
    }

    /// As `ask`, until the store has answered: this machine may be too busy to do so in time.
    func askStored(_ site: ProcessSite, _ client: String = "shop") async throws -> BudgetAnswer {
        var answer = try await ask(site, client)
        try await eventually("the store") {
            if answer.status == 503 { answer = try await ask(site, client) }
            return answer.status != 503
        }
        return answer
    }

    /// Expects that a machine tells what all have used, of 1000. What was answered too late is held for a moment before it is given back.
    func tellsAll(_ redis: RedisServer, _ site: ProcessSite) async throws {
        try await eventually("what is left for all") {
            let used = try await redis.tokens(of: "shop")
            let answer = try await ask(site)
            return answer.status == 200 && answer.tokensLeft == 995 - used && used >= 30 && used % 5 == 0
        }
    }

    /// What a request takes ahead of its answer.
    func reserved(stream: Bool = false) -> Int {
        (chat(stream: stream, members: #","max_tokens":10"#).body.count + 3) / 4 + 10
    }

    func status(_ site: ProcessSite) async throws -> String { try await site.ask("status").output }

    /// Two machines with one store; what the test gives back is their end.
    func withMachines(
        _ settings: String, _ clients: String,
        upstream: @escaping @Sendable () throws -> StubUpstream = { try StubUpstream(Self.whole) },
        options: [String] = [], _ test: (ProcessSite, ProcessSite) async throws -> Void
    ) async throws {
        let (first, second) = (try upstream(), try upstream())
        try await ProcessSite.with(settings, upstream: first, upstreamLines: clients, options: options) { one in
            try await ProcessSite.with(settings, upstream: second, upstreamLines: clients, options: options) { other in
                try await test(one, other)
            }
        }
    }
}

extension ProcessSite {
    /// Its lines so far.
    var log: [String] { sluice.process.errors.value.lines }

    /// Whether a connection to the store was given up.
    var hasGivenUp: Bool { log.contains { $0.contains("no answer within 5s") } }
}
