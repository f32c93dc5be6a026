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
            leaveOut(count)
            return true
        }
        // Nothing that it could close is open.
        let isMask = count == 1 && previous.isASCIIWord && next.value.isASCIIWord
        if next.isSpace || isTimes || isMask || count == Self.runMax {
            say(count: count)
        } else {
            context.stars += count
            leaveOut(count)
        }
        return true
    }

    /// `_` and `__`, which are no emphasis inside of a word.
    private mutating func takeUnderscores() -> Bool {
        let (count, next) = run(of: UInt8(ascii: "_"))
        let previous = context.previous
        if context.underscores > 0, !previous.isSpace, !next.value.isWord {
            context.underscores = max(0, context.underscores - count)
            leaveOut(count)
        } else if next.isSpace || previous.isWord || count > 3 {
            say(count: count)
        } else {
            context.underscores += count
            leaveOut(count)
        }
        return true
    }

    /// `~~`. A single one says about how much.
    private mutating func takeTildes() -> Bool {
        let (count, next) = run(of: UInt8(ascii: "~"))
        if count == 2, context.tildes > 0 && !context.previous.isSpace || context.tildes == 0 && !next.isSpace {
            context.tildes = context.tildes > 0 ? 0 : count
            leaveOut(count)
        } else {
            say(count: count)
        }
        return true
    }

    // MARK: Code

    /// As many backticks as opened it end it, and at the latest its line does.
    private mutating func takeTicks() -> Bool {
        let count = input.run(of: UInt8(ascii: "`"), atMost: Self.runMax)
        // What has been looked at is the run's end.
        _ = input.peek(count)
        if context.codeTicks > 0, context.codeTicks != count {
            say(count: count)
        } else {
            context.codeTicks = context.codeTicks == 0 ? count : 0
            leaveOut(count)
        }
        return true
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

    /// Elements behind which a text goes on as if on a line of its own, then those of a part of a line.
    private static let elements = (
        blocks: [
            "br", "p", "div", "hr", "li", "ul", "ol", "tr", "td", "th", "table", "details", "summary", "h1", "h2", "h3", "h4",
        ]
        .map { [UInt8]($0.utf8) },
        others: [
            "b", "i", "u", "s", "a", "em", "strong", "del", "ins", "sub", "sup", "span", "small", "mark", "code", "pre", "kbd",
        ]
        .map { [UInt8]($0.utf8) }
    )

    /// A tag of HTML. Those that speech has, such as `<break/>`, are for the voice.
    private mutating func takeElement() -> Bool {
        var count = input.peek(1) == UInt8(ascii: "/") ? 2 : 1
        var name: [UInt8] = []
        while let byte = input.peek(count)?.lowercased, UInt32(byte).isASCIIWord {
            guard name.count < Self.elementNameMax else { return false }
            name.append(byte)
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
    fileprivate var isASCIIPunctuation: Bool { self > 0x20 && self < 0x7F && !UInt32(self).isASCIIWord }
}
