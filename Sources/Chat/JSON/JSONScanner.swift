/// Validates a JSON document (RFC 8259) and says where its values stand, in one pass and without copying.
///
/// The scanner is a position in a document that the caller keeps: every function takes the whole document's bytes. It accepts
/// exactly the grammar of RFC 8259 in UTF-8 (RFC 3629), without a byte order mark. Escapes of lone surrogates are grammatical
/// (§8.2) and accepted. Duplicate names are reported as they come; see ``JSONValue/member(_:in:)``.
///
///     var scanner = JSONScanner(depthMax: 64)
///     try scanner.beginObject(document)
///     while let name = try scanner.nextMember(document) {
///         let value = try scanner.value(document)          // validates the value and steps over it
///     }
///     try scanner.end(document)
///
/// Between two calls of `nextMember` or `nextElement` exactly one value is to be read: with `value`, or by a nested `begin…`
/// and its `next…` until it returns nil or false.
package struct JSONScanner: Sendable {
    /// The offset in bytes of what is read next.
    package private(set) var offset: Int
    private var isAtFirst = false
    /// How many more objects and arrays may be opened.
    private var levelsLeft: Int

    /// - Parameters:
    ///   - depthMax: how many objects and arrays may be open at once; one more throws ``JSONError/Reason/tooDeep``.
    ///   - offset: where to begin, for a second look at a validated document.
    package init(depthMax: Int, offset: Int = 0) {
        levelsLeft = depthMax
        self.offset = offset
    }

    /// Validates a whole document, which is one value and white space around it.
    package static func validate(_ document: Span<UInt8>, depthMax: Int) throws(JSONError) -> JSONValue {
        var scanner = JSONScanner(depthMax: depthMax)
        let value = try scanner.value(document)
        try scanner.end(document)
        return value
    }

    /// The kind of the value that follows, told by its first byte.
    @inline(always)
    package mutating func nextKind(_ document: Span<UInt8>) throws(JSONError) -> JSONValue.Kind {
        if let kind = JSONValue.Kind(firstByte: skipWhitespace(document)) { return kind }
        throw unexpected(document, offset == 0 && UTF8Mark.begins(document) ? .byteOrderMark : .unexpectedByte)
    }

    /// Validates the value that follows and steps over it.
    @inline(always)
    package mutating func value(_ document: Span<UInt8>) throws(JSONError) -> JSONValue {
        let kind = try nextKind(document)
        let start = offset
        if kind == .object || kind == .array {
            offset = try Self.end(ofContainerAt: self, isObject: kind == .object, document)
            isAtFirst = false
        } else {
            try skipScalar(kind, document)
        }
        return JSONValue(kind: kind, range: start..<offset)
    }

    /// Steps into the object that follows.
    @inline(always)
    package mutating func beginObject(_ document: Span<UInt8>) throws(JSONError) {
        guard skipWhitespace(document) == UInt8(ascii: "{") else { throw unexpected(document, .expectedObject) }
        try open()
    }

    /// Steps into the array that follows.
    package mutating func beginArray(_ document: Span<UInt8>) throws(JSONError) {
        guard skipWhitespace(document) == UInt8(ascii: "[") else { throw unexpected(document, .expectedArray) }
        try open()
    }

    /// Reads the name of the object's next member, up to its value; nil at the end of the object, which is then closed.
    /// - Returns: the name's range with its quotes.
    @inline(always)
    package mutating func nextMember(_ document: Span<UInt8>) throws(JSONError) -> Range<Int>? {
        guard try nextName(document) else { return nil }
        let start = offset
        try skipString(document)
        let name = start..<offset
        try skipColon(document)
        return name
    }

    /// As ``nextMember(_:)``, but returns the name's key.
    @inline(always)
    mutating func nextKey(_ document: Span<UInt8>) throws(JSONError) -> JSONKey? {
        try nextName(document) ? try key(document) : nil
    }

    /// Steps to the name of the object's next member, which `key` then reads; false at the end of the object, which is then closed.
    @inline(always)
    mutating func nextName(_ document: Span<UInt8>) throws(JSONError) -> Bool {
        var byte = skipWhitespace(document)
        if byte == UInt8(ascii: "}") {
            close()
            return false
        }
        if !isAtFirst {
            guard byte == UInt8(ascii: ",") else { throw unexpected(document, .expectedCommaOrBrace) }
            offset &+= 1
            byte = skipWhitespace(document)
        }
        guard byte == UInt8(ascii: "\"") else { throw unexpected(document, .expectedName) }
        return true
    }

    /// Reads the name that follows, up to its value.
    @inline(always)
    mutating func key(_ document: Span<UInt8>) throws(JSONError) -> JSONKey {
        let key: JSONKey
        if let plain = JSONKey(plainAt: offset, in: document) {
            key = plain
            offset &+= plain.plainByteCount
        } else {
            let start = offset
            try skipString(document)
            key = JSONKey.slowly(start..<offset, in: document)
        }
        try skipColon(document)
        return key
    }

    /// Reads the name that follows, if it is this one of up to seven letters, none of them escaped: in a fraction of the time.
    @inline(always)
    mutating func skip(_ key: JSONKey, _ document: Span<UInt8>) throws(JSONError) -> Bool {
        guard key.stands(at: offset, in: document) else { return false }
        offset &+= key.plainByteCount
        try skipColon(document)
        return true
    }

    /// Steps to the array's next element; false at the end of the array, which is then closed.
    @inline(always)
    package mutating func nextElement(_ document: Span<UInt8>) throws(JSONError) -> Bool {
        let byte = skipWhitespace(document)
        if isAtFirst {
            isAtFirst = false
            guard byte == UInt8(ascii: "]") else { return true }
            close()
            return false
        }
        if byte == UInt8(ascii: "]") {
            close()
            return false
        }
        guard byte == UInt8(ascii: ",") else { throw unexpected(document, .expectedCommaOrBracket) }
        offset &+= 1
        return true
    }

    /// Checks that nothing but white space follows.
    package mutating func end(_ document: Span<UInt8>) throws(JSONError) {
        _ = skipWhitespace(document)
        guard offset == document.count else { throw JSONError(offset: offset, reason: .trailingBytes) }
    }
}

