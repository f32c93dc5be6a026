// The settings in force as a settings file: `sluice check --show`.

extension Settings {
    /// TOML that gives the same settings again, but for keys and headers' values, of which it shows nothing.
    package var text: String {
        let fields = Self.sections.flatMap(\.fields)
        var tables: [TOMLText] = []
        var top = TOMLText()
        for field in fields {
            switch field.content {
            case .value(let write): if let value = write(self) { top.append(field.key, value) }
            case .table(let members): tables.append(TOMLText("[\(field.key)]", members(self)))
            }
        }
        tables.insert(top, at: 0)
        return (tables + upstreams.map(\.text) + models.map(\.text)).map(\.lines).joined(separator: "\n")
    }
}

extension UpstreamSettings {
    fileprivate var text: TOMLText {
        let path = SettingsPath().appending("upstreams").appending(name)
        let fields = kind == .demo ? [Self.kindField] : Self.fields
        return TOMLText("[\(path)]", fields.members(of: self, dotted: true))
    }
}

extension ModelSettings {
    fileprivate var text: TOMLText { TOMLText("[[models]]", Self.fields([]).members(of: self)) }
}
