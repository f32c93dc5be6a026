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
    var input = SpeechInput()
    var context = SpeechContext()
    /// What is said of the text that is being taken.
    private var output: [UInt8] = []

    package init(_ parts: SpeechParts) { self.parts = parts }

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

    private mutating func run() -> [UInt8] {
        while input.hasMore {
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
        say(input.scalar())
    }

    /// White space behind what has been left out, when some stands ahead of it.
    private mutating func takeSkipped(_ byte: UInt8) -> Bool {
        guard byte.isBlank || byte == UInt8(ascii: "\n") && context.skipped == .blanks else {
            context.skipped = .nothing
            return false
        }
        input.skip(1)
        return true
    }

    // MARK: What is said

    /// Says the character that is next, as it stands.
    mutating func say(_ scalar: SpeechInput.Scalar) {
        sayBetween()
        let start = input.offset
        input.skip(scalar.count)
        output += input.taken(from: start)
        (context.previous, context.said) = (scalar.value, scalar.value)
    }

    /// Says so many bytes of ASCII that are next, as they stand.
    mutating func say(count: Int) {
        for _ in 0..<count { say(input.scalar()) }
    }

    /// Says something that stands for the next bytes.
    mutating func say(_ text: String, for count: Int) {
        leaveOut(count)
        sayBetween()
        output.append(text)
        guard let last = text.unicodeScalars.last else { return }
        (context.previous, context.said) = (last.value, last.value)
    }

    /// Says nothing of the next bytes.
    mutating func leaveOut(_ count: Int) {
        if count > 0, let last = input.peek(count - 1) { context.previous = UInt32(last) }
        input.skip(count)
    }

    /// What stands between two cells of a table.
    private mutating func sayBetween() {
        guard context.isRow, context.hasGap || context.hasSpace else { return }
        let text = context.hasGap ? SpeechPause.between(context.said) : " "
        (context.hasGap, context.hasSpace) = (false, false)
        guard !context.said.isSpace else { return }
        output.append(text)
    }

    /// A line is over. One that is an item of a list, or a heading, is a sentence.
    private mutating func endLine() {
        if context.isItem { output.append(SpeechPause.end(of: context.said)) }
        if context.said == 0x0A { context.endParagraph() }
        context.endLine()
        say(input.scalar())
    }
}

/// What has been decided so far, as far as it counts for what follows.
struct SpeechContext: Sendable {
    enum Line { case begin, number, behindNumber, inside }
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

    /// The kind of thought that is being left out, by its place among them.
    var thinking: Int?
    /// What an emoji that has been left out goes on with.
    var emoji = Emoji.none

    /// Whether the line is to end as a sentence does.
    var isItem = false
    /// Whether the line is a table's.
    var isRow = false
    /// What a table's line has had since the last thing that was said.
    var (hasGap, hasSpace) = (false, false)
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
        skipped == .nothing && thinking == nil && emoji == .none && !isRow && !isLinkText
            && destinationLeft == 0 && url == .none
    }

    mutating func endLine() {
        (line, isItem, isRow, hasGap, hasSpace) = (.begin, false, false, false, false)
        (codeTicks, isLinkText, brackets, destinationLeft) = (0, false, 0, 0)
        (url, isAngled) = (.none, false)
    }

    /// Emphasis does not go on behind a paragraph's end.
    mutating func endParagraph() { (stars, underscores, tildes) = (0, 0, 0) }

    /// White space behind what has been left out is one too many, when some stands ahead of it.
    mutating func skip(_ what: Skipped) { skipped = said.isSpace ? what : .nothing }
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

    /// At a sentence's end; none where there is one.
    static func end(of said: UInt32) -> String {
        if said.isSpace || isPause(said) { return "" }
        switch said {
        case 0x2E80...0xA4CF, 0xF900...0xFAFF, 0x20000...0x3FFFF: return "。"
        case 0x900...0x97F: return "।"
        default: return "."
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