extension JSONScanner {
    @inline(always)
    private mutating func open() throws(JSONError) {
        guard levelsLeft > 0 else { throw JSONError(offset: offset, reason: .tooDeep) }
        levelsLeft &-= 1
        offset &+= 1
        isAtFirst = true
    }

    @inline(always)
    private mutating func skipColon(_ document: Span<UInt8>) throws(JSONError) {
        guard skipWhitespace(document) == UInt8(ascii: ":") else { throw unexpected(document, .expectedColon) }
        offset &+= 1
    }

    @inline(always)
    private mutating func close() {
        levelsLeft &+= 1
        offset &+= 1
        isAtFirst = false
    }

    /// Validates a whole object or array. It works on a copy, as all that is seldom needed: the caller's scanner stays in registers.
    ///
    /// It keeps its own stack of open containers, one bit each: recursion would hand the thread's stack to the document's sender.
    private static func end(ofContainerAt start: JSONScanner, isObject: Bool, _ document: Span<UInt8>) throws(JSONError) -> Int {
        var scanner = start
        var containers = ContainerStack()
        try scanner.open()
        containers.push(isObject: isObject)
        while !containers.isEmpty {
            guard try scanner.stepInside(isObject: containers.isObjectOnTop, document) else {
                containers.pop()
                continue
            }
            let kind = try scanner.nextKind(document)
            if kind == .object || kind == .array {
                try scanner.open()
                containers.push(isObject: kind == .object)
            } else {
                try scanner.skipScalar(kind, document)
            }
        }
        return scanner.offset
    }

    /// Steps to the next value of the innermost container; false when that container has ended.
    @inline(always)
    private mutating func stepInside(isObject: Bool, _ document: Span<UInt8>) throws(JSONError) -> Bool {
        isObject ? try nextMember(document) != nil : try nextElement(document)
    }

    @inline(always)
    private mutating func skipScalar(_ kind: JSONValue.Kind, _ document: Span<UInt8>) throws(JSONError) {
        if kind == .string {
            try skipString(document)
        } else {
            offset = try Self.end(ofWordAt: offset, kind, document)
        }
        isAtFirst = false
    }

