// `emoji`: pictures among the characters (UTS #51).

extension SpeechFilter {
    private static let textStyle: UInt32 = 0xFE0E
    private static let emojiStyle: UInt32 = 0xFE0F
    private static let joiner: UInt32 = 0x200D
    private static let keycap: UInt32 = 0x20E3

    /// A character that is shown as a picture, and what it goes on with. Of a keycap the digit stays, which is a word; and so does what
    /// is a picture only where that is asked for: ©, ™, arrows.
    mutating func takeEmoji() -> Bool {
        if context.emoji == .none, let byte = input.peek(), byte < 0xC2 { return false }
        let scalar = input.wholeScalar()
        if context.emoji != .none {
            if takeMore(scalar) { return true }
            context.emoji = .none
        }
        switch scalar.value {
        case Self.emojiStyle, Self.keycap:
            // A number in a box stands ahead of an item.
            if scalar.value == Self.keycap, context.line == .number { context.isItem = true }
            input.skip(scalar.count)
            return true
        default:
            guard scalar.value.mayBeEmoji, isShownAsEmoji(scalar) else { return false }
            // Ahead of a line it is a bullet.
            if context.line == .begin, parts.contains(.markdown), !context.isCode { context.isItem = true }
            // To signs next to it, it is what it was: no blank.
            leaveOut(scalar)
            context.emoji = .symbol
            return true
        }
    }

    /// A skin, a style, a flag's letters, or another picture behind a joiner.
    private mutating func takeMore(_ scalar: SpeechInput.Scalar) -> Bool {
        switch scalar.value {
        case Self.textStyle, Self.emojiStyle, Self.keycap, 0x1F3FB...0x1F3FF, 0xE0020...0xE007F: break
        case Self.joiner: context.emoji = .joiner
        default:
            guard context.emoji == .joiner, scalar.value.isEmoji else {
                if context.skipped == .nothing { context.skip(.spaces) }
                return false
            }
            context.emoji = .symbol
        }
        input.skip(scalar.count)
        return true
    }

    /// Whether what follows asks for a picture, or does not ask for text where a picture is the rule.
    private mutating func isShownAsEmoji(_ scalar: SpeechInput.Scalar) -> Bool {
        guard scalar.value.isEmoji else { return false }
        let next = input.wholeScalar(at: scalar.count)
        if Unicode.Scalar(scalar.value)?.properties.isEmojiPresentation == true { return next.value != Self.textStyle }
        switch next.value {
        case Self.emojiStyle, 0x1F3FB...0x1F3FF: return true
        case Self.joiner: return input.wholeScalar(at: scalar.count + next.count).value.isEmoji
        default: return false
        }
    }
}

extension UInt32 {
    /// Told by few comparisons, of what can never be shown as an emoji, nor belong to one.
    var mayBeEmoji: Bool {
        switch self {
        case 0xA9, 0xAE, 0x200D, 0x203C, 0x2049, 0x20E3, 0x2122, 0x2139, 0x3030, 0x303D, 0x3297, 0x3299: true
        case 0x2190...0x23FF, 0x24C2, 0x25A0...0x27BF, 0x2934...0x2935, 0x2B00...0x2BFF, 0xFE0E...0xFE0F: true
        case 0xD800...0xDFFF, 0x1F000...0x1FFFF, 0xE0020...0xE007F: true
        default: false
        }
    }

    /// Whether it may be shown as one. Digits are not meant.
    fileprivate var isEmoji: Bool { mayBeEmoji && Unicode.Scalar(self)?.properties.isEmoji == true }
}
