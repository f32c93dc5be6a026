/// Makes a text fit to be spoken while it comes.
///
///     var filter = SpeechFilter(.markdown)
///     filter.take("It is **so*")       "It is so"       the last star may be half a sign: it waits for what follows
///     filter.take("* and 2 * 3")       " and 2 * 3"
///     filter.finish()                  ""
///
/// However a text is cut, the outputs together are that of the whole text. For that each step decides by nothing but what has been
/// decided before and the bytes that it looks at; one that has looked at a byte that has not come yet is undone, and made again when more
/// has come. No step looks further than ``heldBytesMax``, so no more is ever held back. Where more would have to be known, the rules are
/// such that it need not be: of a link the text is said at once, and where it leads to is left out behind it.
///
/// Texts are UTF-8, with surrogates as if they were characters: half an emoji comes in an event of its own from some servers. All other
/// bytes pass.
package struct SpeechFilter: Sendable {
    /// How much is held back at most.
    package static let heldBytesMax = 96
    /// How far a step looks for the end of what it has begun to read.
    static let lookAheadMax = 64

    let parts: SpeechParts
    /// Of the parts: see ``SpeechParts/signs``.
    let signs: ASCIISet
    var input = SpeechInput()
    var context = SpeechContext()
    /// What is said of the text that is being taken.
    private var output: [UInt8] = []

    package init(_ parts: SpeechParts) { (self.parts, signs) = (parts, parts.signs) }

    /// How much is held back, in bytes.
    package var heldCount: Int { input.bytes.count }

    /// - Returns: what is said of it, and of what was held back.
    package mutating func take(_ text: [UInt8]) -> [UInt8] {
        input.append(text)
        return run()
    }

    /// The text is at its end, or at that of one part of it.
    ///
    /// - Returns: what is said of what was held back.
    package mutating func finish() -> [UInt8] {
        guard input.hasMore else { return [] }
        input.isLast = true
        defer { input.isLast = false }
        return run()
    }

    /// Whether what comes next is thought.
    var isThinking: Bool { context.thinking != nil }

    /// The text has broken off, and another one goes on with it: where a link leads to, and code within a line, are at their end. The
    /// other one may begin anew, and nothing of it is to be left out, or taken for code, up to signs that do not come.
    mutating func breakOff() { context.breakOff() }

    private mutating func run() -> [UInt8] {
        while input.hasMore {
            if takePlain() { continue }
            // No step looks further: where so much has come, none is ever undone.
            guard input.count < Self.heldBytesMax else {
                step()
                continue
            }
            let (before, start, saidCount) = (context, input.offset, output.count)
            step()
            guard input.isShort else { continue }
            context = before
            output.removeSubrange(saidCount...)
            input.rewind(to: start)
            break
        }
        input.discard()
        return exchange(&output, with: [])
    }

    /// Decides on at least one byte.
    private mutating func step() {
        guard let byte = input.peek() else { return }
        if context.thinking != nil { return skipThought() }
        if parts.contains(.think), !context.isCode, takeTag(byte) { return }
        if parts.contains(.emoji), takeEmoji() { return }
        if context.skipped != .nothing, takeSkipped(byte) { return }
        if byte == UInt8(ascii: "\n") { return endLine() }
        if context.destinationLeft > 0 { return skipDestination(byte) }
        if context.url != .none, takeURL(byte) { return }
        if parts.contains(.markdown) {
            if context.line != .inside, takeBlock(byte) { return }
            if takeMarkdown(byte) { return }
        }
        if parts.contains(.links), takeLink(byte) { return }
        if byte.isBlank { return takeBlanks() }
        say(input.scalar())
    }

    /// White space behind what has been left out, when some stands ahead of it.
    private mutating func takeSkipped(_ byte: UInt8) -> Bool {
        guard byte.isBlank || byte == UInt8(ascii: "\n") && context.skipped == .blanks else { return false }
        leaveOut(1)
        return true
    }

    /// Blanks: those at the end of a line that is a sentence are not said. Nor is one ahead of something that may be left out, before
    /// it is known what is said next: that may be the sentence's end.
    private mutating func takeBlanks() {
        guard context.isItem || parts.contains(.emoji) || parts.contains(.links) else { return say(count: 1) }
        let count = input.blanks(atMost: Self.lookAheadMax)
        if context.isItem, input.peek(count) == UInt8(ascii: "\n") {
            leaveOut(count)
        } else if count == 1, input.next == UInt8(ascii: " "), !context.said.isSpace, mayLeaveOut(at: 1) {
            leaveOut(1)
            context.hasSpace = true
        } else {
            say(count: count)
        }
    }

    private mutating func mayLeaveOut(at distance: Int) -> Bool {
        if parts.contains(.emoji), input.wholeScalar(at: distance).value.mayBeEmoji { return true }
        return parts.contains(.links) && !context.isCode && markCount(at: distance) != nil
    }

    // MARK: What is said

    /// Says the character that is next, as it stands.
    mutating func say(_ scalar: SpeechInput.Scalar) {
        sayBetween(ahead: scalar.value)
        for distance in 0..<scalar.count { output.append(input[distance]) }
        input.skip(scalar.count)
        context.note(scalar.value)
    }

    /// Says so many bytes that are next and have nothing in them to decide on.
    mutating func say(plain count: Int) {
        let start = input.offset
        input.skip(count)
        output += input.taken(from: start)
        let bytes = input.bytes
        context.note(start..<input.offset, in: bytes.span)
    }

    /// Says so many bytes of ASCII that are next, as they stand.
    mutating func say(count: Int) {
        for _ in 0..<count { say(input.scalar()) }
    }

    /// Says something that stands for the next bytes.
    mutating func say(_ text: String, for count: Int) {
        leaveOut(count)
        for scalar in text.unicodeScalars {
            sayBetween(ahead: scalar.value)
            context.note(scalar.value)
        }
        output.append(text)
    }

    /// Says nothing of the next bytes, which are of ASCII.
    mutating func leaveOut(_ count: Int) {
        if count > 0, let last = input.peek(count - 1) { context.previous = UInt32(last) }
        input.skip(count)
    }

    /// Says nothing of the character that is next.
    mutating func leaveOut(_ scalar: SpeechInput.Scalar) {
        input.skip(scalar.count)
        context.previous = scalar.value
    }

    /// What has stood ahead of a character: the end of a table's cell, or a blank of which it was not known whether it is said.
    private mutating func sayBetween(ahead next: UInt32) {
        guard context.hasGap || context.hasSpace else { return }
        let text = context.hasGap ? SpeechPause.between(context.ending) : SpeechPause.isClosing(next) ? "" : " "
        (context.hasGap, context.hasSpace) = (false, false)
        guard !context.said.isSpace else { return }
        output.append(text)
    }

    /// A line is over. One that is an item of a list, or a heading, is a sentence.
    private mutating func endLine() {
        if context.line == .rule { return endRule() }
        if context.isItem { output.append(SpeechPause.end(of: context.ending)) }
        if context.said == 0x0A { context.endParagraph() }
        context.endLine()
        say(input.scalar())
    }
}

