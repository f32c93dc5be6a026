// What of a request is not its caller's, and so is none of its errors' words.

/// The texts that go out with a request and are not its caller's: the server's own message, a hook's, what the settings set. Upstreams
/// quote requests in their errors, and no caller is to read those there.
package enum OwnTexts: Sendable {
    case none
    /// Beside what the caller has sent itself. To have that withheld would tell it whether it is one of these: it could find them out piece
    /// by piece, by errors that quote its guesses.
    case known(texts: [[UInt8]], json: [[UInt8]], callers: [ArraySlice<UInt8>])
    /// There are some, which are not kept, or cannot be told from what the caller has sent.
    case forgotten

    /// - Parameters:
    ///   - texts: as they are.
    ///   - json: values of which the strings count, but for the names of members: those stand in other errors, too.
    ///   - callers: the parts of the request that are the caller's; nil where those cannot be told.
    package init(texts: [[UInt8]] = [], json: [[UInt8]] = [], callers: [ArraySlice<UInt8>]? = []) {
        if !texts.contains(where: Self.isLong), !json.contains(where: Self.isLong) {
            self = .none
        } else if let callers, callers.reduce(0, { $0 + $1.count }) <= Self.callersBytesMax {
            self = .known(texts: texts, json: json, callers: callers)
        } else {
            self = .forgotten
        }
    }

    /// Keeps no more of them than that there are some.
    package mutating func forget() { if case .known = self { self = .forgotten } }

    /// Short ones are no secret, and stand in many an error.
    private static func isLong(_ text: [UInt8]) -> Bool { text.count >= bytesMin }

    private static let bytesMin = 16
    /// An error is not to take long because its request was.
    private static let callersBytesMax = 64 << 10

    /// The strings of JSON that are values, as they stand there.
    fileprivate static func strings(of json: [UInt8]) -> [[UInt8]] {
        var (strings, offset): ([[UInt8]], Int) = ([], 0)
        while let start = json[offset...].firstIndex(of: UInt8(ascii: "\"")) {
            offset = ValidatedJSON.end(ofStringAt: start, in: json.span)
            let next = json[offset...].first { $0 > UInt8(ascii: " ") }
            if next != UInt8(ascii: ":") { strings.append(Array(json[start..<offset].dropFirst().dropLast())) }
        }
        return strings
    }
}

extension ChatRequest {
    /// What goes out with it that is not the caller's.
    package func ownTexts(_ rules: UpstreamRules) -> OwnTexts {
        var (texts, json): ([[UInt8]], [[UInt8]]) = ([], [])
        if let ownMessage { json.append(ownMessage.json) }
        if let hookMessages { json += [Array(hookMessages.prepended), Array(hookMessages.appended)] }
        for edits in rules.edits { json += (edits.defaults + edits.set).compactMap(\.json) }
        if said != nil {
            json += (rules.continuation.message + rules.continuation.set).compactMap(\.json)
            if let prompt = rules.continuation.prompt { texts.append([UInt8](prompt.utf8)) }
        }
        return texts.isEmpty && json.isEmpty ? .none : OwnTexts(texts: texts, json: json, callers: callersParts)
    }

    /// The parts of the body that no hook has put in; nil where they are not known.
    private var callersParts: [ArraySlice<UInt8>]? {
        guard hookMessages != nil else { return [body[...]] }
        guard let hookParts else { return nil }
        var (parts, end): ([ArraySlice<UInt8>], Int) = ([], 0)
        for part in hookParts {
            parts.append(body[end..<part.lowerBound])
            end = part.upperBound
        }
        return parts + [body[end...]]
    }
}

extension UpstreamError {
    /// The same without its words, where they quote any of these texts, or might. What remains are the status, and names that quote none.
    func withholding(_ texts: OwnTexts) -> UpstreamError {
        switch texts {
        case .none: self
        case .known(let texts, let json, let callers):
            withholding(texts + json.flatMap(OwnTexts.strings), besides: callers)
        // What is shorter than a piece quotes none.
        case .forgotten: namesAlone { Self.pieces(of: [$0]).isEmpty }
        }
    }

    private func withholding(_ texts: [[UInt8]], besides others: [ArraySlice<UInt8>]) -> UpstreamError {
        var pieces = Self.pieces(of: [message, type, code, param].compactMap(\.self))
        if let object { pieces.insert(allOf: object) }
        guard pieces.containAny(ofThese: texts, besides: others) else { return self }
        return namesAlone { !Self.pieces(of: [$0]).containAny(ofThese: texts, besides: others) }
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

    /// Whether a piece of these texts is among them that is in none of the others.
    func containAny(ofThese texts: [[UInt8]], besides others: [ArraySlice<UInt8>]) -> Bool {
        guard !pieces.isEmpty else { return false }
        var found: Set<Piece> = []
        for text in texts {
            _ = Self.firstPiece(of: text) {
                if pieces.contains($0) { found.insert($0) }
                return false
            }
        }
        for other in others where !found.isEmpty {
            _ = Self.firstPiece(of: Array(other)) {
                found.remove($0)
                return found.isEmpty
            }
        }
        return !found.isEmpty
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
