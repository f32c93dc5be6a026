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

    /// How many bytes are kept.
    package var bytesCount: Int {
        if case .known(let texts) = self { texts.reduce(0) { $0 + $1.count } } else { 0 }
    }

    /// Keeps no more of them than that there are some, where they are longer than this in all.
    package mutating func forget(above bytesMax: Int) { if bytesCount > bytesMax { self = .forgotten } }

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
    /// The same without its words, where they quote any of these texts, or might. What remains are the status, and names that quote none.
    func withholding(_ texts: OwnTexts) -> UpstreamError {
        switch texts {
        case .none: self
        case .known(let texts): isQuoting(texts) ? namesAlone { !Self.pieces(of: [$0]).containAny(ofThese: texts) } : self
        // What is shorter than a piece quotes none.
        case .forgotten: namesAlone { Self.pieces(of: [$0]).isEmpty }
        }
    }

    private func isQuoting(_ texts: [[UInt8]]) -> Bool {
        var pieces = Self.pieces(of: [message, type, code, param].compactMap(\.self))
        if let object { pieces.insert(allOf: object) }
        return pieces.containAny(ofThese: texts)
    }

    private static func pieces(of words: [String]) -> FoldedPieces {
        var pieces = FoldedPieces()
        for words in words { pieces.insert(allOf: [UInt8](words.utf8)) }
        return pieces
    }
}

/// Pieces of texts of which the letters count, and in others the digits too: a prompt comes back as JSON in a JSON string, as Python shows
/// it, with its lines or words numbered, or in capital letters. Whoever means to get it past this can: it is against those who quote.
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

    var isEmpty: Bool { pieces.isEmpty }

    mutating func insert(allOf text: [UInt8]) {
        _ = Self.firstPiece(of: text) {
            pieces.insert($0)
            return false
        }
    }

    func containAny(ofThese texts: [[UInt8]]) -> Bool {
        !pieces.isEmpty && texts.contains { Self.firstPiece(of: $0, where: pieces.contains) }
    }

    private static func firstPiece(of text: [UInt8], where isFound: (Piece) -> Bool) -> Bool {
        let folded = foldedBytes(of: text)
        return firstPiece(in: folded, where: isFound) || firstPiece(in: folded.filter { !$0.isDigit }, where: isFound)
    }

    private static func firstPiece(in folded: [UInt8], where isFound: (Piece) -> Bool) -> Bool {
        var piece = Piece()
        for (offset, byte) in folded.enumerated() {
            piece.append(byte)
            if offset + 1 >= bytesCount, isFound(piece) { return true }
        }
        return false
    }
}