/// What has been decided so far, as far as it counts for what follows.
struct SpeechContext: Sendable {
    enum Line { case begin, number, behindNumber, inside, rule }
    enum Skipped { case nothing, spaces, blanks }
    enum Emoji { case none, symbol, joiner }
    enum URL { case none, host, path }

    /// How far the line has come: signs of blocks stand at its beginning.
    var line = Line.begin
    /// What white space is left out.
    var skipped = Skipped.nothing
    /// The last character of the text.
    var previous: UInt32 = 0
    /// The last character that was said.
    var said: UInt32 = 0
    /// The last one of the line, quotes and blanks apart: how a sentence ends, or whether it has yet to.
    var ending: UInt32 = 0

    /// The kind of thought that is being left out, by its place among them.
    var thinking: Int?
    /// What an emoji that has been left out goes on with.
    var emoji = Emoji.none

    /// Whether the line is to end as a sentence does.
    var isItem = false
    /// Whether the line is a table's.
    var isRow = false
    /// What there has been since the last thing that was said: the end of a table's cell, blanks.
    var (hasGap, hasSpace) = (false, false)
    /// Of what a line is that says nothing and is too long for one look.
    var ruleSign = UInt8(0)
    /// How many signs of emphasis are open.
    var (stars, underscores, tildes) = (0, 0, 0)
    /// How many backticks close the code; 0 for none.
    var codeTicks = 0
    /// What closes a block of code: so many of a byte, at least; 0 for none.
    var (fenceCount, fenceByte) = (0, UInt8(0))

    /// Whether the text of a link is being said, and how many brackets are open in it.
    var (isLinkText, brackets) = (false, 0)
    /// How much more may be left out of where a link leads to; 0 outside of one. And how many parentheses are open in it.
    var (destinationLeft, parentheses) = (0, 0)
    /// The part of a URL that is being read.
    var url = URL.none
    /// Whether `<` stands ahead of it.
    var isAngled = false

