// `markdown`: the signs at a line's beginning (CommonMark §4 and §5, GFM §4.10).

extension SpeechFilter {
    /// The next of a line's beginning; false when the line's own text begins.
    mutating func takeBlock(_ byte: UInt8) -> Bool {
        if context.fenceCount > 0 { return takeFenceEnd(byte) }
        switch context.line {
        case .begin:
            if byte.isBlank {
                say(count: 1)
                return true
            }
            if takeSign(byte) { return true }
            context.line = byte.isDigit ? .number : .inside
            return false
        case .number:
            if byte.isDigit { return false }
            context.line = byte == UInt8(ascii: ".") || byte == UInt8(ascii: ")") ? .behindNumber : .inside
            return false
        case .behindNumber:
            // Numbers are said, with their items.
            if byte.isBlank { beginItem() }
            context.line = .inside
            return false
        case .rule: return takeRule(byte)
        case .inside: return false
        }
    }

    private mutating func beginItem() {
        context.isItem = true
        context.endParagraph()
    }

    private mutating func takeSign(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "#"): takeHeading()
        case UInt8(ascii: ">"): takeQuote()
        case UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "_"), UInt8(ascii: "="): takeRuleOrBullet(byte)
        case UInt8(ascii: "|"): takeRow()
        case UInt8(ascii: "`"), UInt8(ascii: "~"): takeFence(byte)
        case UInt8(ascii: "["): takeTask()
        case 0x80...: takeOtherBullet()
        default: false
        }
    }

    /// `# `, which is no hashtag and no number.
    private mutating func takeHeading() -> Bool {
        let count = input.run(of: UInt8(ascii: "#"), atMost: 7)
        guard count <= 6, input.peek(count)?.isSpace ?? true else { return false }
        beginItem()
        leave(count)
        return true
    }

    /// `> `, which is no comparison.
    private mutating func takeQuote() -> Bool {
        if let next = input.peek(1), next.isDigit || next == UInt8(ascii: "=") { return false }
        context.endParagraph()
        leave(1)
        context.line = .begin
        return true
    }

    /// Leaves out a sign ahead of a text, and the space between.
    private mutating func leave(_ count: Int) {
        leaveOut(count)
        // To what follows it is as if its line began there.
        context.previous = 0
        (context.skipped, context.line) = (.spaces, .inside)
    }

    /// A line of nothing but `---` or the like; or `- ` ahead of an item.
    private mutating func takeRuleOrBullet(_ sign: UInt8) -> Bool {
        let line = lineOf(sign: sign, inTable: sign == UInt8(ascii: "-"))
        if line.isWhole, line.signsCount >= 3 {
            leaveOutLine(line.count, of: sign)
            return true
        }
        let isBullet = sign == UInt8(ascii: "-") || sign == UInt8(ascii: "*") || sign == UInt8(ascii: "+")
        guard isBullet, input.peek(1)?.isSpace ?? (line.signsCount == 1) else { return false }
        beginItem()
        leave(1)
        context.line = .begin
        return true
    }

    /// How far a line goes on with a sign, blanks, and in a table what separates its cells.
    ///
    /// - Returns: `isWhole` where it ends behind them, or is too long to tell.
    private mutating func lineOf(sign: UInt8, inTable: Bool) -> (count: Int, signsCount: Int, isWhole: Bool) {
        var (count, signsCount) = (0, 0)
        while count < Self.lookAheadMax {
            guard let byte = input.peek(count), byte != UInt8(ascii: "\n") else { break }
            if byte == sign {
                signsCount += 1
            } else if !byte.isBlank, !(inTable && byte.isInDelimiter) {
                return (count, signsCount, false)
            }
            count += 1
        }
        return (count, signsCount, true)
    }

    /// Leaves out a line, with its end if that has been seen. What goes on behind one look does so by ``takeRule(_:)``.
    private mutating func leaveOutLine(_ count: Int, of sign: UInt8) {
        input.skip(count)
        context.endParagraph()
        if count == Self.lookAheadMax {
            (context.line, context.ruleSign) = (.rule, sign)
        } else {
            endRule()
        }
    }

    private mutating func takeRule(_ byte: UInt8) -> Bool {
        let isDelimiter = context.ruleSign == UInt8(ascii: "-") && byte.isInDelimiter
        guard byte == context.ruleSign || byte.isBlank || isDelimiter else {
            context.line = .inside
            return false
        }
        leaveOut(1)
        return true
    }

    /// Leaves out the end of a line that says nothing, where the text goes on behind it.
    mutating func endRule() {
        if input.hasMore { input.skip(1) }
        context.endLine()
    }

    /// `•` and the like, as some write lists without Markdown.
    private mutating func takeOtherBullet() -> Bool {
        let scalar = input.scalar()
        guard [0x2022, 0x2023, 0x2043, 0x25AA, 0x25E6].contains(scalar.value), input.peek(scalar.count)?.isBlank == true else {
            return false
        }
        beginItem()
        leave(scalar.count)
        return true
    }

    /// `[ ] ` or `[x] ` of a list of tasks.
    private mutating func takeTask() -> Bool {
        guard context.isItem, let mark = input.peek(1), mark == UInt8(ascii: " ") || mark.lowercased == UInt8(ascii: "x"),
            input.peek(2) == UInt8(ascii: "]"), input.peek(3)?.isBlank == true
        else { return false }
        leave(3)
        return true
    }

    // MARK: Tables

    /// A line of a table, or the one below its head, which says nothing.
    private mutating func takeRow() -> Bool {
        let line = lineOf(sign: UInt8(ascii: "-"), inTable: true)
        if line.isWhole, line.signsCount > 0 {
            leaveOutLine(line.count, of: UInt8(ascii: "-"))
            return true
        }
        beginItem()
        leave(1)
        context.isRow = true
        return true
    }

    // MARK: Code

    /// Three backticks or tildes, and perhaps a language's name. The code itself is said as it stands.
    private mutating func takeFence(_ sign: UInt8) -> Bool {
        let count = input.run(of: sign, atMost: Self.fenceMax)
        guard count >= 3 else { return false }
        var end = count
        while let byte = input.peek(end), byte != UInt8(ascii: "\n") {
            // Backticks on both sides are code in a line. So is what is too long for a name.
            guard byte != UInt8(ascii: "`"), end - count < Self.lookAheadMax else { return false }
            end += 1
        }
        input.skip(end + (input.peek(end) == nil ? 0 : 1))
        context.endParagraph()
        context.endLine()
        (context.fenceCount, context.fenceByte) = (count, sign)
        return true
    }

    /// Inside a block of code: the line that ends it, if this is one.
    private mutating func takeFenceEnd(_ byte: UInt8) -> Bool {
        guard context.line == .begin else { return false }
        if byte.isBlank {
            say(count: 1)
            return true
        }
        context.line = .inside
        guard byte == context.fenceByte else { return false }
        var count = input.run(of: byte, atMost: Self.fenceMax)
        guard count >= context.fenceCount else { return false }
        count += input.blanks(at: count, atMost: Self.lookAheadMax)
        if let next = input.peek(count) {
            guard next == UInt8(ascii: "\n") else { return false }
            count += 1
        }
        input.skip(count)
        context.endLine()
        context.fenceCount = 0
        return true
    }

    private static let fenceMax = 16
}

extension UInt8 {
    /// Whether it is white space of ASCII.
    var isSpace: Bool { isBlank || self == UInt8(ascii: "\n") }
    /// Whether it stands besides the dashes in the line below a table's head.
    fileprivate var isInDelimiter: Bool { self == UInt8(ascii: "|") || self == UInt8(ascii: ":") }
}
