/// Makes the texts of one answer fit to be spoken, chunk by chunk: `content`, and nothing else.
package struct SpeechEdits: Sendable {
    private struct Choice {
        let index: Int
        var filter: SpeechFilter
    }

    /// Indirect, so that a text that begins has no room for it.
    private enum Repetition {
        case none
        indirect case possible(RepeatedText)
    }

    private let parts: SpeechParts
    /// Whether the caller asked for one choice, whatever its number.
    private let isSingle: Bool
    /// As many as have been seen, each with its own text.
    private var choices: [Choice] = []
    /// Whether any text has gone on.
    package private(set) var hasSpoken = false
    /// Whether any of it was what the text that it goes on with had said.
    package private(set) var hasRepeated = false
    /// The chunk of which something was held back last, unless it is long: what is left at the end goes out in one like it.
    private var last: [UInt8] = []
    /// What the text may begin with of one that it goes on with.
    private var repetition = Repetition.none

    /// Of the texts of one chunk, or of one completion. What is more goes on as it is: a loop has no time for it.
    private static let textsBytesMax = 64 << 10
    /// Of a chunk that is kept.
    private static let lastBytesMax = 4096

    /// - Parameter isSingle: whether one choice was asked for.
    package init(_ parts: SpeechParts, isSingle: Bool = true) { (self.parts, self.isSingle) = (parts, isSingle) }

    /// Whether it stands inside a thought that is left out. No other text goes on with it there: it would be one, too.
    package var isThinking: Bool { choices.contains { $0.filter.isThinking } }

    /// The same for a text that goes on with this one, which has broken off: what is open stays open, but for where a link leads to and
    /// code within a line, and what has waited goes ahead. What it repeats of this one is left out.
    ///
    /// - Parameter said: this text as the model wrote it, as a JSON string.
    package func goingOn(behind said: [UInt8]) -> SpeechEdits {
        var edits = self
        edits.hasSpoken = false
        for place in edits.choices.indices { edits.choices[place].filter.breakOff() }
        edits.repetition = .possible(RepeatedText(of: JSONText.bytesWithSurrogates(said.indices, in: said.span)))
        return edits
    }

    private var mayRepeat: Bool { if case .possible = repetition { true } else { false } }

    /// How many bytes are kept of a text that it goes on with.
    package var keptCount: Int { if case .possible(let repeated) = repetition { repeated.keptCount } else { 0 } }

    /// - Parameters:
    ///   - json: a validated chunk, and what is known of it.
    ///   - content: where its text stands, as in ``ChatFrameReader/content``.
    /// - Returns: the chunks that go out in its place; nil where it goes on as it is.
    package mutating func edited(_ json: Span<UInt8>, _ chunk: ChatChunk, content: Range<Int>?) -> [[UInt8]]? {
        let goesOn = chunk.hasContent || !choices.isEmpty && (chunk.hasToolCalls || chunk.hasRefusal || !chunk.finished.isEmpty)
        guard goesOn else { return nil }
        if isSingle, !choices.isEmpty, !mayRepeat, chunk.choicesCount == 1, chunk.finished.isEmpty, !chunk.hasToolCalls,
            let content, choices[0].filter.passes(content.lowerBound + 1..<content.upperBound - 1, in: json)
        {
            hasSpoken = true
            return nil
        }
        if let chunks = slowlyEdited(json) { return chunks }
        hasSpoken = hasSpoken || chunk.hasContent
        return nil
    }

    /// - Returns: chunks with what was held back, for a stream that ends without a finish reason.
    package mutating func finish() -> [[UInt8]] {
        choices.indices.compactMap { place in
            let text = rest(ofChoiceAt: place)
            return text.isEmpty ? nil : Self.chunk(like: last, saying: text, inChoice: choices[place].index)
        }
    }

    /// What has waited of a choice's text, which is at its end or at that of one part of it.
    private mutating func rest(ofChoiceAt place: Int) -> [UInt8] {
        let text = withoutRepetition([], isOver: true)
        let spoken = text.isEmpty ? [] : choices[place].filter.take(text)
        return spoken + choices[place].filter.finish()
    }

    /// What of a text is no repetition.
    private mutating func withoutRepetition(_ text: [UInt8], isOver: Bool) -> [UInt8] {
        guard case .possible(var repeated) = repetition else { return text }
        var text = repeated.take(text)
        if isOver { text += repeated.finish() }
        hasRepeated = hasRepeated || repeated.hasRepeated
        repetition = repeated.isDecided ? .none : .possible(repeated)
        return text
    }

    private mutating func slowlyEdited(_ json: Span<UInt8>) -> [[UInt8]]? {
        var (replacements, isChanged, ahead) = (JSONReplacements(), false, [[UInt8]]())
        var bytesLeft = Self.textsBytesMax
        let elements =
            JSONValue(validated: json).member("choices", in: json)?.elements(in: json, countMax: ChoiceSet.countMax) ?? []
        for (position, element) in elements.enumerated() {
            let members = element.members(["index", "delta", "message", "finish_reason"], in: json)
            let index = members[0]?.integer(in: json) ?? position
            guard let place = place(of: index) else { continue }
            let message = members[1] ?? members[2]
            let content = Self.content(of: message, in: json)
            let isOver = members[3]?.isFinishReason(in: json) == true || Self.goesOnOtherwise(message, in: json)
            if let message, let content, Self.isText(content, &bytesLeft) {
                let text = JSONText.bytesWithSurrogates(content.range, in: json)
                let newText = withoutRepetition(text, isOver: isOver)
                var spoken = choices[place].filter.take(newText)
                if isOver { spoken += choices[place].filter.finish() }
                hasSpoken = hasSpoken || !spoken.isEmpty
                guard spoken != text else { continue }
                isChanged = true
                replacements.set("content", to: Self.string(spoken), in: message, of: json)
            } else if isOver || content != nil {
                // What is no text, or too long a one, goes on as it is.
                hasSpoken = hasSpoken || content != nil
                let text = rest(ofChoiceAt: place)
                guard !text.isEmpty else { continue }
                hasSpoken = true
                ahead.append(Self.chunk(like: model(json), saying: text, inChoice: index))
            }
        }
        guard isChanged || !ahead.isEmpty else { return nil }
        if mayRepeat || choices.contains(where: { $0.filter.heldCount > 0 }) { last = model(json) }
        return ahead + [replacements.applied(to: json.indices, of: json)]
    }

    /// The chunk like which others are made: this one, or one before it where it is long.
    private func model(_ json: Span<UInt8>) -> [UInt8] { json.count <= Self.lastBytesMax ? json.bytes(in: json.indices) : last }

    /// Where the choice of this number has its text; nil for what cannot be a choice's number.
    private mutating func place(of index: Int) -> Int? {
        if isSingle, !choices.isEmpty { return 0 }
        guard (0..<ChoiceSet.countMax).contains(index) else { return nil }
        if let place = choices.firstIndex(where: { $0.index == index }) { return place }
        choices.append(Choice(index: index, filter: SpeechFilter(parts)))
        return choices.count - 1
    }

    /// What a message says, be it no text.
    private static func content(of message: JSONValue?, in json: Span<UInt8>) -> JSONValue? {
        guard let content = message?.member("content", in: json), content.kind != .null, !content.isEmpty(in: json) else {
            return nil
        }
        return content
    }

    /// Whether it is a text, and there is still time for it.
    private static func isText(_ content: JSONValue, _ bytesLeft: inout Int) -> Bool {
        guard content.kind == .string, content.range.count <= bytesLeft else { return false }
        bytesLeft -= content.range.count
        return true
    }

    /// Whether a message calls tools or refuses.
    private static func goesOnOtherwise(_ message: JSONValue?, in json: Span<UInt8>) -> Bool {
        guard let members = message?.members(["tool_calls", "function_call", "refusal"], in: json) else { return false }
        for index in members.indices {
            guard let member = members[index], !member.isEmpty(in: json) else { continue }
            if member.kind == .array || member.kind == .object || member.kind == .string { return true }
        }
        return false
    }

    private static func string(_ text: [UInt8]) -> [UInt8] {
        var json: [UInt8] = []
        json.appendJSONString(withSurrogates: text)
        return json
    }

    /// A chunk that says a text, and what another one says of the answer itself.
    private static func chunk(like other: [UInt8], saying text: [UInt8], inChoice index: Int) -> [UInt8] {
        let json = other.isEmpty ? [UInt8](#"{"object":"chat.completion.chunk"}"#.utf8) : other
        var choice: [UInt8] = []
        choice.append(#"[{"index":\#(index),"delta":{"content":"#)
        choice.appendJSONString(withSurrogates: text)
        choice.append(#"},"finish_reason":null}]"#)
        var replacements = JSONReplacements()
        let root = JSONValue(validated: json.span)
        replacements.set("choices", to: choice, in: root, of: json.span)
        if let usage = root.member("usage", in: json.span), usage.kind != .null {
            replacements.set("usage", to: [UInt8]("null".utf8), in: root, of: json.span)
        }
        return replacements.applied(to: json.indices.lowerBound..<json.count, of: json.span)
    }
}

extension SpeechParts {
    /// A completion that is not streamed, with the texts of its messages made fit to be spoken; everything else stays byte for byte.
    ///
    /// - Parameter json: validated, with `choices`.
    package func spoken(_ json: [UInt8]) -> [UInt8] {
        isEmpty ? json : SpeechEdits.completion(json.span, self)
    }
}

extension SpeechEdits {
    fileprivate static func completion(_ json: Span<UInt8>, _ parts: SpeechParts) -> [UInt8] {
        var (replacements, bytesLeft) = (JSONReplacements(), textsBytesMax)
        let elements =
            JSONValue(validated: json).member("choices", in: json)?.elements(in: json, countMax: ChoiceSet.countMax) ?? []
        for element in elements {
            guard let message = element.member("message", in: json), let content = content(of: message, in: json),
                isText(content, &bytesLeft)
            else { continue }
            let text = JSONText.bytesWithSurrogates(content.range, in: json)
            var filter = SpeechFilter(parts)
            let spoken = filter.take(text) + filter.finish()
            if spoken != text { replacements.set("content", to: string(spoken), in: message, of: json) }
        }
        return replacements.applied(to: json.indices, of: json)
    }
}
