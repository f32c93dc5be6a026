// What the settings allow each client.

import Chat
import Settings

/// What a table `[clients.NAME]` says, and what is made of it.
struct ClientRule: Sendable {
    let settings: ClientSettings
    /// What is answered to one who asks for the models.
    let models: [UInt8]

    fileprivate init(_ client: ClientSettings, _ settings: Settings) {
        self.settings = client
        models = settings.modelList(for: client)
    }
}

/// The tables of one reading of the settings.
struct ClientRules: Sendable {
    /// By the bytes of the names.
    private let named: [[UInt8]: ClientRule]
    /// In the settings' order, and that for all behind them.
    private let patterns: [ClientRule]

    /// - Returns: nil when nothing is said of any client.
    init?(_ settings: Settings) {
        guard !settings.clients.isEmpty else { return nil }
        let rules = settings.clients.map { ClientRule($0, settings) }
        let exact = rules.filter(\.settings.match.isExact).map { (Array($0.settings.match.description.utf8), $0) }
        named = Dictionary(exact) { first, _ in first }
        let others = rules.filter { !$0.settings.match.isExact }
        patterns = others.filter { !$0.settings.match.isAny } + others.filter(\.settings.match.isAny)
    }

    /// The one for a client.
    ///
    /// - Parameter client: empty for one without a name.
    /// - Returns: nil for one that has no limits.
    subscript(_ client: ClientName) -> ClientRule? {
        if let rule = named[client.bytes] { return rule }
        return patterns.first { $0.settings.match.matches(client.text) }
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
