// JSON (RFC 8259) once more, without anything that makes it fast: what the scanner is compared with.

/// A value, and where it stands.
struct PlainJSON {
    enum Kind {
        case object([(name: [UInt8], value: PlainJSON)])
        case array([PlainJSON])
        case string([UInt8])
        case number, word
    }
    let kind: Kind
    /// The bytes that it is written in.
    let bytes: ArraySlice<UInt8>

    /// A whole document; nil when it is none, or has more than so many objects and arrays open at once.
    init?(_ document: some Collection<UInt8>, depthMax: Int = .max) {
        var reader = Reader(rest: Array(document)[...])
        guard let value = reader.value(depthMax), reader.isAtEnd else { return nil }
        self = value
    }

    fileprivate init(_ kind: Kind, _ bytes: ArraySlice<UInt8>) { (self.kind, self.bytes) = (kind, bytes) }

    var members: [(name: [UInt8], value: PlainJSON)] { if case .object(let members) = kind { members } else { [] } }
    var elements: [PlainJSON]? { if case .array(let elements) = kind { elements } else { nil } }
    var string: [UInt8]? { if case .string(let text) = kind { text } else { nil } }
    var isObject: Bool { if case .object = kind { true } else { false } }
    var isNull: Bool { bytes.elementsEqual("null".utf8) }

    /// Of duplicates the last.
    subscript(_ name: String) -> PlainJSON? { members.last { $0.name.elementsEqual(name.utf8) }?.value }
}

private struct Reader {
    var rest: ArraySlice<UInt8>

    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return rest.isEmpty
        }
    }

    mutating func value(_ depthLeft: Int) -> PlainJSON? {
        skipSpace()
        let before = rest
        guard let kind = kind(depthLeft) else { return nil }
        return PlainJSON(kind, before[..<rest.startIndex])
    }

    private mutating func kind(_ depthLeft: Int) -> PlainJSON.Kind? {
        switch rest.first {
        case UInt8(ascii: "{"): depthLeft > 0 ? object(depthLeft - 1) : nil
        case UInt8(ascii: "["): depthLeft > 0 ? array(depthLeft - 1) : nil
        case UInt8(ascii: "\""): string().map { .string($0) }
        case UInt8(ascii: "t"): take("true") ? .word : nil
        case UInt8(ascii: "f"): take("false") ? .word : nil
        case UInt8(ascii: "n"): take("null") ? .word : nil
        default: number() ? .number : nil
        }
    }

    private mutating func object(_ depthLeft: Int) -> PlainJSON.Kind? {
        var members: [(name: [UInt8], value: PlainJSON)] = []
        _ = take("{")
        skipSpace()
        if take("}") { return .object([]) }
        while true {
            skipSpace()
            guard rest.first == UInt8(ascii: "\""), let name = string() else { return nil }
            skipSpace()
            guard take(":"), let value = value(depthLeft) else { return nil }
            members.append((name, value))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { return nil }
        }
    }

    private mutating func array(_ depthLeft: Int) -> PlainJSON.Kind? {
        var elements: [PlainJSON] = []
        _ = take("[")
        skipSpace()
        if take("]") { return .array([]) }
        while true {
            guard let value = value(depthLeft) else { return nil }
            elements.append(value)
            skipSpace()
            if take("]") { return .array(elements) }
            guard take(",") else { return nil }
        }
    }

    private mutating func number() -> Bool {
        _ = take("-")
        guard take("0") || digits() else { return false }
        if take("."), !digits() { return false }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            return digits()
        }
        return true
    }

    private mutating func digits() -> Bool {
        let count = rest.prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }.count
        rest = rest.dropFirst(count)
        return count > 0
    }

    /// In UTF-16 until its end, so that a pair of escapes is one character.
    private mutating func string() -> [UInt8]? {
        _ = take("\"")
        var units: [UInt16] = []
        while let byte = rest.first {
            if take("\"") { return Array(String(decoding: units, as: UTF16.self).utf8) }
            if take("\\") {
                guard let unit = escaped() else { return nil }
                units.append(unit)
                continue
            }
            guard byte >= 0x20, let character = character() else { return nil }
            units += Array(character.utf16)
        }
        return nil
    }

    private mutating func escaped() -> UInt16? {
        guard let letter = rest.popFirst() else { return nil }
        switch letter {
        case UInt8(ascii: "b"): return 8
        case UInt8(ascii: "f"): return 12
        case UInt8(ascii: "n"): return 10
        case UInt8(ascii: "r"): return 13
        case UInt8(ascii: "t"): return 9
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return UInt16(letter)
        case UInt8(ascii: "u"):
            let digits = text(rest.prefix(4))
            guard digits.utf8.count == 4, digits.allSatisfy(\.isHexDigit) else { return nil }
            rest = rest.dropFirst(4)
            return UInt16(digits, radix: 16)
        default: return nil
        }
    }

    /// One character in UTF-8.
    private mutating func character() -> String? {
        for count in 1...4 where count <= rest.count {
            guard let character = String(validating: rest.prefix(count), as: UTF8.self) else { continue }
            rest = rest.dropFirst(count)
            return character
        }
        return nil
    }

    private mutating func take(_ text: String) -> Bool {
        guard rest.starts(with: text.utf8) else { return false }
        rest = rest.dropFirst(text.utf8.count)
        return true
    }

    private mutating func skipSpace() { rest = rest.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) } }
}
