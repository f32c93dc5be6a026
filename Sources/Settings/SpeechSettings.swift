// What is taken out of an answer's text for a voice: `speech`, for all models and for each.

import Chat

extension FieldKind<SpeechParts> {
    fileprivate static var speechParts: Self {
        FieldKind(
            form: .other("an array of \(alternatives(SpeechParts.names.map(\.name)))"),
            read: { reader, node throws(SettingsProblem) in try reader.speechParts(node) },
            write: { parts in TOMLText.array(SpeechParts.names.filter { parts.contains($0.part) }.map(\.name)) })
    }
}

extension SettingsReader {
    fileprivate func speechParts(_ node: SettingsNode) throws(SettingsProblem) -> SpeechParts {
        guard case .array(let elements) = node.value else { throw SettingsProblem(node, "must be an array of strings") }
        var parts: SpeechParts = []
        for element in elements {
            let name = try text(element)
            guard let known = SpeechParts.names.first(where: { $0.name == name }) else {
                throw SettingsProblem(element, "must be \(alternatives(SpeechParts.names.map(\.name)))")
            }
            parts.insert(known.part)
        }
        return parts
    }
}

extension Settings {
    static var speechField: Field<Settings> {
        Field(
            "speech", \.speech, .speechParts,
            """
            What is left out of an answer's text for a voice. "think": thoughts that stand between tags. "markdown": the signs of \
            emphasis, headings, lists, tables and code, whose words stay; items of lists end as sentences do. "emoji": emoji. "links": \
            of a link all but its text, of a URL all but its host, and marks of sources. Tool calls stay as they are, and so does an \
            answer for which the request sets a response_format other than "text".
            """)
    }
}

extension ModelSettings {
    static var speechField: Field<ModelSettings> {
        Field(
            "speech", optional: \.speech, .speechParts, FieldDescription.own, default: .inherited,
            examples: [FieldExample(#"["think", "markdown", "emoji", "links"]"#, in: .llama)])
    }
}
