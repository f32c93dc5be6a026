import FastCGI
import Testing

@testable import Settings
@testable import Sluice

/// What `sluice clients` tells.
@Suite struct ClientStatusTests {
    private let noon = CountedTime(second: 20_000 * 86_400 + 12 * 3600)

    /// Two clients of three that have limits, of which one is nameless; and one that has none.
    private func status(at time: CountedTime? = nil, store: String? = nil) throws -> ClientStatus {
        let counts = try ClientCounts()
        var settings = Settings(listen: [.inherited(0)], workers: 1, upstreams: [], models: [])
        var (shop, nobody) = (ClientSettings(match: ModelPattern("sh*")), ClientSettings(match: ModelPattern("")))
        (shop.tokensPerDay, shop.concurrentMax) = (100, 1)
        nobody.requestsPerMinute = 9
        settings.clients = [shop, nobody, ClientSettings(match: ModelPattern("unseen"))]
        for (name, limits) in [
            ("shop", shop), ("shop", shop), (nil, nobody), ("free", ClientSettings(match: ModelPattern("free"))),
        ] {
            let estimate = TokenEstimate(promptBytes: 4, answerMax: 60, choicesCount: 1)
            switch counts.enter(ClientName(name), limits, estimate, at: noon) {
            case .admitted(var reservation): reservation.settle(61)
            case .refused: break
            }
        }
        return ClientStatus(counts, ClientRules(settings), at: time ?? noon, store: store)
    }

    @Test func `has a line for each client that has limits and was seen today`() throws {
        #expect(
            try status().text == [
                "client  tokens  per day  requests  per minute  open  concurrent  refused",
                "-       61      any      1         9           0     any         0",
                "shop    61      100      1         any         0     1           1",
            ])
    }

    @Test func `has an object for each, too`() throws {
        #expect(
            try status().json
                == #"{"clients":[{"name":"","tokens":61,"tokens_per_day":null,"requests":1,"requests_per_minute":9,"open":0,"#
                + #""concurrent":null,"refused":0},{"name":"shop","tokens":61,"tokens_per_day":100,"requests":1,"#
                + #""requests_per_minute":null,"open":0,"concurrent":1,"refused":1}],"budget_store":null}"#)
    }

    @Test func `has none on the next day`() throws {
        let tomorrow = try status(at: CountedTime(second: noon.second + 86_400))
        #expect(tomorrow.text == ["no client that has limits has asked today"])
        #expect(tomorrow.json == #"{"clients":[],"budget_store":null}"#)
    }

    @Test func `says so where others count too`() throws {
        let status = try status(store: "redis://h:6379/0")
        let line = "by this machine's own counts; all machines together count in redis://h:6379/0"
        #expect(Array(status.text.suffix(2)) == ["", line])
        #expect(status.json.hasSuffix(#"],"budget_store":"redis://h:6379/0"}"#))
    }
}
