// A settings file as a tree of values that know where they stand.

import TOMLKit

/// A value of a settings file.
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
    /// In the file where it stands.
    let path: SettingsPath
    let place: SettingsPlace
}

extension SettingsNode {
    /// What it has as a table; nothing for another value.
    var ownMembers: [Member] { if case .table(let members) = value { members } else { [] } }

    /// What stands under a key, if this is a table that has it.
    func member(_ key: String) -> SettingsNode? {
        ownMembers.first { $0.key == key }?.node
    }

    /// The whole document as one table.
    ///
    /// - Throws: `SettingsProblem` for what is no TOML. Nothing of the document's text is in it: a secret may stand anywhere.
    init(document: [UInt8], file: SettingsFile) throws(SettingsProblem) {
        guard let text = String(validating: document, as: UTF8.self) else {
            throw SettingsProblem("the file is not UTF-8 text", at: SettingsPlace(file: file))
        }
        if let line = Self.line(of: 0, in: document) {
            throw SettingsProblem("a NUL has no place in a setting", at: SettingsPlace(file: file, line: line))
        }
        let positions = TOMLPositions(document)
        if let defect = positions.defect {
            let first = defect.firstLine.map { ": \(SettingsPlace(file: file, line: $0)) sets it too" } ?? ""
            let hint = defect.hint.map { "; \($0)" } ?? ""
            throw SettingsProblem(defect.text + first + hint, at: SettingsPlace(file: file, line: defect.line))
        }
        do {
            let table = try TOMLTable(string: text)
            // The library lets go of nothing by itself.
            defer { table.clear() }
            self = Tree(file: file, positions: positions).node(table, at: SettingsPath())
        } catch let error as TOMLParseError {
            throw SettingsProblem(error, in: file)
        } catch {
            throw SettingsProblem("the file is not TOML", at: SettingsPlace(file: file))
        }
        if let place = firstPlaceOfManyMarks {
            throw SettingsProblem("more than \(Self.marksMax) marks in a row belong to no character", at: place)
        }
    }

    /// What fits in a text of streams (UAX #15, Stream-Safe Text Format). Swift compares and hashes texts in their normal form,
    /// for which a row of marks takes the square of its length.
    private static let marksMax = 30

    /// Where the first key or text stands that has too many marks in a row.
    private var firstPlaceOfManyMarks: SettingsPlace? {
        switch value {
        case .string(let text): return Self.hasManyMarks(text) ? place : nil
        case .array(let elements):
            for element in elements { if let place = element.firstPlaceOfManyMarks { return place } }
        case .table(let members):
            for member in members {
                if Self.hasManyMarks(member.key) { return member.node.place }
                if let place = member.node.firstPlaceOfManyMarks { return place }
            }
        default: break
        }
        return nil
    }

    private static func hasManyMarks(_ text: String) -> Bool {
        var count = 0
        for scalar in text.unicodeScalars {
            let isMark = !scalar.isASCII && scalar.properties.canonicalCombiningClass != .notReordered
            count = isMark ? count + 1 : 0
            if count > marksMax { return true }
        }
        return false
    }

    private static func line(of byte: UInt8, in document: [UInt8]) -> Int? {
        document.firstIndex(of: byte).map { 1 + document[..<$0].count { $0 == UInt8(ascii: "\n") } }
    }
}

/// Makes values of what the parser has read of a file.
private struct Tree {
    let file: SettingsFile
    let positions: TOMLPositions

    func node(_ table: TOMLTable, at path: SettingsPath) -> SettingsNode {
        let members = table.keys.compactMap { key in
            table[key].map { SettingsNode.Member(key: key, node: node($0, at: path.appending(key))) }
        }
        let ordered = members.map { (order: positions[$0.node.path]?.order ?? .max, member: $0) }
            .sorted { ($0.order, $0.member.key) < ($1.order, $1.member.key) }
        return SettingsNode(value: .table(ordered.map(\.member)), path: path, place: place(of: path))
    }

    private func node(_ value: any TOMLValueConvertible, at path: SettingsPath) -> SettingsNode {
        if let table = value.table { return node(table, at: path) }
        return SettingsNode(value: self.value(value, at: path), path: path, place: place(of: path))
    }

    private func value(_ value: any TOMLValueConvertible, at path: SettingsPath) -> SettingsNode.Value {
        if let text = value.string { return .string(text) }
        if let boolean = value.bool { return .boolean(boolean) }
        if let integer = value.int { return .integer(integer) }
        if let number = value.double { return .number(number) }
        guard let array = value.array else { return .date }
        return .array(array.enumerated().map { node($0.element, at: path.appending($0.offset)) })
    }

    private func place(of path: SettingsPath) -> SettingsPlace { SettingsPlace(file: file, line: positions[path]?.line) }
}

/// One thing that is wrong with the settings.
struct SettingsProblem: Error, Equatable {
    /// A sentence that begins with the key's path. It quotes no value.
    var text: String
    var place: SettingsPlace
    /// Whether it is one only if nothing is missing: a file that could not be read may say more.
    var needsWhole = false
    /// Whether the settings can be used all the same.
    var isWarning = false
    /// Whether nothing is known to be wrong: the value has a variable in it that is another process's.
    private(set) var isAssumption = false

    init(_ text: String, at place: SettingsPlace) { (self.text, self.place) = (text, place) }

    init(_ node: SettingsNode, _ text: String, needsWhole: Bool = false) {
        self.init("\(node.path) \(text)", at: node.place)
        self.needsWhole = needsWhole
    }

    /// For a value that cannot be known here, and is taken to be right.
    static func assumption(of node: SettingsNode) -> SettingsProblem {
        var assumption = SettingsProblem(node, "is taken to be right")
        assumption.isAssumption = true
        return assumption
    }

    /// The same where the settings can be used as they are.
    var asWarning: SettingsProblem {
        var warning = self
        warning.isWarning = true
        return warning
    }

    /// A syntax error. What the parser met is left out.
    fileprivate init(_ error: TOMLParseError, in file: SettingsFile) {
        var text = Self.words(of: error.description)
        for end in [" ", ",", ":"] where text.hasSuffix(end) { text.removeLast() }
        if text.hasPrefix("Error") { text = "error" + text.dropFirst(5) }
        let start = error.source.begin
        self.init("this is not TOML at column \(start.column): \(text)", at: SettingsPlace(file: file, line: start.line))
    }

    /// What of the parser's sentence is its own: not what it saw, and of what stands in quotes the signs alone that it expected.
    private static func words(of sentence: String) -> String {
        let (bytes, mark) = (Array(sentence.utf8), Array(", saw ".utf8))
        let end = bytes.indices.first { bytes[$0...].starts(with: mark) }
        let quote = bytes.firstIndex(of: UInt8(ascii: "'")) ?? bytes.count
        let isExpected = ["expected ", "or ", "closing "].contains { bytes[..<quote].reversed().starts(with: $0.utf8.reversed()) }
        return String(decoding: bytes[..<min(end ?? quote, isExpected && end != nil ? bytes.count : quote)], as: UTF8.self)
    }
}
