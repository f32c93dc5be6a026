// The settings in force as a settings file: `sluice check --show`, and what processes have from their master.

import EventLoop
import Glibc

extension Settings {
    /// TOML that gives the same settings again, but for keys and headers' values, of which it shows nothing.
    package var text: String {
        let fields = Self.sections.flatMap(\.fields)
        var tables: [TOMLText] = []
        var top = TOMLText()
        for field in fields where field.isShown(self) {
            switch field.content {
            case .value(let write): if let value = write(self) { top.append(field.key, value) }
            case .table(let members): tables.append(TOMLText("[\(field.key)]", members(self)))
            }
        }
        tables.insert(top, at: 0)
        return (tables + upstreams.map(\.text) + models.map(\.text) + clients.map(\.text)).map(\.lines).joined(separator: "\n")
    }
}

extension Settings {
    /// TOML of what only a start can change, which gives the same again. Nothing secret is among it.
    package var startOnlyText: String {
        let fields = Self.sections.flatMap(\.fields)
        var (top, tables) = (TOMLText(), "")
        for field in fields {
            switch field.content {
            case .value(let write):
                if field.description.needsStart, let value = write(self) { top.append(field.key, value) }
            case .table(let members):
                let keys = field.description.members.filter(\.needsStart).map(\.key)
                let kept = members(self).filter { keys.contains($0.name) }
                if !kept.isEmpty { tables += TOMLText("[\(field.key)]", kept).lines }
            }
        }
        return top.lines + tables
    }

    /// The settings of such a text: of them only what a start alone can change means anything.
    ///
    /// - Throws: `SettingsError` for another text.
    package init(startOnlyText text: String) throws(SettingsError) {
        var sources = SettingsSources(
            options: SettingsOptions(config: "start"), environment: { _ in nil },
            readFile: { path throws(SystemError) in
                guard path.utf8.elementsEqual("start".utf8) else { throw SystemError(path, code: ENOENT) }
                return Array(text.utf8)
            }, listFiles: { _ in [] }, readTLSFiles: { _, _ in nil })
        // It may be longer than what was written there.
        sources.fileBytesMax = .max
        self = try sources.load().settings
    }
}

extension UpstreamSettings {
    fileprivate var text: TOMLText {
        let path = SettingsPath().appending("upstreams").appending(name)
        let fields = kind == .demo ? [Self.kindField] : Self.fields
        return TOMLText("[\(path.text)]", fields.members(of: self, dotted: true))
    }
}

extension ClientSettings {
    fileprivate var text: TOMLText {
        let path = SettingsPath().appending("clients").appending(match.description)
        return TOMLText("[\(path.text)]", Self.fields.members(of: self))
    }
}

extension ModelSettings {
    fileprivate var text: TOMLText { TOMLText("[[models]]", Self.fields().members(of: self)) }
}
