// What the server itself says to a model ahead of what the caller says: `prepend`, for all models and for each.

package import Chat
import EventLoop

/// A message of the server's own.
package struct PrependSettings: Equatable, Sendable {
    package enum Role: String, CaseIterable, Sendable {
        case system, developer, user, assistant
    }

    /// Whose message it is.
    package var role = Role.system
    /// What it says; nil for nothing, so that there is none.
    package var template: PromptTemplate?
    /// The path of the file that has the text; nil where the settings have it themselves.
    package var file: String?
    /// Whether it takes the place of the caller's own first messages of `system` and `developer`.
    package var replaces = false

    /// None, until there is a text.
    package init() {}
}

extension PrependSettings {
    /// Of a text.
    private static let textBytesMax = 64 << 10
    /// Of those of all models together.
    static let allBytesMax = 16 << 20

    private static var fields: [Field<PrependSettings>] {
        [
            Field("role", \.role, .choice, ""),
            Field(
                "text", .text, "",
                read: { reader, node, prompt throws(SettingsProblem) in
                    if reader.node("file") != nil { throw SettingsProblem(node, "and file cannot both be set") }
                    prompt.template = try template(reader.literal(node), "", reader, node)
                },
                write: { prompt in
                    guard prompt.file == nil else { return nil }
                    return prompt.template == nil ? TOMLText.string("") : TOMLText.mask
                }),
            Field(
                "file", .file, "",
                read: { reader, node, prompt throws(SettingsProblem) in
                    let file = try reader.promptFile(node)
                    prompt.file = file
                    if reader.node("text") == nil { prompt.template = try template(file, reader, node) }
                }, write: { $0.file.map(TOMLText.string) }),
            Field("replace", \.replaces, .boolean, ""),
        ]
    }

    static func field<Root>(
        _ property: WritableKeyPath<Root, PrependSettings?>, _ meaning: String, default standard: FieldDefault,
        examples: [FieldExample]
    ) -> Field<Root> {
        Field(
            "prepend", .other("a table of role, text or file, and replace"), meaning, default: standard, examples: examples,
            read: { reader, node, root in
                guard let table = reader.table(node, keys: fields.map(\.key)) else { return }
                var prompt = PrependSettings()
                table.take(fields, into: &prompt)
                let says = ["text", "file"].contains { table.node($0) != nil }
                if !says { table.problem("needs text or file: what is to be said") }
                root[keyPath: property] = prompt
            },
            write: { root in
                root[keyPath: property].map { prompt in
                    // Of what is said it tells no more than that.
                    let count = prompt.template.map { "  # \($0.byteCount) bytes" } ?? ""
                    return TOMLText.table(fields.members(of: prompt)) + count
                }
            })
    }

    private static func template(
        _ file: String, _ reader: SettingsReader, _ node: SettingsNode
    ) throws(SettingsProblem) -> PromptTemplate? {
        let bytes = UTF8Mark.dropped(from: try reader.contents(of: file, for: node))
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SettingsProblem(node, "names a file that is not UTF-8 text")
        }
        guard let template = try template(text, "names a file that ", reader, node) else {
            throw SettingsProblem(node, "names a file that is empty")
        }
        return template
    }

    /// - Parameter subject: what stands ahead of what is wrong with the text.
    private static func template(
        _ text: String, _ subject: String, _ reader: SettingsReader, _ node: SettingsNode
    ) throws(SettingsProblem) -> PromptTemplate? {
        guard text.utf8.count <= textBytesMax else {
            throw SettingsProblem(node, "\(subject)has \(text.utf8.count) bytes; it may have \(Size.setting(textBytesMax))")
        }
        guard !text.isEmpty else { return nil }
        do throws(PromptTemplateError) {
            let template = try PromptTemplate(text)
            for path in template.paths { reader.warn(of: reader.doubt(ofPlaceholder: path).map { subject + $0 }, node) }
            return template
        } catch { throw SettingsProblem(node, subject + error.description) }
    }
}

extension SettingsReader {
    fileprivate func promptFile(_ node: SettingsNode) throws(SettingsProblem) -> String {
        let text = try text(node)
        guard !Self.isCredential(text) else { throw SettingsProblem(node, "must be the path of a file, and no credential") }
        return file(text, of: node)
    }

    /// What is probably meant by a path, without its names: they are a part of the prompt.
    fileprivate func doubt(ofPlaceholder path: RequestPath) -> String? {
        if path.names.count == 1, input.environment(path.description) != nil {
            return """
                has a placeholder with a variable's name: it is a path into the request's body, and takes nothing of the environment
                """
        }
        guard path.doubt != nil else { return nil }
        return "has a placeholder that probably finds nothing: it is a path into the request's body, compared byte by byte"
    }

    /// Tells of the first of some models with which their texts are too much.
    func reportPrompts(_ models: [(table: SettingsReader, model: ModelSettings)]) {
        var count = 0
        for (table, model) in models {
            count += model.prepend?.template?.byteCount ?? 0
            guard count > PrependSettings.allBytesMax else { continue }
            let size = Size.setting(PrependSettings.allBytesMax)
            return table.problem("has a prepend too many: the texts of all [[models]] may have \(size)")
        }
    }
}

extension Settings {
    static var prependField: Field<Settings> {
        PrependSettings.field(
            \.prepend,
            """
            A message of the server's own, which goes out ahead of the caller's. "role" is "system", where nothing is said, or \
            "developer", "user" or "assistant"; "text" is what it says, or "file" has it, in a file that is read again at each reload; a \
            relative path begins at the directory of this file. With replace = true it takes the place of the caller's own first messages \
            of the roles system and developer. In the text "${PATH}" is what the request's body has there (paths are those of when): the \
            first 256 characters of a text, without control characters, or a number, true or false. "${PATH|DEFAULT}" has another text \
            for where that is missing, empty or something else; without one there is nothing then. "${date}" and "${time}" are those of \
            UTC, "${client}" is the web server's name of the caller, "${call}" the platform's id of the call; "$${" stands for a "${". \
            Variables of the environment are not put in. A text has at most 64 KiB and 64 placeholders.
            """,
            default: .nothing,
            examples: [
                #"{role = "system", text = "You speak with ${customer.name|a caller}. Today is ${date}."}"#
            ])
    }
}

extension ModelSettings {
    static var prependField: Field<ModelSettings> {
        PrependSettings.field(
            \.prepend, #"The same for this model, in place of all of it; with text = "" nothing goes out ahead."#,
            default: .words("what holds for all models"),
            examples: [FieldExample(#"{file = "prompts/acme.txt", replace = true}"#, in: .tenant)])
    }
}
