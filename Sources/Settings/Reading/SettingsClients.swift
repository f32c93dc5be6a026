// The clients of the settings file: `[clients.NAME]`.

extension SettingsReader {
    /// The file's clients; none when it has no such table.
    func clients() -> [ClientSettings] {
        guard let table = table("clients", keys: nil) else { return [] }
        guard table.members.count <= ClientSettings.tablesMax else {
            table.problem("names \(table.members.count) clients or patterns: \(ClientSettings.tablesMax) are the most")
            return []
        }
        let fields = ClientSettings.fields
        let keys = fields.map(\.key)
        let clients = table.members.compactMap { member in
            table.table(member.node, keys: keys).map { ($0, $0.client(member.key, fields)) }
        }
        reportUnreachable(clients)
        return clients.map(\.1)
    }

    private func client(_ name: String, _ fields: [Field<ClientSettings>]) -> ClientSettings {
        var client = ClientSettings(match: ModelPattern(name))
        let bytesMax = ClientSettings.nameBytesMax
        if !(1...bytesMax).contains(name.utf8.count) || !name.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) {
            problem("must be the name of a client, or a pattern of names, of 1 to \(bytesMax) ASCII characters")
        } else if client.match.hasOpenBracket {
            problem("has a '[' without a ']'; a '[' itself is written '[[]'")
        } else {
            warn(ofName: client.match.doubt)
        }
        take(fields, into: &client)
        if let node = node("tokens_per_day") { warn(of: client.doubtOfTokens, node) }
        return client
    }

    /// Of patterns the first that matches counts, so one behind another that matches all that it matches never does. `"*"` comes after all.
    private func reportUnreachable(_ clients: [(table: SettingsReader, client: ClientSettings)]) {
        var earlier = EarlierPatterns()
        for (table, client) in clients where !client.match.isExact && !client.match.isAny {
            if let first = earlier.first(covering: client.match) {
                table.problem("is never reached: \(first.path) matches the same clients first")
            } else {
                earlier.append(client.match, table)
            }
        }
    }
}
