// `links`: of a link its text, of a URL its host, of a source's mark nothing.

extension SpeechFilter {
    /// Of where a link leads to, or of what stands there instead.
    private static let destinationBytesMax = 2048
    private static let schemes = ["https://", "http://"].map { [UInt8]($0.utf8) }

    /// The beginning of a link, or the end of its text.
    mutating func takeLink(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "h"), UInt8(ascii: "H"): takeScheme()
        case _ where context.isCode: false
        case UInt8(ascii: "["): takeMark() || takeOpeningBracket()
        case 0xE3: takeMark()
        case UInt8(ascii: "]"): takeClosingBracket()
        case UInt8(ascii: "!"): takeImage()
        case UInt8(ascii: "<"): takeAngle()
        // An escaped bracket is none.
        case UInt8(ascii: "\\"): takeEscapedBracket()
        default: false
        }
    }

    // MARK: [text](destination)

    private mutating func takeOpeningBracket() -> Bool {
        if context.isLinkText {
            context.brackets = min(context.brackets + 1, 255)
            return false
        }
        guard opensLink(at: 0) else { return false }
        leaveOut(1)
        (context.isLinkText, context.brackets) = (true, 0)
        return true
    }

    private mutating func takeClosingBracket() -> Bool {
        guard context.isLinkText else { return false }
        if context.brackets > 0 {
            context.brackets -= 1
            return false
        }
        context.isLinkText = false
        if input.peek(1) == UInt8(ascii: "(") {
            leaveOut(2)
            (context.destinationLeft, context.parentheses) = (Self.destinationBytesMax, 0)
        } else {
            // It was opened so far ahead that its opening has been left out.
            leaveOut(1)
        }
        return true
    }

    private mutating func takeEscapedBracket() -> Bool {
        guard let next = input.peek(1), next == UInt8(ascii: "[") || next == UInt8(ascii: "]") else { return false }
        say(count: 2)
        return true
    }

    /// An image has a mark ahead, where a sentence does not end.
    private mutating func takeImage() -> Bool {
        guard context.previous.isSpace || context.said.isSpace, input.peek(1) == UInt8(ascii: "["), opensLink(at: 1) else {
            return false
        }
        leaveOut(1)
        return true
    }

    /// Whether the bracket there is a link's. One whose end is not near is taken for that: what else stands in brackets is short.
    private mutating func opensLink(at start: Int) -> Bool {
        var (distance, depth) = (start + 1, 0)
        while distance - start < Self.lookAheadMax {
            switch input.peek(distance) {
            case nil, UInt8(ascii: "\n"): return false
            case UInt8(ascii: "\\"): distance += 1
            case UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "]"):
                if depth == 0 { return input.peek(distance + 1) == UInt8(ascii: "(") }
                depth -= 1
            default: break
            }
            distance += 1
        }
        return true
    }

    /// Leaves out where a link leads to, and its title.
    mutating func skipDestination(_ byte: UInt8) {
        let scalar = input.scalar()
        context.destinationLeft = max(0, context.destinationLeft - scalar.count)
        switch byte {
        case UInt8(ascii: "("): context.parentheses += 1
        case UInt8(ascii: ")"):
            if context.parentheses == 0 { context.destinationLeft = 0 }
            context.parentheses = max(0, context.parentheses - 1)
        default: break
        }
        leaveOut(scalar)
    }

    // MARK: Marks of sources

    private static let markNameMax = 32

    /// Leaves out a mark, and the colon between it and the source itself at a line's beginning.
    private mutating func takeMark() -> Bool {
        guard let count = markCount(at: 0) else { return false }
        let isAhead = context.ending == 0 && input.peek(count) == UInt8(ascii: ":")
        leaveOut(count + (isAhead ? 1 : 0))
        context.skip(.spaces)
        return true
    }

    /// How long the mark of a source is that stands there: `[1]`, `[^note]`, `【4:0†source】`. Nil for what else stands in brackets, be it
    /// the text of a link.
    mutating func markCount(at start: Int) -> Int? {
        guard let byte = input.peek(start) else { return nil }
        var end = start + 1
        if byte == 0xE3 { return input.scalar(at: start).value == 0x3010 ? wideMarkCount(at: start) : nil }
        guard byte == UInt8(ascii: "["), let first = input.peek(end) else { return nil }
        if first == UInt8(ascii: "^") {
            end += 1
            while end - start < Self.markNameMax, input.peek(end)?.isInMarkName == true { end += 1 }
            guard end - start > 2 else { return nil }
        } else {
            guard first.isDigit, first != UInt8(ascii: "0") else { return nil }
            end += input.peek(end + 1)?.isDigit == true ? 2 : 1
        }
        guard input.peek(end) == UInt8(ascii: "]"), input.peek(end + 1) != UInt8(ascii: "(") else { return nil }
        return end + 1 - start
    }

    /// As OpenAI's assistants have it.
    private mutating func wideMarkCount(at start: Int) -> Int? {
        var (end, hasDagger) = (start + 3, false)
        guard input.peek(end)?.isDigit == true else { return nil }
        while end - start < Self.lookAheadMax {
            let scalar = input.scalar(at: end)
            end += scalar.count
            switch scalar.value {
            case 0, 0x0A: return nil
            case 0x2020: hasDagger = true
            case 0x3011: return hasDagger ? end - start : nil
            default: break
            }
        }
        return nil
    }

    // MARK: https://host/path

    private mutating func takeAngle() -> Bool {
        guard Self.schemes.contains(where: { input.matches($0, at: 1) }) else { return false }
        leaveOut(1)
        context.isAngled = true
        return true
    }

    private mutating func takeScheme() -> Bool {
        guard !context.previous.isASCIIWord else { return false }
        for scheme in Self.schemes where input.matches(scheme) {
            let count = scheme.count + userCount(at: scheme.count)
            guard let first = input.peek(count), first.isASCIIWord || first >= 0xC2 else { return false }
            leaveOut(count)
            context.url = .host
            return true
        }
        return false
    }

    /// How long the name and the password are that stand ahead of a host (RFC 3986 §3.2.1), with their sign.
    private mutating func userCount(at start: Int) -> Int {
        var (count, end) = (0, 0)
        while end < Self.lookAheadMax, let byte = input.peek(start + end), byte.isInAuthority {
            end += 1
            if byte == UInt8(ascii: "@") { count = end }
        }
        return count
    }

    /// The next of a URL; false behind its end.
    mutating func takeURL(_ byte: UInt8) -> Bool {
        let isTaken = context.url == .host ? takeHost(byte) : takePath(byte)
        if !isTaken { endURL() }
        // Its end may be the bracket that was opened ahead.
        if !isTaken, byte == UInt8(ascii: ">"), context.isAngled {
            context.isAngled = false
            leaveOut(1)
            return true
        }
        if !isTaken { context.isAngled = false }
        return isTaken
    }

    private mutating func endURL() { (context.url, context.parentheses) = (.none, 0) }

    private mutating func takeHost(_ byte: UInt8) -> Bool {
        switch byte {
        case _ where byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte.isASCIIWord:
            say(count: 1)
            return true
        case UInt8(ascii: "/"):
            leaveOut(1)
            context.url = .path
            return true
        case UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: ":"):
            guard let next = input.peek(1), next.isInPath else { return false }
            leaveOut(1)
            context.url = .path
            return true
        case 0x80...:
            let scalar = input.scalar()
            guard scalar.value.isInURL else { return false }
            say(scalar)
            return true
        default: return false
        }
    }

    private mutating func takePath(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "("): context.parentheses += 1
        case UInt8(ascii: ")"):
            guard context.parentheses > 0 else { return false }
            context.parentheses -= 1
        case 0x80...:
            let scalar = input.scalar()
            guard scalar.value.isInURL else { return false }
            leaveOut(scalar)
            return true
        case _ where byte.isInPath: break
        case _ where byte.mayEndPath: return takePathEnd()
        default: return false
        }
        leaveOut(1)
        return true
    }

    /// Signs that belong to the path only where it goes on behind them.
    private mutating func takePathEnd() -> Bool {
        var count = 1
        while count < Self.pathEndMax, let byte = input.peek(count), byte.mayEndPath { count += 1 }
        guard let next = input.peek(count),
            next.isInPath || next == UInt8(ascii: "(") && input.peek(count - 1) == UInt8(ascii: "_")
        else { return false }
        leaveOut(count)
        return true
    }

    private static let pathEndMax = 8
}

