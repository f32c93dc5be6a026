/// Where one JSON value stands in a document, and of which kind it is. It owns no bytes.
package struct JSONValue: Hashable, Sendable {
    /// The kinds of RFC 8259 §3, the three literals apart.
    package enum Kind: Hashable, Sendable {
        case object, array, string, number, `true`, `false`, null

        /// Of a value that begins with this byte; nil where none does.
        @inline(always)
        init?(firstByte: UInt8) {
            switch firstByte {
            case UInt8(ascii: "\""): self = .string
            case UInt8(ascii: "{"): self = .object
            case UInt8(ascii: "["): self = .array
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): self = .number
            case UInt8(ascii: "t"): self = .true
            case UInt8(ascii: "f"): self = .false
            case UInt8(ascii: "n"): self = .null
            default: return nil
            }
        }
    }

    /// Told by the value's first byte.
    package let kind: Kind
    /// The value's bytes without white space around it; a string's quotes, an object's braces belong to it.
    package let range: Range<Int>

    /// - Parameter range: the value's bytes in a document that has been validated, without white space around.
    package init(kind: Kind, range: Range<Int>) {
        self.kind = kind
        self.range = range
    }

    /// The value that a validated document is: all of it but the white space around. Were it not valid, the value may be null.
    package init(validated document: Span<UInt8>) {
        var (start, end) = (0, document.count)
        while start < end, document[start] <= UInt8(ascii: " ") { start += 1 }
        while start < end, document[end - 1] <= UInt8(ascii: " ") { end -= 1 }
        kind = start < end ? Kind(firstByte: document[start]) ?? .null : .null
        range = start..<end
    }
}

/// One name–value pair of an object, as byte ranges into the document.
package struct JSONMember: Hashable, Sendable {
    /// The name's bytes with its quotes.
    package let name: Range<Int>
    /// What stands behind the colon.
    package let value: JSONValue

    /// The bytes from the name to the value's end.
    var range: Range<Int> { name.lowerBound..<value.range.upperBound }
}

extension JSONValue {
    /// Calls `body` with each member of an object, in their order, duplicates included; with none when the value is no object.
    ///
    /// `document` is the one in which the value was found by a ``JSONScanner``, which has validated it.
    /// - Parameter countMax: of the first that are wanted.
    package func forEachMember(in document: Span<UInt8>, countMax: Int = .max, _ body: (JSONMember) -> Void) {
        guard kind == .object else { return }
        var (offset, countLeft) = (ValidatedJSON.next(from: range.lowerBound + 1, in: document), countMax)
        while countLeft > 0, offset < range.upperBound, document[offset] == UInt8(ascii: "\"") {
            let name = offset..<ValidatedJSON.end(ofStringAt: offset, in: document)
            guard let value = ValidatedJSON.value(from: name.upperBound, in: document) else { return }
            countLeft &-= 1
            body(JSONMember(name: name, value: value))
            offset = ValidatedJSON.next(from: value.range.upperBound, in: document)
        }
    }

    /// The members of an object as a list. See ``forEachMember(in:_:)``.
    package func members(in document: Span<UInt8>) -> [JSONMember] {
        var members: [JSONMember] = []
        forEachMember(in: document) { members.append($0) }
        return members
    }

    /// The elements of an array, in their order; none when the value is no array. See ``forEachMember(in:_:)``.
    /// - Parameter countMax: of the first that are wanted.
    package func elements(in document: Span<UInt8>, countMax: Int = .max) -> [JSONValue] {
        var elements: [JSONValue] = []
        guard kind == .array else { return elements }
        var offset = ValidatedJSON.next(from: range.lowerBound + 1, in: document)
        while offset < range.upperBound, elements.count < countMax, let value = ValidatedJSON.value(from: offset, in: document) {
            elements.append(value)
            offset = ValidatedJSON.next(from: value.range.upperBound, in: document)
        }
        return elements
    }

    /// The value of the member with this name; of duplicates the last, as most parsers have it.
    package func member(_ name: String, in document: Span<UInt8>) -> JSONValue? {
        var value: JSONValue?
        forEachMember(in: document) { member in
            if JSONText.isEqual(member.name, to: name, in: document) { value = member.value }
        }
        return value
    }

    /// The values of the members with these names, as of `member(_:in:)`, found in one pass: a document may have many megabytes.
    package func members<let count: Int>(
        _ names: InlineArray<count, String>, in document: Span<UInt8>
    ) -> InlineArray<count, JSONValue?> {
        var values = InlineArray<count, JSONValue?>(repeating: nil)
        forEachMember(in: document) { member in
            for index in names.indices where JSONText.isEqual(member.name, to: names[index], in: document) {
                values[index] = member.value
            }
        }
        return values
    }

    /// The text of a string, nil for other kinds.
    package func string(in document: Span<UInt8>) -> String? {
        kind == .string ? JSONText.decode(range, in: document) : nil
    }

    /// The value of a number written as an integer that fits; nil for `1.0`, `1e3` and other kinds.
    package func integer(in document: Span<UInt8>) -> Int? {
        guard kind == .number, range.count <= Self.integerBytesMax else { return nil }
        return Int(document.text(in: range))
    }

    /// The whole number that this number is, or the next one above it: `5e3` is 5,000. Of what is too large, or is written at great
    /// length, the most that there is; nil for what is below zero and for other kinds.
    package func count(in document: Span<UInt8>) -> Int? {
        guard kind == .number else { return nil }
        if let integer = integer(in: document) { return integer < 0 ? nil : integer }
        guard document[range.lowerBound] != UInt8(ascii: "-") else { return nil }
        guard range.count <= Self.numberBytesMax, let number = Double(document.text(in: range)) else { return .max }
        return Int(exactly: number.rounded(.up)) ?? .max
    }

    /// Of a number that is read as one.
    private static let numberBytesMax = 64
    /// Of a number that fits: 19 digits and a sign.
    private static let integerBytesMax = 20

    /// Whether an object, an array or a string has nothing inside; false for other kinds.
    package func isEmpty(in document: Span<UInt8>) -> Bool {
        switch kind {
        case .string: range.count == 2
        case .object, .array: range.dropFirst().dropLast().allSatisfy { document[$0] <= UInt8(ascii: " ") }
        default: false
        }
    }
}

extension Span<UInt8> {
    /// The text that the bytes in `range` are in UTF-8.
    package func text(in range: Range<Int>) -> String {
        unsafe extracting(range).withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// A copy of the bytes in `range`.
    package func bytes(in range: Range<Int>) -> [UInt8] {
        let part = extracting(range)
        return [UInt8](capacity: part.count) { output in
            for index in part.indices { output.append(part[index]) }
        }
    }
}
