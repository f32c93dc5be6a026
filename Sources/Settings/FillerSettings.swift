// What callers hear while the model is silent: `filler`, for all models and for each.

/// What is said, and when.
package struct FillerSettings: Equatable, Sendable {
    /// What stands behind a text, so that a platform says it at once.
    package enum Mark: String, CaseIterable, Sendable {
        case none, vapi, elevenlabs
    }

    /// How long the silence is before the first one.
    package var after = Duration.milliseconds(900)
    /// At least one, where any is to be said.
    package var texts: [String] = []
    /// How long the silence is between two.
    package var again = Duration.seconds(4)
    /// How many there are for a request; 0 for none.
    package var countMax = 2
    /// What stands behind each.
    package var mark = Mark.none

    /// None is said until there are texts.
    package init() {}
}

extension FillerSettings {
    /// As long as a sentence is.
    private static let (textBytesMax, textsMax) = (500, 100)

    static var fields: [Field<FillerSettings>] {
        [
            Field(
                "after", \.after, .timeout, "From the request to the first text, while there is no token.",
                default: .value(TOMLText.string(FillerSettings().after.setting))),
            Field(
                "texts", \.texts, .fillerTexts,
                "What is said, in turn from one turn of a call to the next. Up to \(textsMax) texts of \(textBytesMax) bytes.",
                default: .words("none, so nothing is said"), examples: [#"["One moment.", "Let me check."]"#]),
            Field(
                "again", \.again, .timeout, "From one text to the next, while there is still no token.",
                default: .value(TOMLText.string(FillerSettings().again.setting))),
            Field(
                "max", \.countMax, .number(in: 0...10), "How many a request gets at most.",
                default: .value("\(FillerSettings().countMax)")),
            Field(
                "mark", \.mark, .choice,
                """
                What stands behind a text: "vapi" "<flush />", "elevenlabs" an ellipsis and a blank, by which these platforms say it at \
                once; "none" a blank.
                """, default: .value(TOMLText.string(FillerSettings().mark.rawValue))),
        ]
    }

    static func field<Root>(
        _ property: WritableKeyPath<Root, FillerSettings?>, _ meaning: String, default standard: FieldDefault,
        examples: [FieldExample]
    ) -> Field<Root> {
        Field(
            "filler", .table, meaning, default: standard, examples: examples, members: fields.map(\.description),
            read: { reader, node, root in
                guard let table = reader.table(node, keys: fields.map(\.key)) else { return }
                var filler = FillerSettings()
                let wrong = table.take(fields, into: &filler)
                if wrong.isEmpty, filler.texts.isEmpty, filler.countMax > 0 {
                    table.problem("needs texts of its own: what is to be said")
                }
                root[keyPath: property] = filler
            },
            write: { $0[keyPath: property].map { TOMLText.table(fields.members(of: $0)) } })
    }

    fileprivate static func checked(_ texts: [String], _ node: SettingsNode) throws(SettingsProblem) -> [String] {
        guard texts.count <= textsMax, texts.allSatisfy({ (1...textBytesMax).contains($0.utf8.count) }) else {
            throw SettingsProblem(node, "may have \(textsMax) texts of 1 to \(textBytesMax) bytes")
        }
        return texts
    }
}

extension FieldKind<[String]> {
    fileprivate static var fillerTexts: Self {
        FieldKind(
            form: .texts,
            read: { reader, node throws(SettingsProblem) in try FillerSettings.checked(reader.texts(node), node) },
            write: TOMLText.array)
    }
}
