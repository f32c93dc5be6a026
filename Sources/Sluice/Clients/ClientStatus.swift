// What clients have used, for those who ask: `sluice clients`.

import Clock
import Settings

/// What `sluice clients` tells: of each client that has limits and was seen today.
struct ClientStatus: Sendable {
    /// A count, and what it may come to; nil for any number.
    typealias Used = (count: Int, limit: Int?)

    struct Client: Sendable {
        /// The web server's name; empty for the one without a name, nil for all those together that there was no room for.
        let name: String?
        /// Of the day, with what open requests have reserved.
        let tokens: Used
        /// Of the minute.
        let requests: Used
        let open: Used
        /// Of the day.
        let refused: Int
    }

    /// By their names.
    let clients: [Client]
    /// The address of the store in which several machines count together, which is not asked; nil where each counts for itself.
    let store: String?

    init(_ counts: ClientCounts, _ rules: ClientRules?, at time: CountedTime, store: String? = nil) {
        self.store = store
        clients = counts.used(at: time).compactMap { used in
            // Those that have no limits any more are not told of.
            let limits = used.client.map { rules?[$0] } ?? nil
            guard limits != nil || used.client == nil else { return nil }
            return Client(
                name: used.client?.text, tokens: (used.tokens, limits?.tokensPerDay),
                requests: (used.requests, limits?.requestsPerMinute), open: (used.open, limits?.concurrentMax),
                refused: used.refused)
        }
    }

    /// A line for each, and one that says so where these are not all.
    var text: [String] {
        lines + (store.map { ["", "by this machine's own counts; all machines together count in \($0)"] } ?? [])
    }

    private var lines: [String] {
        guard !clients.isEmpty else { return ["no client that has limits has asked today"] }
        let columns: [Table.Column] = [
            "client", .fixed("tokens"), .fixed("per day"), .fixed("requests"), .fixed("per minute"), .fixed("open"),
            .fixed("concurrent"), .fixed("refused"),
        ]
        let table = Table(columns, clients) { client in
            let used = [client.tokens, client.requests, client.open].flatMap { used in
                ["\(used.count)", used.limit.map { "\($0)" } ?? "any"]
            }
            return [client.name.map { $0.isEmpty ? "-" : $0 } ?? "(others)"] + used + ["\(client.refused)"]
        }
        return Array(table.lines().dropFirst())
    }

    /// One object in one line.
    var json: String {
        var writer = StatusWriter()
        writer.object {
            $0.array("clients", clients) { writer, client in
                writer.object {
                    $0.member("name", client.name)
                    $0.member("tokens", client.tokens.count)
                    $0.member("tokens_per_day", client.tokens.limit)
                    $0.member("requests", client.requests.count)
                    $0.member("requests_per_minute", client.requests.limit)
                    $0.member("open", client.open.count)
                    $0.member("concurrent", client.open.limit)
                    $0.member("refused", client.refused)
                }
            }
            $0.member("budget_store", store)
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
