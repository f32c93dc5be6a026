// What of a request is not its caller's, and so is none of its errors' words.

/// The texts that go out with a request and are not its caller's: the server's own message, a hook's, what the settings set. Upstreams
/// quote requests in their errors, and no caller is to read those there.
package enum OwnTexts: Sendable {
    case none
    case known([[UInt8]])
    /// There are some, which are not kept any more.
    case forgotten

    /// - Parameter texts: text or JSON. Short ones are no secret, and stand in many an error.
    package init(_ texts: [[UInt8]]) {
        let long = texts.filter { $0.count >= Self.bytesMin }
        self = long.isEmpty ? .none : .known(long)
    }

    /// Keeps no more of them than that there are some.
    package mutating func forget() { if case .known = self { self = .forgotten } }

    private static let bytesMin = 16
}

extension ChatRequest {
    /// What goes out with it that is not the caller's.
    package func ownTexts(_ rules: UpstreamRules) -> OwnTexts {
        var texts: [[UInt8]] = []
        if let ownMessage { texts.append(ownMessage.json) }
        if let hookMessages { texts += [Array(hookMessages.prepended), Array(hookMessages.appended)] }
        for edits in rules.edits { texts += (edits.defaults + edits.set).compactMap(\.json) }
        if said != nil { texts += rules.continuation.texts }
        return OwnTexts(texts)
    }
}

extension ContinuationRule {
    /// What the settings say.
    fileprivate var texts: [[UInt8]] {
        (message + set).compactMap(\.json) + (prompt.map { [[UInt8]($0.utf8)] } ?? [])
    }
}

extension UpstreamError {
    /// The same without its words, where they quote any of these texts, or might. What remains are names and the status.
    func withholding(_ texts: OwnTexts) -> UpstreamError {
        switch texts {
        case .none: self
        case .known(let texts): isQuoting(texts) ? withoutWords : self
        case .forgotten: withoutWords
        }
    }

    private func isQuoting(_ texts: [[UInt8]]) -> Bool {
        var pieces = FoldedPieces()
        if let object { pieces.insert(allOf: object) }
        for words in [message, type, code, param] { if let words { pieces.insert(allOf: [UInt8](words.utf8)) } }
        return texts.contains { pieces.containAny(of: $0) }
    }
}

/// Pieces of texts of which letters, digits and what is beyond ASCII count, without escapes, of however many levels: a prompt comes back as
/// JSON in a JSON string, or as Python shows it.
private struct FoldedPieces {
    /// As long as two or three words; of shorter ones there are too many that are in any text.
    private static let bytesCount = 12

    private struct Piece: Hashable {
        var (high, low) = (UInt32(0), UInt64(0))

        mutating func append(_ byte: UInt8) {
            high = high << 8 | UInt32(truncatingIfNeeded: low >> 56)
            low = low << 8 | UInt64(byte)
        }
    }

    private var pieces: Set<Piece> = []

    mutating func insert(allOf text: [UInt8]) {
        _ = Self.firstPiece(of: text) {
            pieces.insert($0)
            return false
        }
    }

    func containAny(of text: [UInt8]) -> Bool { !pieces.isEmpty && Self.firstPiece(of: text, where: pieces.contains) }

    private static func firstPiece(of text: [UInt8], where isFound: (Piece) -> Bool) -> Bool {
        var (piece, count) = (Piece(), 0)
        for byte in folded(text) {
            piece.append(byte)
            count += 1
            if count >= bytesCount, isFound(piece) { return true }
        }
        return false
    }

    private static func folded(_ text: [UInt8]) -> [UInt8] {
        var (folded, offset) = ([UInt8](), 0)
        folded.reserveCapacity(text.count)
        while offset < text.count {
            let byte = text[offset]
            if byte == UInt8(ascii: "\\") {
                offset = appendEscape(at: offset, in: text.span, to: &folded)
                continue
            }
            let next = offset + lengthOfReference(at: offset, in: text.span)
            if next == offset {
                if byte >= 0x80 || byte.isAlphanumeric() { folded.append(byte.lowercased) }
                offset += 1
            } else {
                offset = next
            }
        }
        return folded
    }

    /// How long what stands for a character is, as URLs and HTML have it: `%20`, `&#32;`, `&nbsp;`. What separates words is written so. Zero
    /// for all else.
    private static func lengthOfReference(at start: Int, in text: Span<UInt8>) -> Int {
        switch text[start] {
        case UInt8(ascii: "%") where start + 2 < text.count:
            return text[start + 1].isHexadecimalDigit && text[start + 2].isHexadecimalDigit ? 3 : 0
        case UInt8(ascii: "&"):
            let end = (start + 1..<min(start + 10, text.count)).first { text[$0] == UInt8(ascii: ";") }
            return end.map { $0 + 1 - start } ?? 0
        default: return 0
        }
    }

    /// Steps over an escape: backslashes, and what they make of what follows.
    private static func appendEscape(at start: Int, in text: Span<UInt8>, to folded: inout [UInt8]) -> Int {
        let offset = end(ofBackslashesAt: start, in: text)
        guard offset < text.count else { return offset }
        switch text[offset] {
        case UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"): return offset + 1
        case UInt8(ascii: "x") where offset + 2 < text.count: return offset + 3
        case UInt8(ascii: "u"):
            guard let unit = JSONText.codeUnit(at: offset + 1, in: text) else { return offset }
            let next = end(ofBackslashesAt: offset + 5, in: text)
            if UTF16.isLeadSurrogate(unit), next < text.count, text[next] == UInt8(ascii: "u"),
                let trail = JSONText.codeUnit(at: next + 1, in: text), UTF16.isTrailSurrogate(trail)
            {
                append(0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(trail) - 0xDC00), to: &folded)
                return next + 5
            }
            append(UInt32(unit), to: &folded)
            return offset + 5
        default: return offset
        }
    }

    private static func end(ofBackslashesAt start: Int, in text: Span<UInt8>) -> Int {
        var offset = start
        while offset < text.count, text[offset] == UInt8(ascii: "\\") { offset += 1 }
        return offset
    }

    private static func append(_ scalar: UInt32, to folded: inout [UInt8]) {
        guard let scalar = Unicode.Scalar(scalar) else { return }
        UTF8.encode(scalar) { if $0 >= 0x80 || $0.isAlphanumeric() { folded.append($0.lowercased) } }
    }
}

extension UInt8 {
    fileprivate var isHexadecimalDigit: Bool {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= self || UInt8(ascii: "a")...UInt8(ascii: "f") ~= self | 0x20
    }
}
