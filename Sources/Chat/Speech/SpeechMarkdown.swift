// `markdown`: the signs inside of a line (CommonMark §6), and what stands there of HTML.

extension SpeechFilter {
    /// A sign, which is not said, or is no sign.
    mutating func takeMarkdown(_ byte: UInt8) -> Bool {
        if context.isCode { return byte == UInt8(ascii: "`") && context.fenceCount == 0 && takeTicks() }
        switch byte {
        case UInt8(ascii: "*"): return takeStars()
        case UInt8(ascii: "_"): return takeUnderscores()
        case UInt8(ascii: "~"): return takeTildes()
        case UInt8(ascii: "`"): return takeTicks()
        case UInt8(ascii: "\\"): return takeEscape()
        case UInt8(ascii: "<"): return takeElement()
        case UInt8(ascii: "&"): return takeEntity()
        case _ where context.isRow: return takeInRow(byte)
        default: return false
        }
    }

    // MARK: Emphasis

    /// A run of a sign, and what stands behind it.
    private mutating func run(of sign: UInt8) -> (count: Int, next: SpeechInput.Scalar) {
        let count = input.run(of: sign, atMost: Self.runMax)
        return (count, input.scalar(at: count))
    }

    private static let runMax = 8

    /// `*` and `**`. Those with space on both sides, or between digits or Latin letters, are times or a mask.
    private mutating func takeStars() -> Bool {
        let (count, next) = run(of: UInt8(ascii: "*"))
        let previous = context.previous
        let isTimes = count <= 2 && previous.isASCIIDigit && next.value.isASCIIDigit
        if context.stars > 0, !previous.isSpace, !isTimes {
            context.stars = max(0, context.stars - count)
            return take(count, isSign: true)
        }
        // Nothing that it could close is open.
        let isMask = count == 1 && previous.isASCIIWord && next.value.isASCIIWord
        let isOpening = !next.isSpace && !isTimes && !isMask && count < Self.runMax && !(count == 1 && isDialed(next))
        if isOpening { context.stars += count }
        return take(count, isSign: isOpening)
    }

    /// Whether the star that is next is dialed, as in `*67` and `*#06#`: it stands ahead of that, and nothing near closes it.
    private mutating func isDialed(_ next: SpeechInput.Scalar) -> Bool {
        guard next.value.isASCIIDigit || next.value == 0x23 else { return false }
        var distance = 2
        while distance < Self.lookAheadMax, let byte = input.peek(distance), byte != UInt8(ascii: "\n") {
            guard byte == UInt8(ascii: "*") else {
                distance += 1
                continue
            }
            let (count, last) = (input.run(of: byte, at: distance, atMost: Self.runMax), input[distance - 1])
            let isTimes = last.isDigit && input.peek(distance + count)?.isDigit == true
            if count % 2 == 1, !last.isSpace, !isTimes { return false }
            distance += count
        }
        return true
    }

    /// Leaves out a run that is a sign, and says one that is none.
    private mutating func take(_ count: Int, isSign: Bool) -> Bool {
        if isSign { leaveOut(count) } else { say(count: count) }
        return true
    }

    /// `_` and `__`, which are no emphasis inside of a word.
    private mutating func takeUnderscores() -> Bool {
        let (count, next) = run(of: UInt8(ascii: "_"))
        let previous = context.previous
        if context.underscores > 0, !previous.isSpace, !next.value.isWord {
            context.underscores = max(0, context.underscores - count)
            return take(count, isSign: true)
        }
        let isOpening = !next.isSpace && !previous.isWord && count <= 3
        if isOpening { context.underscores += count }
        return take(count, isSign: isOpening)
    }

    /// `~~`. A single one says about how much.
    private mutating func takeTildes() -> Bool {
        let (count, next) = run(of: UInt8(ascii: "~"))
        let isSign = count == 2 && !(context.tildes > 0 ? context.previous.isSpace : next.isSpace)
        if isSign { context.tildes = context.tildes > 0 ? 0 : count }
        return take(count, isSign: isSign)
    }

