// Where the keys of a TOML document stand, which TOMLKit does not tell.

import Chat

/// A value's place in the settings: `timeouts.idle`, `models[0].match`.
struct SettingsPath: Hashable, Sendable, CustomStringConvertible {
    /// How many one may have: each value that lies below it has a copy of it.
    static let bytesMax = 512

    /// As TOML has it.
    private(set) var text = ""
    /// For messages, with names as `shown` has them.
    private(set) var description = ""
    /// How many keys and indices it has.
    private(set) var depth = 0

    func appending(_ key: String) -> SettingsPath {
        let isBare = !key.isEmpty && key.utf8.allSatisfy(\.isInBareKey)
        func joined(_ path: String, _ key: String) -> String {
            let name = isBare ? key : "\"\(key)\""
            return path.isEmpty ? name : "\(path).\(name)"
        }
        return SettingsPath(text: joined(text, key), description: joined(description, Self.shown(key)), depth: depth + 1)
    }

    func appending(_ index: Int) -> SettingsPath {
        SettingsPath(text: "\(text)[\(index)]", description: "\(description)[\(index)]", depth: depth + 1)
    }

    /// A name as messages have it: of one that is like a secret key, which somebody may have put in the place of a name, no more than how
    /// it begins.
    static func shown(_ name: String) -> String {
        // By bytes: what looks like one character may hold all of a key.
        if name.startsIgnoringCase(with: "sk-") { return beginning(of: name, bytes: 3) }
        let (count, digits) = (name.utf8.count, UInt8(ascii: "0")...UInt8(ascii: "9"))
        let isLikeKey = count > 40 || count >= 32 && name.utf8.contains { digits.contains($0) }
        return isLikeKey ? beginning(of: name, bytes: 8) : name
    }

    /// The same for each name in the path of a file.
    static func shown(file path: String) -> String {
        path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { shown("\(Substring($0))") }.joined(separator: "/")
    }

    /// The first scalars, and that there are more.
    private static func beginning(of name: String, bytes count: Int) -> String {
        let end = name.utf8.index(name.startIndex, offsetBy: count)
        return String(name.unicodeScalars[..<end]) + "…"
    }

    var bytes: [UInt8] { Array(text.utf8) }

    /// As messages have it; nil for an element of an array, and for a name that needs quotes.
    var lastKey: String? {
        let key = description.utf8.split(separator: UInt8(ascii: ".")).last
        return key.flatMap { $0.allSatisfy(\.isInBareKey) ? "\(Substring($0))" : nil }
    }

    static func == (left: SettingsPath, right: SettingsPath) -> Bool { left.text == right.text }

    func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

/// The lines of a document's keys and elements.
///
/// It is for a document that a parser has accepted, and checks none of it: where it meets what it does not understand it ends,
/// and the positions of the rest are unknown.
struct TOMLPositions {
    struct Position {
        let line: Int
        /// How many were found before it.
        let order: Int
    }

    /// What the parser does not take for an error, as it would end the process, or a string too early; or does not tell as people need it.
    struct Defect {
        let line: Int
        let text: String
        /// Of what it is the second; nil for what is wrong by itself.
        var firstLine: Int?
        /// What was probably meant.
        var hint: String?
    }

    private struct Known {
        let line: Int
        /// Where a value stands behind `=`.
        var valueLine: Int?
        /// Where it has a header as a table.
        var headerLine: Int?
    }

    private let document: [UInt8]
    private var offset = 0
    private var line = 1
    private var positions: [SettingsPath: Position] = [:]
    /// What stands already, by the paths' bytes: what TOML tells apart Swift may not.
    private var known: [[UInt8]: Known] = [:]
    /// How many tables the arrays of tables have so far.
    private var tableCounts: [SettingsPath: Int] = [:]
    /// No setting lies deeper, and a name has no more parts. Whoever reads the file goes down with its depth.
    private static let depthMax = 64
    /// The first place that TOMLKit must not see.
    private(set) var defect: Defect?

    init(_ document: [UInt8]) {
        self.document = document
        if UTF8Mark.begins(document.span) { offset = UTF8Mark.bytes.count }
        scan()
    }

