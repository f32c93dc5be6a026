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
        } else if let callers, callers.reduce(0, { $0 + $1.count }) <= Self.callersBytesMax,
            (texts + json).reduce(0, { $0 + $1.count }) <= Self.textsBytesMax
        {
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
    /// An error is not to take long because its request was, or what went out with that.
    private static let callersBytesMax = 64 << 10
    private static let textsBytesMax = 512 << 10

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
        let folded = FoldedTexts(texts, besides: others)
        guard pieces.areQuoted(from: folded) else { return self }
        return namesAlone { !Self.pieces(of: [$0]).areQuoted(from: folded) }
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
        for words in Self.folded(text) { Self.forEachPiece(of: words) { piece, _ in pieces.insert(piece) } }
    }

    /// Whether one of the texts is quoted by pieces that are not all the caller's: see ``FoldedWord``.
    func areQuoted(from folded: FoldedTexts) -> Bool {
        guard !pieces.isEmpty else { return false }
        var (quoted, callers): (Set<Piece>, Set<Piece>) = ([], [])
        for text in folded.texts {
            Self.forEachPiece(of: text) { piece, _ in if pieces.contains(piece) { quoted.insert(piece) } }
        }
        guard !quoted.isEmpty else { return false }
        for text in folded.callers {
            Self.forEachPiece(of: text) { piece, _ in if quoted.contains(piece) { callers.insert(piece) } }
        }
        return folded.texts.contains { FoldedWord.tell(Self.words(of: $0, quoted, callers)) }
    }

    /// As it stands, and without its digits.
    fileprivate static func folded(_ text: [UInt8]) -> [[UInt8]] {
        let words = foldedWords(of: text)
        guard words.contains(where: \.isDigit) else { return [words] }
        return [words, words.map { $0.isDigit ? UInt8(ascii: " ") : $0 }]
    }

    /// - Parameter body: gets the offset, without blanks, at which the piece ends.
    private static func forEachPiece(of words: [UInt8], _ body: (Piece, Int) -> Void) {
        var (piece, count) = (Piece(), 0)
        for byte in words where byte != UInt8(ascii: " ") {
            piece.append(byte)
            count += 1
            if count >= bytesCount { body(piece, count) }
        }
    }

    private static func words(of text: [UInt8], _ quoted: Set<Piece>, _ callers: Set<Piece>) -> [FoldedWord] {
        var isQuoted = [Bool](repeating: false, count: text.count)
        var isCallers = isQuoted
        forEachPiece(of: text) { piece, end in
            guard quoted.contains(piece) else { return }
            let isCaller = callers.contains(piece)
            for offset in end - bytesCount..<end {
                isQuoted[offset] = true
                if isCaller { isCallers[offset] = true }
            }
        }
        var start = 0
        return text.split(separator: UInt8(ascii: " ")).map { letters in
            let range = start..<start + letters.count
            start = range.upperBound
            return FoldedWord(
                letters, isQuoted: isQuoted[range].allSatisfy(\.self), isCallers: isCallers[range].allSatisfy(\.self))
        }
    }
}

/// The texts that nobody is to read, and what the caller has sent beside them; folded once for all words of an error, and what is the
/// caller's only where those quote one.
private final class FoldedTexts {
    private let others: [ArraySlice<UInt8>]
    let texts: [[UInt8]]
    /// The upstream has read it, and quotes what it says: that depends on none of its escapes.
    private(set) lazy var callers = others.flatMap {
        FoldedPieces.folded(Array($0)) + FoldedPieces.folded(ErrorWords.unescaped(Array($0)))
    }

    init(_ texts: [[UInt8]], besides others: [ArraySlice<UInt8>]) {
        (self.texts, self.others) = (texts.flatMap(FoldedPieces.folded), others)
    }
}

/// A word of a text, and how much of it an error has.
private struct FoldedWord {
    private let isQuoted: Bool
    /// Whether the caller has sent it, with what is beside it.
    private let isCallers: Bool
    /// Whether it is like none that is in any text.
    private let isRare: Bool

    init(_ letters: ArraySlice<UInt8>, isQuoted: Bool, isCallers: Bool) {
        (self.isQuoted, self.isCallers) = (isQuoted, isCallers)
        isRare = letters.contains(where: \.isDigit) || letters.count { $0 & 0xC0 != 0x80 } > Self.lettersMax
    }

    /// The longest words that many texts have are shorter.
    private static let lettersMax = 20
    /// Two may stand in any error: "the conversation", "your messages".
    private static let rowCount = 3

    /// Whether these words are quoted: three in a row, all of a text with fewer, or one that is rare. Where the caller has sent each of them
    /// itself they tell it nothing. Of a word that is quoted in part nothing is known: it may be another, beside what the caller has guessed.
    static func tell(_ words: [FoldedWord]) -> Bool {
        if words.contains(where: { $0.isRare && $0.isQuoted && !$0.isCallers }) { return true }
        let count = min(words.count, rowCount)
        return words.indices.dropLast(max(0, count - 1)).contains { start in
            let row = words[start..<start + count]
            return row.allSatisfy(\.isQuoted) && !row.allSatisfy(\.isCallers)
        }
    }
}
