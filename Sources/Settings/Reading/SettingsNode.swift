// The settings file as a tree of values that know where they stand.

import TOMLKit

/// A value of the settings file.
struct SettingsNode {
    enum Value {
        /// In the file's order.
        case table([Member])
        case array([SettingsNode])
        case string(String)
        case integer(Int)
        case number(Double)
        case boolean(Bool)
        /// TOML has dates and times; no setting has.
        case date
    }

    struct Member {
        let key: String
        let node: SettingsNode
    }

    let value: Value
    let path: SettingsPath
    /// In the file, from 1; nil when it is not known.
    let line: Int?
}

extension SettingsNode {
    /// What stands under a key, if this is a table that has it.
    func member(_ key: String) -> SettingsNode? {
        guard case .table(let members) = value else { return nil }
        return members.first { $0.key == key }?.node
    }

    /// The whole document as one table.
    ///
    /// - Throws: `SettingsProblem` for what is no TOML. Nothing of the document's text is in it: a secret may stand anywhere.
    init(document: [UInt8]) throws(SettingsProblem) {
        guard let text = String(validating: document, as: UTF8.self) else {
            throw SettingsProblem("the file is not UTF-8 text", line: nil)
        }
        if let line = Self.line(of: 0, in: document) { throw SettingsProblem("a NUL has no place in a setting", line: line) }
        let positions = TOMLPositions(document)
        if let defect = positions.defect { throw SettingsProblem(defect.text, line: defect.line) }
        do {
            self.init(table: try TOMLTable(string: text), path: SettingsPath(), positions: positions)
        } catch let error as TOMLParseError {
            throw SettingsProblem(error)
        } catch {
            throw SettingsProblem("the file is not TOML", line: nil)
        }
    }

    private static func line(of byte: UInt8, in document: [UInt8]) -> Int? {
        document.firstIndex(of: byte).map { 1 + document[..<$0].count { $0 == UInt8(ascii: "\n") } }
    }

    private init(table: TOMLTable, path: SettingsPath, positions: TOMLPositions) {
        let members = table.keys.compactMap { key in
            table[key].map { Member(key: key, node: SettingsNode($0, path: path.appending(key), positions: positions)) }
        }
        let ordered = members.sorted {
            (positions[$0.node.path]?.order ?? .max, $0.key) < (positions[$1.node.path]?.order ?? .max, $1.key)
        }
        self.init(value: .table(ordered), path: path, line: positions[path]?.line)
    }

    private init(_ value: any TOMLValueConvertible, path: SettingsPath, positions: TOMLPositions) {
        if let table = value.table {
            self.init(table: table, path: path, positions: positions)
            return
        }
        let line = positions[path]?.line
        self.init(value: Self.value(value, path: path, positions: positions), path: path, line: line)
    }

    private static func value(_ value: any TOMLValueConvertible, path: SettingsPath, positions: TOMLPositions) -> Value {
        if let text = value.string { return .string(text) }
        if let boolean = value.bool { return .boolean(boolean) }
        if let integer = value.int { return .integer(integer) }
        if let number = value.double { return .number(number) }
        guard let array = value.array else { return .date }
        return .array(
            array.enumerated().map { SettingsNode($0.element, path: path.appending($0.offset), positions: positions) })
    }
}

/// One thing that is wrong with the settings.
struct SettingsProblem: Error, Equatable {
    /// A sentence that begins with the key's path. It quotes no value.
    var text: String
    var line: Int?

    init(_ text: String, line: Int?) { (self.text, self.line) = (text, line) }

    init(_ node: SettingsNode, _ text: String) { self.init("\(node.path) \(text)", line: node.line) }

    /// A syntax error. What the parser met is left out.
    fileprivate init(_ error: TOMLParseError) {
        // Up to the first quote: what stands in it is the file's.
        var text = String(error.description.prefix { $0 != "'" })
        for end in [" ", "saw", " ", ",", ":"] where text.hasSuffix(end) { text.removeLast(end.count) }
        if text.hasPrefix("Error") { text = "error" + text.dropFirst(5) }
        self.init("this is not TOML at column \(error.source.begin.column): \(text)", line: error.source.begin.line)
    }
}
