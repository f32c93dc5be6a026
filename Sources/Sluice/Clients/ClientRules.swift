// What the settings allow each client.

import Chat
import Settings

/// The tables `[clients.NAME]` of one reading of the settings.
struct ClientRules: Sendable {
    /// By the bytes of the names.
    private let named: [[UInt8]: ClientSettings]
    /// In the settings' order, and that for all behind them.
    private let patterns: [ClientSettings]

    /// - Returns: nil when nothing is said of any client.
    init?(_ settings: Settings) {
        guard !settings.clients.isEmpty else { return nil }
        let exact = settings.clients.filter(\.match.isExact).map { (Array($0.match.description.utf8), $0) }
        named = Dictionary(exact) { first, _ in first }
        let others = settings.clients.filter { !$0.match.isExact }
        patterns = others.filter { !$0.match.isAny } + others.filter(\.match.isAny)
    }

    /// The one for a client.
    ///
    /// - Parameter client: empty for one without a name.
    /// - Returns: nil for one that has no limits.
    subscript(_ client: ClientName) -> ClientSettings? {
        if let rule = named[client.bytes] { return rule }
        return patterns.first { $0.match.matches(client.text) }
    }
}

/// A client, as it is counted.
struct ClientName: Equatable {
    let text: String
    let bytes: [UInt8]

    /// - Parameter text: the web server's name of it. Where there is none, or one that is no name, it is empty.
    init(_ text: String?) {
        self.text = text.map { $0.utf8.count <= ClientSettings.nameBytesMax ? $0 : "" } ?? ""
        bytes = Array(self.text.utf8)
    }

    static func == (left: ClientName, right: ClientName) -> Bool { left.bytes == right.bytes }
}

extension ClientSettings {
    /// Whether it may ask for a model.
    ///
    /// - Parameter model: empty for the one that the upstream takes for itself.
    func allows(_ model: String) -> Bool { models?.contains { $0.matches(model) } ?? true }
}