    /// Whether signs stand for themselves.
    var isCode: Bool { codeTicks > 0 || fenceCount > 0 }

    /// Whether a text without signs passes, unless a line begins with it.
    var isPlain: Bool {
        skipped == .nothing && thinking == nil && emoji == .none && !isRow && !hasSpace && !isLinkText
            && destinationLeft == 0 && url == .none
    }

    /// A character has been said.
    mutating func note(_ scalar: UInt32) {
        (previous, said, skipped) = (scalar, scalar, .nothing)
        if !scalar.isSpace, !scalar.isQuote { ending = scalar }
    }

    /// A valid text has been said, when nothing was to be skipped.
    mutating func note(_ text: Range<Int>, in bytes: Span<UInt8>) {
        var end = text.upperBound
        while end > text.lowerBound {
            var start = end - 1
            while start > text.lowerBound, bytes[start] & 0xC0 == 0x80 { start -= 1 }
            let scalar = SpeechFilter.scalar(at: start, in: bytes)
            if end == text.upperBound { (previous, said) = (scalar, scalar) }
            if !scalar.isSpace, !scalar.isQuote {
                ending = scalar
                return
            }
            end = start
        }
    }

    mutating func endLine() {
        (line, isItem, isRow, hasGap, hasSpace, ending) = (.begin, false, false, false, false, 0)
        (codeTicks, isLinkText, brackets, destinationLeft) = (0, false, 0, 0)
        (url, isAngled) = (.none, false)
    }

    mutating func breakOff() { (codeTicks, destinationLeft) = (0, 0) }

    /// Emphasis does not go on behind a paragraph's end.
    mutating func endParagraph() { (stars, underscores, tildes) = (0, 0, 0) }

    /// White space behind what has been left out is one too many, when some stands ahead of it; up to the next thing that is said.
    mutating func skip(_ what: Skipped) { skipped = said.isSpace || hasSpace ? what : .nothing }
}

/// The signs by which a voice pauses, in the script of what stands ahead of them.
enum SpeechPause {
    /// Between two cells of a table.
    static func between(_ said: UInt32) -> String {
        if isPause(said) { return " " }
        switch said {
        case 0x2E80...0xA4CF, 0xF900...0xFAFF, 0x20000...0x3FFFF: return "，"
        case 0x600...0x6FF, 0x750...0x77F: return "، "
        default: return ", "
        }
    }

    /// At the end of a sentence that ends so; none where there is one, or no sentence.
    static func end(of said: UInt32) -> String {
        if said == 0 || isPause(said) { return "" }
        switch said {
        case 0x2E80...0xA4CF, 0xF900...0xFAFF, 0x20000...0x3FFFF: return "。"
        case 0x900...0x97F: return "।"
        default: return "."
        }
    }

    /// Whether it stands behind something without a blank between.
    static func isClosing(_ next: UInt32) -> Bool {
        switch next {
        case 0x29, 0x5D, 0x7D, 0x201D: true  // ) ] } ”
        case 0x2013, 0x2014: false  // dashes
        default: next.isSpace || isPause(next)
        }
    }

    private static func isPause(_ said: UInt32) -> Bool {
        switch said {
        case 0x21, 0x2C, 0x2E, 0x3A, 0x3B, 0x3F: true  // ! , . : ; ?
        case 0x60C, 0x61B, 0x61F, 0x6D4, 0x964, 0x965: true  // Arabic and Indian ones
        case 0x2013, 0x2014, 0x2026: true  // dashes, …
        case 0x3001, 0x3002, 0xFF01, 0xFF0C, 0xFF0E, 0xFF1A, 0xFF1B, 0xFF1F: true  // East Asian ones
        default: false
        }
    }
}

extension UInt32 {
    /// Whether it may stand behind a sentence's end: a quote, or a bracket that closes.
    fileprivate var isQuote: Bool {
        switch self {
        case 0x22, 0x27, 0x29, 0x5D, 0x7D: true  // " ' ) ] }
        case 0xAB, 0xBB, 0x2018...0x201F, 0x2039, 0x203A: true  // « » ‘ ’ “ ” ‹ ›
        case 0x3009, 0x300B, 0x300D, 0x300F, 0x3011, 0xFF09: true  // East Asian ones
        default: false
        }
    }
}
