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
            offset = first(from: offset, in: document) { block in
                (block ^ SIMD16(repeating: UInt8(ascii: "\""))).markingZeros
                    | (block ^ SIMD16(repeating: UInt8(ascii: "\\"))).markingZeros
            } or: {
                $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\")
            }
            guard offset < document.count else { return document.count }
            if document[offset] == UInt8(ascii: "\"") { return offset &+ 1 }
            offset = min(offset &+ 2, document.count)
        }
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
            offset = first(from: offset, in: document) { block in
                let folded = block | SIMD16(repeating: 0x20)
                let braces =
                    (folded ^ SIMD16(repeating: UInt8(ascii: "{"))).markingZeros
                    | (folded ^ SIMD16(repeating: UInt8(ascii: "}"))).markingZeros
                return braces | (block ^ SIMD16(repeating: UInt8(ascii: "\""))).markingZeros
            } or: {
                $0 | 0x20 == UInt8(ascii: "{") || $0 | 0x20 == UInt8(ascii: "}") || $0 == UInt8(ascii: "\"")
            }
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

    /// The offset of the first byte from `start` on that is marked, in a block or alone; the document's end when there is none.
    @inline(always)
    private static func first(
        from start: Int, in document: Span<UInt8>, _ marks: (SIMD16<UInt8>) -> SIMD16<UInt8>, or isMarked: (UInt8) -> Bool
    ) -> Int {
        var rest = document.extracting(start...)
        while rest.count >= 16 {
            if let length = marks(rest.block()).firstMarked { return document.count &- rest.count &+ length }
            rest = rest.extracting(16...)
        }
        var length = 0
        while length < rest.count, !isMarked(rest[length]) { length &+= 1 }
        return document.count &- rest.count &+ length
    }
}