    // MARK: Code

    /// As many backticks as opened it end it, and at the latest its line does.
    private mutating func takeTicks() -> Bool {
        let count = input.run(of: UInt8(ascii: "`"), atMost: Self.runMax)
        // What has been looked at is the run's end.
        _ = input.peek(count)
        let isSign = context.codeTicks == 0 || context.codeTicks == count
        if isSign { context.codeTicks = context.codeTicks == 0 ? count : 0 }
        return take(count, isSign: isSign)
    }

    /// `\*` is a star.
    private mutating func takeEscape() -> Bool {
        guard let next = input.peek(1), next.isASCIIPunctuation else { return false }
        leaveOut(1)
        say(count: 1)
        return true
    }

    // MARK: Tables

    /// What separates the cells of a line is a pause; how wide they are says nothing.
    private mutating func takeInRow(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "|"): context.hasGap = true
        case _ where byte.isBlank: context.hasSpace = true
        default: return false
        }
        leaveOut(1)
        return true
    }

    // MARK: HTML

    /// Elements behind which a text goes on as if on a line of its own, then those of a part of a line. Each is a number of the bytes of
    /// its name.
    private static let elements = (
        blocks: [
            "br", "p", "div", "hr", "li", "ul", "ol", "tr", "td", "th", "table", "details", "summary", "h1", "h2", "h3", "h4",
        ]
        .map(number),
        others: [
            "b", "i", "u", "s", "a", "em", "strong", "del", "ins", "sub", "sup", "span", "small", "mark", "code", "pre", "kbd",
        ]
        .map(number)
    )

    private static func number(of name: String) -> UInt64 { name.utf8.reduce(0) { $0 << 8 | UInt64($1) } }

    /// A tag of HTML. Those that speech has, such as `<break/>`, are for the voice.
    private mutating func takeElement() -> Bool {
        let start = input.peek(1) == UInt8(ascii: "/") ? 2 : 1
        var (count, name) = (start, UInt64(0))
        while let byte = input.peek(count)?.lowercased, byte.isASCIIWord {
            guard count - start < Self.elementNameMax else { return false }
            name = name << 8 | UInt64(byte)
            count += 1
        }
        let isBlock = Self.elements.blocks.contains(name)
        guard isBlock || Self.elements.others.contains(name), let end = elementEnd(from: count) else { return false }
        if isBlock, !context.said.isSpace { say(" ", for: end) } else { leaveOut(end) }
        return true
    }

    private static let elementNameMax = 7

    /// Where the tag ends whose name ends there. What has no attribute's sign in it is a comparison.
    private mutating func elementEnd(from start: Int) -> Int? {
        var (count, hasAttribute, isText) = (start, false, false)
        while count < Self.lookAheadMax, let byte = input.peek(count) {
            count += 1
            switch byte {
            case UInt8(ascii: ">"): return hasAttribute || !isText ? count : nil
            case UInt8(ascii: "<"), UInt8(ascii: "\n"): return nil
            case UInt8(ascii: "="): hasAttribute = true
            case UInt8(ascii: "/"): break
            case _ where byte.isBlank: break
            default:
                if count == start + 1 { return nil }
                isText = true
            }
        }
        return nil
    }

    private static let entities: [(name: [UInt8], text: String)] = [
        ("nbsp;", " "), ("amp;", "&"), ("lt;", "<"), ("gt;", ">"), ("quot;", "\""), ("apos;", "'"), ("#39;", "'"),
        ("mdash;", "—"), ("ndash;", "–"), ("hellip;", "…"),
    ].map { ([UInt8]($0.utf8), $1) }

    /// `&amp;` is an and.
    private mutating func takeEntity() -> Bool {
        for entity in Self.entities where input.matches(entity.name, at: 1) {
            say(entity.text, for: entity.name.count + 1)
            return true
        }
        return false
    }
}

extension UInt8 {
    fileprivate var isASCIIPunctuation: Bool { self > 0x20 && self < 0x7F && !isASCIIWord }
}
