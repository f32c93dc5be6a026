// `think`: what a model thinks before it answers.

extension SpeechFilter {
    /// As models and their servers' templates have them: DeepSeek, Qwen and many more, Seed, Magistral, Kimi.
    private static let tags: [(open: [UInt8], close: [UInt8])] =
        ["think", "thinking", "thought", "thoughts", "reasoning", "reflection", "seed:think"].map {
            ([UInt8]("<\($0)>".utf8), [UInt8]("</\($0)>".utf8))
        } + [("[think]", "[/think]"), ("◁think▷", "◁/think▷")].map { ([UInt8]($0.utf8), [UInt8]($1.utf8)) }

    /// A tag that opens a thought; or closes one, of which nobody has seen the opening: some templates put that into the prompt.
    mutating func takeTag(_ byte: UInt8) -> Bool {
        guard byte == UInt8(ascii: "<") || byte == UInt8(ascii: "[") || byte == 0xE2 else { return false }
        for (kind, tag) in Self.tags.enumerated() {
            if input.matches(tag.open) {
                input.skip(tag.open.count)
                context.thinking = kind
                return true
            }
            if input.matches(tag.close) {
                endThought(tag.close)
                return true
            }
        }
        return false
    }

    /// Leaves out what is thought, as far as its closing tag.
    mutating func skipThought() {
        guard let kind = context.thinking else { return }
        let close = Self.tags[kind].close
        if input.matches(close) {
            context.thinking = nil
            endThought(close)
        } else {
            guard !input.isShort else { return }
            repeat { input.skip(1) } while input.next.map { $0 != close[0] } ?? false
        }
    }

    private mutating func endThought(_ tag: [UInt8]) {
        input.skip(tag.count)
        context.skip(.blanks)
    }
}