    subscript(path: SettingsPath) -> Position? { positions[path] }

    private mutating func scan() {
        var table = SettingsPath()
        skipBlank()
        while let byte = next {
            if byte == UInt8(ascii: "[") {
                guard let header = readHeader() else { return }
                table = header
            } else {
                guard readMember(of: table) else { return }
            }
            skipBlank()
        }
    }

    // MARK: Keys

    /// `[table]` or `[[array of tables]]`.
    private mutating func readHeader() -> SettingsPath? {
        _ = take("[")
        let isArray = take("[")
        skipSpaces()
        if let byte = next, !byte.isInBareKey, !"\"']".utf8.contains(byte) {
            notice("this is not TOML: a table's name must follow '['")
            return nil
        }
        guard let keys = readKeys(), take("]"), !isArray || take("]") else { return nil }
        var path = SettingsPath()
        for (index, key) in keys.enumerated() {
            path = path.appending(key)
            let isLast = index == keys.count - 1
            let known = known[path.bytes]
            guard record(path, after: known?.valueLine ?? (isLast && !isArray ? known?.headerLine : nil)) else { return nil }
            if isLast, isArray { tableCounts[path, default: 0] += 1 }
            if isLast, !isArray { self.known[path.bytes]?.headerLine = line }
            if let count = tableCounts[path] { path = path.appending(count - 1) }
            guard record(path) else { return nil }
        }
        return path
    }

    /// `key = value`, or `dotted.key = value`.
    private mutating func readMember(of table: SettingsPath) -> Bool {
        guard let keys = readKeys(), take("=") else { return false }
        var path = table
        for (index, key) in keys.enumerated() {
            path = path.appending(key)
            let isLast = index == keys.count - 1
            guard record(path, after: isLast ? known[path.bytes]?.line : known[path.bytes]?.valueLine) else {
                if !isLast { defect?.hint = KeyPlaces.hint(forMembers: [keys[index + 1]], of: path.text) }
                return false
            }
        }
        known[path.bytes]?.valueLine = line
        return readValue(at: path)
    }

    private mutating func readKeys() -> [String]? {
        var keys: [String] = []
        repeat {
            guard keys.count < Self.depthMax else {
                notice("a name has more than \(Self.depthMax) parts")
                return nil
            }
            skipSpaces()
            let start = offset
            if next == UInt8(ascii: "\"") || next == UInt8(ascii: "'") {
                skipString()
                guard offset >= start + 2 else { return nil }
                keys.append(String(decoding: document[start + 1..<offset - 1], as: UTF8.self))
            } else {
                while let byte = next, byte.isInBareKey { offset += 1 }
                guard offset > start else { return nil }
                keys.append(String(decoding: document[start..<offset], as: UTF8.self))
            }
            skipSpaces()
        } while take(".")
        return keys
    }

    /// Whether reading may go on there.
    ///
    /// - Parameter first: the line where it stands already, and may not stand again.
    private mutating func record(_ path: SettingsPath, after first: Int? = nil) -> Bool {
        guard path.depth <= Self.depthMax else {
            notice("nothing may lie more than \(Self.depthMax) keys deep")
            return false
        }
        guard path.text.utf8.count <= SettingsPath.bytesMax else {
            notice("a name may have \(SettingsPath.bytesMax) bytes, with those of the tables that it stands in")
            return false
        }
        if let first {
            defect = defect ?? Defect(line: line, text: "\(path) is set twice", firstLine: first)
            return false
        }
        if known[path.bytes] == nil { known[path.bytes] = Known(line: line) }
        if positions[path] == nil { positions[path] = Position(line: line, order: positions.count) }
        return true
    }

    // MARK: Values

    private mutating func readValue(at path: SettingsPath) -> Bool {
        skipSpaces()
        switch next {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): skipString()
        case UInt8(ascii: "["): return readArray(at: path)
        case UInt8(ascii: "{"): return readInlineTable(at: path)
        default: return readPlainValue(at: path)
        }
        return true
    }

