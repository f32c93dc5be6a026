/// Steps through a document that a ``JSONScanner`` has found valid, several times as fast as that: where a value ends is told by a few
/// bytes of it. Of a document that is not valid it returns ranges that make no sense, and no more.
enum ValidatedJSON {
    /// The value that begins at or behind `start`, white space and `:` before it left out; nil where none is.
    static func value(from start: Int, in document: Span<UInt8>) -> JSONValue? {
        var start = start
        while start < document.count, document[start] <= UInt8(ascii: " ") || document[start] == UInt8(ascii: ":") { start &+= 1 }
        guard start < document.count, let kind = JSONValue.Kind(firstByte: document[start]) else { return nil }
        let end =
            switch kind {
            case .string: end(ofStringAt: start, in: document)
            case .object, .array: end(ofContainerAt: start, in: document)
            case .number, .true, .false, .null: end(ofWordAt: start, in: document)
            }
        return JSONValue(kind: kind, range: start..<end)
    }

    /// The offset of what comes behind `start` and any white space and commas; the document's end when nothing does.
    static func next(from start: Int, in document: Span<UInt8>) -> Int {
        var offset = start
        while offset < document.count, document[offset] <= UInt8(ascii: " ") || document[offset] == UInt8(ascii: ",") {
            offset &+= 1
        }
        return offset
    }

    static func end(ofStringAt start: Int, in document: Span<UInt8>) -> Int {
        var offset = start &+ 1
        while true {
            offset = quoteOrBackslash(from: offset, in: document)
            guard offset < document.count else { return document.count }
            if document[offset] == UInt8(ascii: "\"") { return offset &+ 1 }
            offset = min(offset &+ 2, document.count)
        }
    }

    /// The offset of the first one from `start` on; the document's end when there is none.
    @inline(__always)
    private static func quoteOrBackslash(from start: Int, in document: Span<UInt8>) -> Int {
        var rest = document.extracting(start...)
        // Behind an escape the next one, or the end, is often near.
        if rest.count >= 8 {
            let word = rest.word(at: 0)
            let marks =
                (word ^ UInt64(repeating: UInt8(ascii: "\""))).markingZeros
                | (word ^ UInt64(repeating: UInt8(ascii: "\\"))).markingZeros
            if marks != 0 { return start &+ marks.trailingZeroBitCount / 8 }
            rest = rest.extracting(8...)
        }
        while rest.count >= 16 {
            let block = rest.block()
            let quotes = (block ^ SIMD16(repeating: UInt8(ascii: "\""))).markingZeros
            let marks = quotes | (block ^ SIMD16(repeating: UInt8(ascii: "\\"))).markingZeros
            if let length = marks.firstMarked { return document.count &- rest.count &+ length }
            rest = rest.extracting(16...)
        }
        var length = 0
        while length < rest.count, rest[length] != UInt8(ascii: "\""), rest[length] != UInt8(ascii: "\\") { length &+= 1 }
        return document.count &- rest.count &+ length
    }

    private static func end(ofContainerAt start: Int, in document: Span<UInt8>) -> Int {
        var (offset, depth) = (start, 0)
        while offset < document.count {
            // A brace and a bracket differ in one bit.
            switch document[offset] | 0x20 {
            case UInt8(ascii: "{"): depth &+= 1
            case UInt8(ascii: "}"):
                depth &-= 1
                if depth == 0 { return offset &+ 1 }
            default: break
            }
            offset = document[offset] == UInt8(ascii: "\"") ? end(ofStringAt: offset, in: document) : offset &+ 1
            offset = quoteOrBrace(from: offset, in: document)
        }
        return document.count
    }

    private static func end(ofWordAt start: Int, in document: Span<UInt8>) -> Int {
        var offset = start
        while offset < document.count, document[offset] > UInt8(ascii: " "), document[offset] != UInt8(ascii: ","),
            document[offset] != UInt8(ascii: "}"), document[offset] != UInt8(ascii: "]")
        {
            offset &+= 1
        }
        return offset
    }

    /// The offset of the first quote, brace or bracket from `start` on; the document's end when there is none.
    @inline(__always)
    private static func quoteOrBrace(from start: Int, in document: Span<UInt8>) -> Int {
        var rest = document.extracting(start...)
        while rest.count >= 16 {
            let block = rest.block()
            let folded = block | SIMD16(repeating: 0x20)
            let opening = (folded ^ SIMD16(repeating: UInt8(ascii: "{"))).markingZeros
            let closing = (folded ^ SIMD16(repeating: UInt8(ascii: "}"))).markingZeros
            let marks = opening | closing | (block ^ SIMD16(repeating: UInt8(ascii: "\""))).markingZeros
            if let length = marks.firstMarked { return document.count &- rest.count &+ length }
            rest = rest.extracting(16...)
        }
        var length = 0
        while length < rest.count, !isQuoteOrBrace(rest[length]) { length &+= 1 }
        return document.count &- rest.count &+ length
    }

    @inline(__always)
    private static func isQuoteOrBrace(_ byte: UInt8) -> Bool {
        byte | 0x20 == UInt8(ascii: "{") || byte | 0x20 == UInt8(ascii: "}") || byte == UInt8(ascii: "\"")
    }
}
