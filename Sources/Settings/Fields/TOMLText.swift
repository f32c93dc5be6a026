// Values as TOML.

import Chat

/// The lines of one TOML table.
struct TOMLText {
    typealias Member = (name: String, value: String)

    /// What is shown of a secret.
    static let mask = string("***")

    private(set) var lines = ""

    init() {}

    init(_ header: String, _ members: [Member]) {
        lines = "\(header)\n"
        for member in members { append(member.name, member.value) }
    }

    /// - Parameter value: TOML.
    mutating func append(_ key: String, _ value: String) { lines += "\(key) = \(value)\n" }

    // MARK: Values

    /// An inline table of values that are TOML already.
    static func table(_ members: [Member]) -> String {
        "{\(members.map { "\(key($0.name)) = \($0.value)" }.joined(separator: ", "))}"
    }

    private static func key(_ name: String) -> String {
        let isBare = !name.isEmpty && name.utf8.allSatisfy(\.isInBareKey)
        return isBare ? name : quoted(name)
    }

    static func array(_ texts: [String]) -> String { "[\(texts.map(string).joined(separator: ", "))]" }

    /// A string that the settings reader takes as it is, without a variable in it.
    static func string(_ text: String) -> String {
        var escaped = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            escaped += rest[..<dollar]
            rest = rest[dollar...]
            escaped += rest.hasPrefix("${") ? "$$" : "$"
            rest = rest.dropFirst()
        }
        return quoted(escaped + rest)
    }

    /// The path of a file. Behind a credential of another process stands that nobody has looked at it here; so it ends its line.
    static func file(_ path: String) -> String {
        let comment = "  # cannot be read here: LoadCredential= of the service says where it comes from"
        return SettingsReader.isCredential(path) ? string(path) + comment : string(path)
    }

    /// A basic string. JSON's is one, but for the one control character that JSON takes as it is.
    private static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        bytes.appendJSONString(text)
        return String(decoding: bytes, as: UTF8.self).split(separator: "\u{7F}", omittingEmptySubsequences: false)
            .joined(separator: #"\u007F"#)
    }

    /// A JSON value, which is valid, in one line.
    static func value(json: [UInt8]) -> String {
        let document = json.span
        do { return value(try JSONScanner.validate(document, depthMax: .max), in: document) } catch {
            preconditionFailure("settings hold valid JSON")
        }
    }

    private static func value(_ value: JSONValue, in document: Span<UInt8>) -> String {
        switch value.kind {
        case .object:
            let members = value.members(in: document)
            return table(members.map { (JSONText.decode($0.name, in: document), Self.value($0.value, in: document)) })
        case .array:
            return "[\(value.elements(in: document).map { Self.value($0, in: document) }.joined(separator: ", "))]"
        case .string: return string(JSONText.decode(value.range, in: document))
        default: return document.text(in: value.range)
        }
    }
}