extension UInt8 {
    /// Whether it is part of a URL behind the host, wherever it stands.
    fileprivate var isInPath: Bool {
        switch self {
        case UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "%"), UInt8(ascii: "+"), UInt8(ascii: "="), UInt8(ascii: "&"),
            UInt8(ascii: "@"), UInt8(ascii: "$"), UInt8(ascii: "#"):
            true
        default: isASCIIWord
        }
    }

    /// Whether it may stand ahead of the path.
    fileprivate var isInAuthority: Bool {
        switch self {
        case UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#"): false
        default: isInPath || mayEndPath || self == UInt8(ascii: "(") || self == UInt8(ascii: ")")
        }
    }

    /// Whether it may stand in the name of a footnote.
    fileprivate var isInMarkName: Bool { isASCIIWord || self == UInt8(ascii: "-") || self == UInt8(ascii: "_") }

    /// Whether it is so unless the URL ends with it.
    fileprivate var mayEndPath: Bool {
        switch self {
        case UInt8(ascii: "."), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":"), UInt8(ascii: "!"), UInt8(ascii: "?"),
            UInt8(ascii: "'"), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "*"):
            true
        default: false
        }
    }
}

extension UInt32 {
    /// Whether a character that is none of ASCII may be part of a URL. Those of East Asia stand behind one without a space.
    fileprivate var isInURL: Bool { self < 0x2E80 && isWord }
}
