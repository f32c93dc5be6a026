import Foundation
import TestSupport
import Testing

/// Requests that end ahead of any target: by their client's limits, by the models that there are for them, by themselves.
@Suite(.timeLimit(.minutes(20))) struct `A request that no target is asked for` {
    /// Clients are counted where nobody is, and so those that have limits are refused.
    private static let nowhere = "budget_store = \"redis://127.0.0.1:1\"\non_store_failure = \"deny\""

    private func call(
        _ site: ProcessSite, _ client: String, _ body: String, route: String? = nil, id: String = "", method: String = "POST"
    ) async throws -> BudgetAnswer {
        var parameters = [(name: "SLUICE_CLIENT", value: client), (name: "HTTP_X_REQUEST_ID", value: id)]
        if let route { parameters.append((name: "SLUICE_ROUTE", value: route)) }
        let path = method == "GET" ? "/v1/models" : "/v1/chat/completions"
        return try await BudgetAnswer(DirectCall(to: site.sluice.socket, method, path, parameters, body: body).response())
    }

    private func body(_ model: String) -> String {
        #"{"model":"\#(model)","messages":[{"role":"user","content":"Hi"}],"stream":false}"#
    }

    private typealias Row = (
        client: String, body: String, route: String?, status: Int, ending: String, at: String?, upstream: String?
    )

    /// Those that one was asked for are beside them.
    private func rows() -> [Row] {
        [
            ("spent", body("stub-1"), nil, 429, "insufficient_quota", "stub-*", nil),
            ("counted", body("stub-1"), nil, 503, "budget_store_unavailable", "stub-*", nil),
            ("counted", body("stub-1"), "shop", 503, "budget_store_unavailable", "shop:stub-*", nil),
            ("kiosk", body("x"), nil, 404, "model_not_found", nil, nil),
            ("kiosk", body("x"), "shop", 404, "model_not_found", "shop:", nil),
            ("kiosk", "{", "shop", 400, "invalid_json", "shop:", nil), ("kiosk", "{", nil, 400, "invalid_json", nil, nil),
            ("kiosk", body("stub-1"), "nowhere", 500, "unknown_route", "nowhere:", nil),
            ("kiosk", body("stub-1"), "\u{7}", 500, "unknown_route", nil, nil),
            ("kiosk", "", "elsewhere", 500, "unknown_route", "elsewhere:", nil), ("kiosk", "", "shop", 200, "done", "shop:", nil),
            ("kiosk", body("own"), nil, 401, "missing_api_key", "own", nil),
            ("kiosk", body("down"), nil, 503, "upstream_connection_refused", "down", "down"),
            ("kiosk", body("stub-1"), "shop", 200, "done", "shop:stub-*", "stub"),
        ]
    }

    private static let lines = """
        [upstreams.own]
        url = "http://127.0.0.1:1/v1"
        key = "passthrough"
        [upstreams.down]
        url = "http://127.0.0.1:1/v1"
        key = "sk-down"
        [[models]]
        match = "own"
        targets = ["own"]
        [[models]]
        match = "down"
        targets = ["down"]
        [[models]]
        match = "stub-*"
        targets = ["stub"]
        [[models]]
        name = "shop"
        match = "stub-*"
        targets = ["stub"]
        [clients.spent]
        tokens_per_day = 1
        [clients.counted]
        tokens_per_day = 100_000
        """

    @Test func `has its route in the log, and no upstream there or among the last errors`() async throws {
        let upstream = try StubUpstream { _ in .json(Chunks.completion("Hello")) }
        let rows = rows()
        try await ProcessSite.with(Self.nowhere, upstream: upstream, upstreamLines: Self.lines, options: []) { site in
            for (number, row) in rows.enumerated() {
                let method = row.body.isEmpty ? "GET" : "POST"
                let answer = try await call(site, row.client, row.body, route: row.route, id: "row-\(number)", method: method)
                #expect(answer.status == row.status, "row \(number): \(answer.text)")
            }
            let lines = try await site.logs(rows.count, #""message":"answered""#).map { line in
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: any Sendable] ?? [:]
            }
            for (number, row) in rows.enumerated() {
                let line = lines.first { $0["request"] as? String == "row-\(number)" } ?? [:]
                #expect(line["ending"] as? String == row.ending, "row \(number): \(line)")
                #expect(line["route"] as? String == row.at, "row \(number): \(line)")
                #expect(line["upstream"] as? String == row.upstream, "row \(number): \(line)")
            }
            for (route, number) in [("nowhere", 7), ("(no name)", 8), ("elsewhere", 9)] {
                let told = try await site.logs(1, #""route":"\#(route)""#)
                #expect(told[0].contains(#""request":"row-\#(number)""#) && told[0].contains(#""client":"kiosk""#), "\(told)")
            }
            let refused = rows.filter { $0.status >= 500 }
            try await eventually("the last errors") {
                let errors = try ToldStatus(json: try await site.ask("status", "--json").output).lastErrors ?? []
                return errors.map(\.ending).sorted() == refused.map(\.ending).sorted()
                    && errors.allSatisfy { $0.upstream == ($0.ending == "upstream_connection_refused" ? "down" : nil) }
            }
        }
    }

    @Test func `is none of its route's requests, for which that may try again`() async throws {
        let upstream = try StubUpstream { _ in .json(Chunks.error("no"), status: 500) }
        let lines = """
            [[models]]
            match = "*"
            retries = 1
            retry_budget = "50%"
            [clients.counted]
            tokens_per_day = 1_000_000
            """
        try await ProcessSite.with(
            Self.nowhere + "\nrest_for = \"0s\"", upstream: upstream, upstreamLines: lines, options: []
        ) { site in
            for _ in 0..<20 {
                let refused = try await call(site, "counted", body("m"))
                #expect(refused.status == 503 && refused.text.contains("budget_store_unavailable"))
            }
            #expect(upstream.requests.value.isEmpty)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<6 { group.addTask { try await call(site, "kiosk", body("m")).status } }
                for try await status in group { #expect(status == 503) }
            }
            #expect(upstream.requests.value.count == 6 + 3)
        }
    }
}
