// What callers hear while the model is silent: `filler`, for all models and for each.

package import HTTPClient

/// What is said, and when.
package struct FillerSettings: Equatable, Sendable {
    /// What stands behind a text, so that a platform says it at once.
    package enum Mark: String, CaseIterable, Sendable {
        case none, vapi, elevenlabs
    }

    /// Who says it.
    package enum Speaker: String, CaseIterable, Sendable {
        /// The answer's stream, as its beginning.
        case stream
        /// The call's platform, which is asked to at a URL of the call's own.
        case control
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
    /// Who says it.
    package var speaker = Speaker.stream
    /// Where the platform may be asked: calls bring the URL themselves.
    package var hosts = [AllowedHost("*.vapi.ai")].compactMap(\.self)
    /// How long it may take to ask it, in all.
    package var timeout = Duration.seconds(2)

    /// None is said until there are texts.
    package init() {}
}

extension FillerSettings {
    /// As long as a sentence is.
    private static let (textBytesMax, textsMax) = (500, 100)
    /// As many as anybody has platforms.
    private static let hostsMax = 16

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
            Field(
                "by", \.speaker, .choice,
                """
                Who says it: "stream" the answer's own stream, "control" the call's platform, which is asked to at the URL that the request \
                has as call.monitor.controlUrl (Vapi). The stream has nothing of it then, and a call without such a URL hears nothing.
                """, default: .value(TOMLText.string(FillerSettings().speaker.rawValue))),
            Field(
                "hosts", \.hosts, .allowedHosts,
                """
                For by = "control": the hosts that such a URL may name, since whoever asks has written it. A name, "*.NAME" for all names \
                below it, or an address, with ":PORT" behind it where that is not 443. Nobody else is asked, and nobody without TLS. Up to \
                \(hostsMax) of them.
                """, default: .value(TOMLText.array(FillerSettings().hosts.map(\.description)))),
            Field(
                "timeout", \.timeout, .duration(in: .milliseconds(1)...(.seconds(60))),
                "For by = \"control\": how long it may take to ask, connection and all.",
                default: .value(TOMLText.string(FillerSettings().timeout.setting))),
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
                if filler.speaker == .control, filler.mark != .none, let node = table.node("mark") {
                    table.problems.add(SettingsProblem(node, #"has no meaning with by = "control""#))
                }
                root[keyPath: property] = filler
            },
            write: { $0[keyPath: property].map { TOMLText.table(fields.members(of: $0)) } })
    }

    fileprivate static func hosts(_ reader: SettingsReader, _ node: SettingsNode) throws(SettingsProblem) -> [AllowedHost] {
        guard case .array(let elements) = node.value, (1...hostsMax).contains(elements.count) else {
            throw SettingsProblem(node, "must be an array of 1 to \(hostsMax) hosts")
        }
        var hosts: [AllowedHost] = []
        for element in elements {
            guard let host = AllowedHost(try reader.text(element)) else {
                throw SettingsProblem(element, #"must be a host, as "api.example.com", "*.example.com" or "10.0.0.1:8443""#)
            }
            hosts.append(host)
        }
        return hosts
    }

    fileprivate static func checked(_ texts: [String], _ node: SettingsNode) throws(SettingsProblem) -> [String] {
        guard texts.count <= textsMax, texts.allSatisfy({ (1...textBytesMax).contains($0.utf8.count) }) else {
            throw SettingsProblem(node, "may have \(textsMax) texts of 1 to \(textBytesMax) bytes")
        }
        return texts
    }
}

extension Settings {
    /// Whether a platform is asked to say any.
    package var asksPlatforms: Bool {
        models.contains { ($0.filler ?? filler)?.speaker == .control }
    }
}

extension FieldKind<[AllowedHost]> {
    /// Never none: then there would be nobody to ask.
    fileprivate static var allowedHosts: Self {
        FieldKind(
            form: .other("an array of hosts"),
            read: { reader, node throws(SettingsProblem) in try FillerSettings.hosts(reader, node) },
            write: { TOMLText.array($0.map(\.description)) })
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
