// Where keys stand that somebody has put elsewhere.

/// A key belongs to the table that stands last above it, which is not always the one that was meant.
enum KeyPlaces {
    private typealias Table = (name: String, keys: Set<String>)

    private static let top = Settings.sections.flatMap(\.fields).map(\.description)
    private static let upstream = UpstreamSettings.fields.map(\.description)
    private static let model = ModelSettings.fields().map(\.description)

    /// What other programs call it.
    private static let otherNames = ["api_key": "key", "base_url": "url", "name": "upstream", "log_level": "level"]

    /// What holds for all.
    private static let common = Set(top.map(\.key))
    private static let target = Set(TargetSettings.fields().map(\.key))
    private static let tables: [Table] =
        [("[upstreams.NAME]", Set(upstream.map(\.key))), ("[[models]]", Set(model.map(\.key)))]
        + innerTables(top).map { ("[\($0.name)]", $0.keys) }
    /// What stands in a table of a table.
    private static let inner = innerTables(upstream + model)

    private static func innerTables(_ descriptions: [FieldDescription]) -> [Table] {
        descriptions.compactMap { description in
            guard case .table = description.form else { return nil }
            return (description.key, Set(description.members.map(\.key)))
        }
    }

    /// What there is to say about a key that a table does not know; nil when nothing comes to mind.
    ///
    /// - Parameters:
    ///   - keys: those that it knows.
    ///   - isTop: whether it is the file's own, above all others.
    static func hint(
        for key: String, among keys: [String], isTop: Bool, _ suggestions: inout NameSuggestions
    ) -> String? {
        if let name = otherNames[key] {
            if keys.contains(name) { return "did you mean '\(name)'?" }
            if let table = tables.first(where: { $0.keys.contains(name) }) {
                return "did you mean '\(name)'? It stands in \(table.name)"
            }
        }
        if !isTop, common.contains(key) { return "'\(key)' holds for all: put it above the first [table]" }
        if !isTop, let table = inner.first(where: { keys.contains($0.name) && $0.keys.contains(key) }) {
            return "did you mean '\(table.name).\(key)'?"
        }
        if let table = tables.first(where: { $0.keys.contains(key) }) { return "it stands in \(table.name)" }
        if let name = suggestions.nearest(to: key, among: keys) { return "did you mean '\(name)'?" }
        return !isTop && target.contains(key) ? "it stands in targets = [{upstream = …}]" : nil
    }
}
