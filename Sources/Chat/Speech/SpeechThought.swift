// `think`: what a model thinks before it answers.

extension SpeechFilter {
    private struct Tags {
        /// How those begin that open and close a thought.
        let open, close: [UInt8]
        /// How both end. Blanks may stand ahead of it.
        let end: [UInt8]

        init(_ open: String, _ close: String, _ end: String) {
            (self.open, self.close, self.end) = ([UInt8](open.utf8), [UInt8](close.utf8), [UInt8](end.utf8))
        }
    }

    /// As models and their servers' templates have them: DeepSeek, Qwen and many more, Seed, Magistral, Kimi.
    private static let tags =
        ["think", "thinking", "thought", "thoughts", "reasoning", "reflection", "seed:think"].map {
            Tags("<\($0)", "</\($0)", ">")
        }
        + [Tags("[think", "[/think", "]"), Tags("◁think", "◁/think", "▷")]
    private static let tagBlanksMax = 8

    /// A tag that opens a thought; or closes one, of which nobody has seen the opening: some templates put that into the prompt.
    mutating func takeTag(_ byte: UInt8) -> Bool {
        guard byte == UInt8(ascii: "<") || byte == UInt8(ascii: "[") || byte == 0xE2, let second = input.peek(1)?.lowercased
        else {
            return false
        }
        for (kind, tags) in Self.tags.enumerated() where tags.open[0] == byte {
            guard second == tags.open[1] || second == UInt8(ascii: "/") else { continue }
            if let count = count(of: tags.open, tags.end) {
                input.skip(count)
                context.thinking = kind
                return true
            }
            if let count = count(of: tags.close, tags.end) {
                endThought(count)
                return true
            }
        }
        return false
    }

    /// How long the tag is that is next, when it is this one.
    private mutating func count(of begin: [UInt8], _ end: [UInt8]) -> Int? {
        guard input.matches(begin) else { return nil }
        let count = begin.count + input.blanks(at: begin.count, atMost: Self.tagBlanksMax)
        return input.matches(end, at: count) ? count + end.count : nil
    }

    /// Leaves out what is thought, as far as its closing tag.
    mutating func skipThought() {
        guard let kind = context.thinking else { return }
        let tags = Self.tags[kind]
        if let count = count(of: tags.close, tags.end) {
            context.thinking = nil
            endThought(count)
        } else {
            guard !input.isShort else { return }
            repeat { input.skip(1) } while input.next.map { $0 != tags.close[0] } ?? false
        }
    }

    private mutating func endThought(_ count: Int) {
        input.skip(count)
        context.skip(.blanks)
    }
}