    /// Validates a number or a literal.
    private static func end(ofWordAt start: Int, _ kind: JSONValue.Kind, _ document: Span<UInt8>) throws(JSONError) -> Int {
        var scanner = JSONScanner(depthMax: 0, offset: start)
        switch kind {
        case .true: try scanner.skipLetters([0x74, 0x72, 0x75, 0x65], document)
        case .false:
            scanner.offset &+= 1
            try scanner.skipLetters([0x61, 0x6C, 0x73, 0x65], document)
        case .null: try scanner.skipLetters([0x6E, 0x75, 0x6C, 0x6C], document)
        case .number: try scanner.skipNumber(document)
        case .string, .object, .array: preconditionFailure("neither a number nor a literal")
        }
        return scanner.offset
    }

    /// Steps to the next byte that is no white space (§2) and returns it; 0, which no grammar rule allows, at the end.
    @inline(always)
    private mutating func skipWhitespace(_ document: Span<UInt8>) -> UInt8 {
        while offset < document.count {
            let byte = document[offset]
            guard byte <= 0x20, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            offset &+= 1
        }
        return 0
    }

    /// Steps over the last four letters of a literal (§3): `true`, `alse`, `null`. To here the first byte has told which it is.
    @inline(always)
    private mutating func skipLetters(_ letters: InlineArray<4, UInt8>, _ document: Span<UInt8>) throws(JSONError) {
        for index in letters.indices {
            guard offset < document.count, document[offset] == letters[index] else { throw unexpected(document, .unexpectedByte) }
            offset &+= 1
        }
    }

    /// Steps over a number (§6): `-`? int frac? exp?
    @inline(always)
    private mutating func skipNumber(_ document: Span<UInt8>) throws(JSONError) {
        if byte(document) == UInt8(ascii: "-") { offset &+= 1 }
        if byte(document) == UInt8(ascii: "0") {
            offset &+= 1
        } else {
            try skipDigits(document)
        }
        if byte(document) == UInt8(ascii: ".") {
            offset &+= 1
            try skipDigits(document)
        }
        if byte(document) | 0x20 == UInt8(ascii: "e") {
            offset &+= 1
            if byte(document) == UInt8(ascii: "+") || byte(document) == UInt8(ascii: "-") { offset &+= 1 }
            try skipDigits(document)
        }
    }

    /// Steps over one digit or more.
    @inline(always)
    private mutating func skipDigits(_ document: Span<UInt8>) throws(JSONError) {
        guard byte(document).isDigit else { throw unexpected(document, .badNumber) }
        repeat { offset &+= 1 } while byte(document).isDigit
    }

    /// The byte at the offset; 0, which no grammar rule allows, at the end.
    @inline(always)
    private func byte(_ document: Span<UInt8>) -> UInt8 { offset < document.count ? document[offset] : 0 }

    /// Steps over a string (§7), from its opening quote.
    @inline(always)
    private mutating func skipString(_ document: Span<UInt8>) throws(JSONError) {
        offset = try JSONText.end(ofStringAt: offset, in: document)
    }

    private func unexpected(_ document: Span<UInt8>, _ reason: JSONError.Reason) -> JSONError {
        JSONError(offset: offset, reason: offset < document.count ? reason : .unexpectedEnd)
    }
}

/// The kinds of the open containers, innermost on top, one bit each: 64 without an allocation.
private struct ContainerStack {
    private var top: UInt64 = 0
    private var below: [UInt64] = []
    private var count = 0

    var isEmpty: Bool { count == 0 }
    var isObjectOnTop: Bool { top & 1 == 1 }

    @inline(always)
    mutating func push(isObject: Bool) {
        if count != 0, count % 64 == 0 {
            below.append(top)
            top = 0
        }
        top = top << 1 | (isObject ? 1 : 0)
        count &+= 1
    }

    @inline(always)
    mutating func pop() {
        top >>= 1
        count &-= 1
        if count != 0, count % 64 == 0 { top = below.removeLast() }
    }
}
