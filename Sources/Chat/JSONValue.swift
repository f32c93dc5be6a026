/// Where one JSON value stands in a document, and of which kind it is. It owns no bytes.
package struct JSONValue: Hashable, Sendable {
    /// The kinds of RFC 8259 §3, the three literals apart.
    package enum Kind: Hashable, Sendable {
        case object, array, string, number, `true`, `false`, null
    }

    /// Told by the value's first byte.
    package let kind: Kind
    /// The value's bytes without white space around it; a string's quotes, an object's braces belong to it.
    package let range: Range<Int>

    package init(kind: Kind, range: Range<Int>) {
        self.kind = kind
        self.range = range
    }

    /// The value that a validated document is. Were it not valid, the value is null and the range empty.
    init(validated document: Span<UInt8>) {
        var scanner = JSONScanner(depthMax: .max)
        do throws(JSONError) {
            self = try scanner.value(document)
        } catch {
            self.init(kind: .null, range: 0..<0)
        }
    }
}

/// One name–value pair of an object, as byte ranges into the document.
package struct JSONMember: Hashable, Sendable {
    /// The name's bytes with its quotes.
    package let name: Range<Int>
    package let value: JSONValue

    /// The bytes from the name to the value's end.
    var range: Range<Int> { name.lowerBound..<value.range.upperBound }
}

extension JSONValue {
    /// Calls `body` with each member of an object, in their order, duplicates included; with none when the value is no object.
    ///
    /// `document` is the one in which the value was found by a ``JSONScanner``, which has validated it: a scan of the range
    /// cannot fail. Were it to fail, the members end there.
    /// - Parameter countMax: of the first that are wanted.
    package func forEachMember(in document: Span<UInt8>, countMax: Int = .max, _ body: (JSONMember) -> Void) {
        guard kind == .object else { return }
        var scanner = JSONScanner(depthMax: .max, offset: range.lowerBound)
        var countLeft = countMax
        do {
            try scanner.beginObject(document)
            while countLeft > 0, let name = try scanner.nextMember(document) {
                countLeft &-= 1
                body(JSONMember(name: name, value: try scanner.value(document)))
            }
        } catch {}  // A validated range holds no error.
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
        var scanner = JSONScanner(depthMax: .max, offset: range.lowerBound)
        do {
            try scanner.beginArray(document)
            while elements.count < countMax, try scanner.nextElement(document) {
                elements.append(try scanner.value(document))
            }
        } catch {}  // A validated range holds no error.
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

    /// The text of a string, nil for other kinds.
    package func string(in document: Span<UInt8>) -> String? {
        kind == .string ? JSONText.decode(range, in: document) : nil
    }

    /// The value of a number written as an integer that fits; nil for `1.0`, `1e3` and other kinds.
    package func integer(in document: Span<UInt8>) -> Int? {
        guard kind == .number, range.count <= Self.integerBytesMax else { return nil }
        return Int(document.text(in: range))
    }

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
