// The field table, as documents are made of it.

import FastCGI

@testable import Settings

/// A key as documents tell of it.
struct DocumentEntry {
    /// Of what no reload changes.
    static let startOnly = "A change takes a restart."

    let description: FieldDescription
    /// Of the property, as TOML.
    let standard: String?
    var members: [DocumentEntry] = []

    var key: String { description.key }
    /// The values that there may be; nil where the meaning tells them.
    var range: String? {
        switch description.form {
        case .number(let range): "from \(range.lowerBound) to \(range.upperBound)"
        case .duration(let range): "from \(range.lowerBound.setting) to \(range.upperBound.setting)"
        case .size(let range): "from \(Size.setting(range.lowerBound)) to \(Size.setting(range.upperBound))"
        case .other(_, in: let range?): "from \(range.lowerBound) to \(range.upperBound)"
        case .percentage(let range): "from \(Percentage.setting(range.lowerBound)) to \(Percentage.setting(range.upperBound))"
        default: nil
        }
    }

    /// What it takes, as words behind "Takes".
    var takes: String {
        switch description.form {
        case .text: "text"
        case .texts: "an array of text"
        case .boolean: "true or false"
        case .file: "the path of a file"
        case .table: "a table"
        case .number: "a whole number \(range ?? "")"
        case .duration: "a duration \(range ?? "")"
        case .size: "a size \(range ?? "")"
        case .percentage: "a share \(range ?? "")"
        case .choice(let names): alternatives(names)
        case .other(let words, _): range.map { "\(words) \($0)" } ?? words
        }
    }
}

/// All that can be set.
struct DocumentEntries {
    let sections: [(title: String?, introduction: String, entries: [DocumentEntry])]
    let upstream: [DocumentEntry]
    let model: [DocumentEntry]
    let client: [DocumentEntry]

    init() throws {
        let settings = Settings(listen: [try ListenAddress(Settings.defaultListen)], workers: 1, upstreams: [], models: [])
        sections = Settings.sections.map { ($0.title, $0.introduction, Self.entries($0.fields, settings)) }
        upstream = Self.entries(UpstreamSettings.fields, UpstreamSettings(name: ""))
        model = Self.entries(ModelSettings.fields(), ModelSettings(match: ModelPattern("*"), targets: []))
        client = Self.entries(ClientSettings.fields, ClientSettings(match: ModelPattern("*")))
    }

    private static func entries<Root>(_ fields: [Field<Root>], _ root: Root) -> [DocumentEntry] {
        fields.map { field in
            switch field.content {
            case .value(let write):
                let members = field.description.members.map { DocumentEntry(description: $0, standard: nil) }
                return DocumentEntry(description: field.description, standard: write(root), members: members)
            case .table(let members):
                let values = members(root)
                return DocumentEntry(
                    description: field.description, standard: nil,
                    members: field.description.members.map { member in
                        DocumentEntry(description: member, standard: values.first { $0.name == member.key }?.value)
                    })
            }
        }
    }
}
