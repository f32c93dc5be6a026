// What the values of the settings mean: strings, numbers, durations, sizes, files.

import Chat
import EventLoop
import Glibc

extension SettingsReader {
    /// A string that is not empty, with its variables put in.
    func text(_ node: SettingsNode) throws(SettingsProblem) -> String {
        let text = try expanded(try literal(node), of: node)
        guard !text.isEmpty else { throw SettingsProblem(node, "must not be empty") }
        return text
    }

    /// A string as it stands in the file.
    func literal(_ node: SettingsNode) throws(SettingsProblem) -> String {
        guard case .string(let text) = node.value else { throw SettingsProblem(node, "must be a string") }
        return text
    }

    /// Puts the environment's variables in for `${NAME}`; `$${` stands for `${`.
    func expanded(_ text: String, of node: SettingsNode) throws(SettingsProblem) -> String {
        var (result, rest) = ("", text[...])
        while let start = rest.firstIndex(of: "$") {
            result += rest[..<start]
            rest = rest[start...]
            if rest.hasPrefix("$${") {
                result += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                guard let end = rest.firstIndex(of: "}") else { throw SettingsProblem(node, "has a '${' without a '}'") }
                result += try variable(rest[..<end].dropFirst(2), of: node)
                rest = rest[end...].dropFirst()
            } else {
                result += "$"
                rest = rest.dropFirst()
            }
        }
        return result + rest
    }

    private func variable(_ name: Substring, of node: SettingsNode) throws(SettingsProblem) -> String {
        guard Self.isVariableName(name) else {
            throw SettingsProblem(node, "has a '${' that is not followed by a variable's name; a '${' itself is written '$${'")
        }
        guard let value = input.environment(String(name)), !value.isEmpty else {
            let isCall = name.utf8.elementsEqual("call".utf8)
            if input.assumesVariables, !isCall { throw .assumption(of: node) }
            let hint = isCall ? #"; the call's id is "${call}" alone, as a whole value of set or default"# : Self.serviceHint
            let name = SettingsPath.shown(String(name))
            throw SettingsProblem(node, "takes the environment's \(name), which is not set or is empty\(hint)")
        }
        return value
    }

    /// A shell's variables are no service's.
    private static let serviceHint = "; a service gets it by EnvironmentFile= or Environment= of its unit"

    static func isVariableName(_ name: Substring) -> Bool {
        name.first?.isNumber == false && name.utf8.allSatisfy { $0.isAlphanumeric(or: "_") }
    }

    func boolean(_ node: SettingsNode) throws(SettingsProblem) -> Bool {
        guard case .boolean(let value) = node.value else { throw SettingsProblem(node, "must be true or false") }
        return value
    }

    /// Reads a whole number.
    func integer(_ node: SettingsNode, in range: ClosedRange<Int>) throws(SettingsProblem) -> Int {
        guard case .integer(let value) = node.value, range.contains(value) else {
            throw SettingsProblem(node, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// Reads a duration.
    func duration(_ node: SettingsNode, in range: ClosedRange<Duration>) throws(SettingsProblem) -> Duration {
        let value = try quantity(node, Duration.init(setting:), #"as in "800ms", "5s", "10m" or "1h""#)
        guard range.contains(value) else {
            throw SettingsProblem(node, "must be from \(range.lowerBound.setting) to \(range.upperBound.setting)")
        }
        return value
    }

    /// Reads a number of bytes.
    func size(_ node: SettingsNode, in range: ClosedRange<Int>) throws(SettingsProblem) -> Int {
        let value = try quantity(node, Size.bytes, #"as in "512B", "64KiB", "8MiB" or "1GiB""#)
        guard range.contains(value) else {
            throw SettingsProblem(
                node, "must be from \(Size.setting(range.lowerBound)) to \(Size.setting(range.upperBound))")
        }
        return value
    }

    /// Reads a share in percent.
    func percentage(_ node: SettingsNode, in range: ClosedRange<Int>) throws(SettingsProblem) -> Int {
        let value = try quantity(node, Percentage.percent, #"as in "20%""#)
        guard range.contains(value) else {
            throw SettingsProblem(
                node, "must be from \(Percentage.setting(range.lowerBound)) to \(Percentage.setting(range.upperBound))")
        }
        return value
    }

    private func quantity<Quantity>(
        _ node: SettingsNode, _ parse: (String) -> Quantity?, _ examples: String
    ) throws(SettingsProblem) -> Quantity {
        switch node.value {
        case .integer, .number: throw SettingsProblem(node, "needs a unit, \(examples)")
        default: break
        }
        guard let value = parse(try text(node)) else {
            throw SettingsProblem(node, "must be a whole number with a unit, \(examples)")
        }
        return value
    }

    /// One of the names of a closed choice.
    func choice<Choice: CaseIterable & RawRepresentable<String>>(_ node: SettingsNode) throws(SettingsProblem) -> Choice {
        let names = Choice.allCases.map(\.rawValue)
        // A number is no name, but http = 2 is soon written.
        guard case .string = node.value else { throw SettingsProblem(node, "must be \(alternatives(names))") }
        let text = try text(node)
        guard let choice = Choice(rawValue: text) else {
            let hint = KeyPlaces.hint(forValue: text, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
            throw SettingsProblem(node, "must be \(alternatives(names))\(hint)")
        }
        return choice
    }

    /// A list of strings, none empty.
    func texts(_ node: SettingsNode) throws(SettingsProblem) -> [String] {
        guard case .array(let elements) = node.value else { throw SettingsProblem(node, "must be an array of strings") }
        var texts: [String] = []
        for element in elements { texts.append(try text(element)) }
        return texts
    }

    /// A file's path; a relative one begins at the directory of the settings file that it stands in.
    func file(_ node: SettingsNode) throws(SettingsProblem) -> String {
        let text = try text(node)
        return Self.isCredential(text) ? try credential(text, of: node) : file(text, of: node)
    }

    /// The same of a path that is a part of a value.
    func file(_ path: String, of node: SettingsNode) -> String {
        let path = node.place.file.resolved(path)
        // In a sentence a name alone would be a word.
        return path.contains("/") ? path : "./\(path)"
    }

    /// The path of a file that can be read.
    func readableFile(_ node: SettingsNode) throws(SettingsProblem) -> String {
        let file = try file(node)
        if !Self.isCredential(file) { _ = try contents(of: file, for: node) }
        return file
    }

    /// The bytes of a file that a setting names.
    func contents(of file: String, for node: SettingsNode) throws(SettingsProblem) -> [UInt8] {
        do throws(SystemError) { return try input.readFile(file) } catch {
            if Self.namesCredential(node) {
                throw SettingsProblem(
                    node,
                    "names a credential that cannot be read: \(error.reason); LoadCredential= of the service says where it comes from, "
                        + "and the service takes it when it starts")
            }
            // Somebody may have put the key itself there. What is forbidden is there, and so a file.
            let path = error.code == EACCES ? "\(SettingsPath.shown(file: file)): " : ""
            throw SettingsProblem(node, "names a file that cannot be read: \(path)\(error.reason)")
        }
    }
}

/// `"a", "b" or "c"`
func alternatives(_ names: [String]) -> String {
    let quoted = names.map { "\"\($0)\"" }
    guard let last = quoted.last, quoted.count > 1 else { return quoted.joined() }
    return "\(quoted.dropLast().joined(separator: ", ")) or \(last)"
}