    /// A boolean, a number or a date.
    private mutating func readPlainValue(at path: SettingsPath) -> Bool {
        let start = offset
        while let byte = next, !",]}#\n".utf8.contains(byte) { offset += 1 }
        if PlainTOMLValue.isBareText(document[start..<offset]) {
            notice("this is not TOML: text stands in quotes\(path.lastKey.map { #", as in \#($0) = "…""# } ?? "")")
            return false
        }
        let isNumeric = start < offset && PlainTOMLValue.beginsNumber(document[start])
        if isNumeric, !PlainTOMLValue.isNumberOrDate(document[start..<offset]) {
            notice(
                "this is not TOML: what begins like a number is neither one nor a date; durations, sizes, shares and modes stand in "
                    + #"quotes: "4s", "8MiB", "20%", "0660""#)
            return false
        }
        return true
    }

    private mutating func readArray(at path: SettingsPath) -> Bool {
        _ = take("[")
        var index = 0
        skipBlank()
        while !take("]") {
            let element = path.appending(index)
            guard record(element) else { return false }
            if next == UInt8(ascii: "}") {
                notice("this is not TOML: '}' stands where the array has a value or ']'")
                return false
            }
            guard readValue(at: element) else { return false }
            index += 1
            skipBlank()
            if !take(","), next != UInt8(ascii: "]") { return false }
            skipBlank()
        }
        return true
    }

    private mutating func readInlineTable(at path: SettingsPath) -> Bool {
        _ = take("{")
        skipBlank()
        while !take("}") {
            guard readMember(of: path) else { return false }
            skipBlank()
            let hasComma = take(",")
            skipBlank()
            guard hasComma != (next == UInt8(ascii: "}")) else {
                if hasComma { notice("this is not TOML: no comma may stand before '}'") }
                return false
            }
        }
        return true
    }

    /// Steps over a string of any of the four forms.
    private mutating func skipString() {
        guard let quote = next else { return }
        let isBasic = quote == UInt8(ascii: "\"")
        let isLong = offset + 2 < document.count && document[offset + 1] == quote && document[offset + 2] == quote
        offset += isLong ? 3 : 1
        while let byte = next {
            if byte == quote, !isLong || closesLong(quote) {
                offset += isLong ? 3 : 1
                // Up to two quotes may stand before the three that close (TOML 1.0, string).
                while isLong, next == quote { offset += 1 }
                return
            }
            if byte == UInt8(ascii: "\n"), !isLong {
                notice("this is not TOML: a string has no closing quote in its line")
                offset = document.count
                return
            }
            if byte == UInt8(ascii: "\n") { line += 1 }
            if byte == UInt8(ascii: "\\"), isBasic {
                noticeNUL()
                offset += 1
                if next == UInt8(ascii: "\n") { line += 1 }
            }
            offset += 1
        }
    }

    private func closesLong(_ quote: UInt8) -> Bool {
        offset + 2 < document.count && document[offset + 1] == quote && document[offset + 2] == quote
    }

    /// A string would end at an escaped NUL.
    private mutating func noticeNUL() {
        let rest = document[(offset + 1)...]
        if rest.starts(with: "u0000".utf8) || rest.starts(with: "U00000000".utf8) { notice("a NUL has no place in a setting") }
    }

    private mutating func notice(_ text: String) {
        if defect == nil { defect = Defect(line: line, text: text) }
    }

    // MARK: Bytes

    private var next: UInt8? { offset < document.count ? document[offset] : nil }

    private mutating func take(_ character: Character) -> Bool {
        guard next == character.asciiValue else { return false }
        offset += 1
        return true
    }

    private mutating func skipSpaces() {
        while let byte = next, byte == 0x20 || byte == 0x09 { offset += 1 }
    }

    /// Steps over white space, line ends and comments.
    private mutating func skipBlank() {
        while let byte = next {
            switch byte {
            case 0x20, 0x09, 0x0D: offset += 1
            case 0x0A:
                offset += 1
                line += 1
            case UInt8(ascii: "#"): while let byte = next, byte != 0x0A { offset += 1 }
            default: return
            }
        }
    }
}

extension UInt8 {
    /// Whether it may stand in a key without quotes.
    var isInBareKey: Bool { isAlphanumeric(or: "_-") }
}
