// How names and values of header fields are read: as bytes, never as characters.

extension UInt8 {
    var lowercased: UInt8 { self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self }

    /// Whether it may stand in a token, such as a header's name (RFC 9110 §5.6.2, `tchar`): a letter, a digit or one of
    /// ``!#$%&'*+-.^_`|~``.
    package var isTokenByte: Bool {
        switch self {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x30...0x39, 0x41...0x5A, 0x5E...0x7A, 0x7C, 0x7E: true
        default: false
        }
    }

    /// A space or a tab (RFC 9110 §5.6.3, `OWS`).
    var isBlank: Bool { self == 0x20 || self == 0x09 }

    var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }

    /// What a hexadecimal digit stands for; nil for any other byte.
    var hexadecimalDigit: Int? {
        if isDigit { return Int(self - UInt8(ascii: "0")) }
        let letter = (self | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? Int(letter) + 10 : nil
    }
}

extension Span<UInt8> {
    /// A range without the blanks at either end.
    @inline(__always)
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, self[start].isBlank { start += 1 }
        while start < end, self[end - 1].isBlank { end -= 1 }
        return start..<end
    }

    /// - Parameter text: ASCII in lower case.
    func isEqualIgnoringCase(to text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in indices where unsafe self[index].lowercased != text.utf8Start[index] { return false }
        return true
    }

    /// Whether it can be a header's name (RFC 9110 §5.1).
    var isToken: Bool { !isEmpty && tokenPrefixCount == count }

    /// How many bytes at the beginning may stand in a token. Looks at eight together, which nearly every name is made of.
    var tokenPrefixCount: Int {
        var index = 0
        while index &+ 8 <= count {
            let marks = word(at: index).marksBeyondNames
            index &+= marks.trailingZeroBitCount / 8
            if marks == 0 { continue }
            guard self[index].isTokenByte else { return index }
            index &+= 1
        }
        while index < count, self[index].isTokenByte { index &+= 1 }
        return index
    }

    /// Whether it holds no NUL, CR or LF, which no field's value may (RFC 9110 §5.5). Other control characters are let through.
    @inline(__always)
    var isFieldValue: Bool {
        guard count >= 8 else { return holdsNoLineEnd }
        var marks = word(at: count &- 8).marksBelowSpace
        var index = 0
        while index &+ 8 < count {
            marks |= word(at: index).marksBelowSpace
            index &+= 8
        }
        return marks == 0 || holdsNoLineEnd
    }

    /// Whether it holds no control characters but tabs, as none may that are sent (RFC 9110 §5.5).
    var holdsNoControl: Bool {
        var marks: UInt64 = 0
        var index = 0
        while index &+ 8 <= count {
            marks |= word(at: index).marksOfControls
            index &+= 8
        }
        // A tab is marked, too.
        if marks != 0 { index = 0 }
        while index < count, self[index] >= 0x20 && self[index] != 0x7F || self[index] == 0x09 { index &+= 1 }
        return index == count
    }

    /// The first eight bytes of a name in lower case, the first one lowest, or as many as there are.
    var firstWordLowercased: UInt64 {
        if count >= 8 { return word(at: 0).lowercased }
        var word: UInt64 = 0
        for index in indices { word |= UInt64(self[index]) &<< UInt64(8 &* index) }
        return word.lowercased
    }

    private var holdsNoLineEnd: Bool {
        for index in indices where self[index] == 0x0D || self[index] == 0x0A || self[index] == 0 { return false }
        return true
    }

    /// Eight bytes, the first one lowest.
    ///
    /// - Parameter offset: at least eight bytes before the end, which is not checked: nothing here is called more often.
    private func word(at offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// Of digits alone, at most `MessageFraming.lengthMax`.
    var decimalNumber: Int? {
        guard !isEmpty else { return nil }
        var number = 0
        for index in indices {
            guard self[index].isDigit else { return nil }
            number = 10 * number + Int(self[index] - UInt8(ascii: "0"))
            guard number <= MessageFraming.lengthMax else { return nil }
        }
        return number
    }

    /// Decoded as UTF-8, with bytes that are none replaced.
    func text() -> String { unsafe withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) } }

    /// A header's name, which is ASCII: any other byte would make it no token.
    @inline(never)
    func lowercasedText() -> String {
        unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count) { buffer in
            for index in indices { unsafe buffer.initializeElement(at: index, to: self[index].lowercased) }
            return unsafe String(decoding: buffer, as: UTF8.self)
        }
    }

    /// Calls for each member of a comma-separated list, empty ones included, without the blanks around it (RFC 9110 §5.6.1).
    func forEachMember(_ body: (Span<UInt8>) throws(HTTPError) -> Void) throws(HTTPError) {
        var start = 0
        for index in indices where self[index] == UInt8(ascii: ",") {
            try body(extracting(trimmed(start..<index)))
            start = index + 1
        }
        try body(extracting(trimmed(start..<count)))
    }
}

// Eight bytes at a time: the high bit of a byte is its mark.
extension UInt64 {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highBits: UInt64 = 0x8080_8080_8080_8080

    /// Marks bytes less than a space. Behind a marked byte, others may be marked too.
    fileprivate var marksBelowSpace: UInt64 { (self &- 0x20 &* Self.ones) & ~self & Self.highBits }

    /// Marks bytes less than a space, and DEL. Behind a marked byte, others may be marked too.
    fileprivate var marksOfControls: UInt64 {
        let deletes = self ^ 0x7F &* Self.ones
        return marksBelowSpace | (deletes &- Self.ones) & ~deletes & Self.highBits
    }

    /// Marks bytes that are neither letters nor digits nor hyphens. Only the first mark is certain.
    fileprivate var marksBeyondNames: UInt64 {
        let lowercased = self | 0x20 &* Self.ones
        let letters = lowercased.marks(from: 0x61) & ~lowercased.marks(from: 0x7B)
        let digits = marks(from: 0x30) & ~marks(from: 0x3A)
        let hyphens = Self.highBits &- (self ^ 0x2D &* Self.ones)
        return ~((letters | digits | hyphens) & ~self) & Self.highBits
    }

    /// With ASCII letters in lower case.
    fileprivate var lowercased: UInt64 {
        let low = self & ~Self.highBits
        let letters = low.marks(from: 0x41) & ~low.marks(from: 0x5B) & ~self & Self.highBits
        return self | letters >> 2
    }

    /// The high bit of each byte of at least that value, as long as none of them is 128 or more.
    private func marks(from byte: UInt64) -> UInt64 { self &+ (0x80 &- byte) &* Self.ones }
}
