/// What the data of one event of a chat completion stream is, or the body of one that is not streamed.
package enum ChatFrame: Hashable, Sendable {
    /// `[DONE]`, the end of the stream.
    case done
    /// A `chat.completion.chunk` or a whole `chat.completion`: an object with a `choices` array, or with the `usage` alone.
    case chunk(ChatChunk)
    /// The upstream reports an error. Indirect, so that all other frames take no room for it.
    indirect case error(UpstreamError)
    /// JSON with neither `choices` nor an error; clients that expect `choices` break on it.
    case other
    /// Not JSON.
    case garbage(JSONError)

    /// Looks at an event's data, or at a whole response's body: validates it and notes what Sluice must know, in one pass.
    ///
    /// - Parameter depthMax: how many objects and arrays may be open at once.
    package init(_ data: Span<UInt8>, depthMax: Int) {
        var reader = ChunkReader(depthMax: depthMax)
        self.init(data, &reader)
    }

    fileprivate init(_ data: Span<UInt8>, _ reader: inout ChunkReader) {
        if Self.isDone(data) {
            self = .done
            return
        }
        do throws(JSONError) {
            let root = try reader.read(data)
            if reader.mayBeError, let error = UpstreamError(root: root, in: data, besideChoices: reader.hasChoices) {
                self = .error(error)
            } else if let failure = reader.choiceFailure {
                self = .error(UpstreamError(ofChoice: failure, in: data))
            } else {
                self = reader.hasChoices || reader.chunk.hasUsage ? .chunk(reader.chunk) : .other
            }
        } catch {
            self = .garbage(error)
        }
    }

    /// Whether the data is `[DONE]`, white space around it forgiven.
    private static func isDone(_ data: Span<UInt8>) -> Bool {
        let done = "[DONE]".utf8Span.span
        var (start, end) = (0, data.count)
        while start < end, data[start] <= UInt8(ascii: " ") { start += 1 }
        while start < end, data[end - 1] <= UInt8(ascii: " ") { end -= 1 }
        return end - start == done.count && done.indices.allSatisfy { data[start + $0] == done[$0] }
    }
}

/// Looks at the frames of one stream, one after another.
///
/// The chunks of a stream differ in little but the text of `content`, OpenAI's in `obfuscation`, which hides how long that is, and those
/// of some servers in `id`. One that is byte for byte like the last chunk with text, except for what stands in these strings, has the
/// same structure; then the strings alone are scanned.
package struct ChatFrameReader: Sendable {
    private let depthMax: Int
    /// The last chunk with text that is not long, as most are; empty before the first.
    private var model: [UInt8] = []
    /// Where the strings stand in which a chunk may differ from it; in the order of their places.
    private var modelStrings = VariedStrings()
    private var modelID: Range<Int>?
    private var modelChunk = ChatChunk()
    /// Where the last frame says which model answers, unless it was like the one before.
    package private(set) var servedModel: JSONValue?
    /// Where the last frame's text stands, quotes included; of several choices that of the last with one. Nil without any.
    package private(set) var content: Range<Int>?

    /// It is kept as long as the stream lives.
    private static let modelBytesMax = 4096

    /// - Parameter depthMax: how many objects and arrays may be open at once.
    package init(depthMax: Int) { self.depthMax = depthMax }

    /// Looks at the data of the next event, as ``ChatFrame/init(_:depthMax:)`` does.
    package mutating func read(_ data: Span<UInt8>) -> ChatFrame {
        if let text = contentOfChunkLikeModel(in: data) {
            // What was noted of the frame before it stands nowhere in this one.
            (servedModel, content) = (nil, text)
            return .chunk(modelChunk)
        }
        var reader = ChunkReader(depthMax: depthMax)
        let frame = ChatFrame(data, &reader)
        (servedModel, content) = (reader.servedModel, reader.content)
        if case .chunk(let chunk) = frame, chunk.hasContent, let content = reader.content, data.count <= Self.modelBytesMax {
            // Most streams have one id, which is not worth a look of its own then.
            let hasOwnID = hasOtherID(data, at: reader.id)
            modelStrings = VariedStrings(content: content, others: (hasOwnID ? reader.id : nil, reader.obfuscation))
            (model, modelID, modelChunk) = (data.bytes(in: data.indices), reader.id, chunk)
        }
        return frame
    }

    /// Whether a chunk's id is another one than the model's.
    private func hasOtherID(_ data: Span<UInt8>, at id: Range<Int>?) -> Bool {
        guard let id, let modelID else { return false }
        let isSame =
            id.count == modelID.count
            && data.isEqual(to: model.span, at: id.lowerBound, from: modelID.lowerBound, count: id.count)
        return !isSame
    }

    /// Where the content stands when all else is as in the model; nil when it is not.
    private func contentOfChunkLikeModel(in data: Span<UInt8>) -> Range<Int>? {
        let model = model.span
        if model.isEmpty { return nil }
        var content = 0..<0
        // Up to where both are the same but for the strings.
        var (end, modelEnd) = (0, 0)
        do throws(JSONError) {
            for index in 0..<modelStrings.count {
                let string = modelStrings[index]
                // As far as its opening quote.
                let count = string.lowerBound &+ 1 &- modelEnd
                guard data.isEqual(to: model, at: end, from: modelEnd, count: count) else { return nil }
                let start = end &+ count &- 1
                end = try JSONText.end(ofStringAt: start, in: data)
                if index == modelStrings.contentIndex { content = start..<end }
                modelEnd = string.upperBound
            }
        } catch {
            return nil
        }
        // A chunk without text says less.
        guard content.count > 2 else { return nil }
        let rest = model.count &- modelEnd
        guard data.count &- end == rest, data.isEqual(to: model, at: end, from: modelEnd, count: rest) else { return nil }
        return content
    }
}

/// The strings of a chunk that differ from one chunk to the next: its text, and up to two others that say nothing to anybody here.
private struct VariedStrings {
    private var ranges: InlineArray<3, Range<Int>> = [0..<0, 0..<0, 0..<0]
    private(set) var count = 0
    /// Which of them is the text.
    private(set) var contentIndex = 0

    init() {}

    /// - Parameters:
    ///   - content: where the text stands, quotes included.
    ///   - others: where the others do, neither of them inside another.
    init(content: Range<Int>, others: (Range<Int>?, Range<Int>?)) {
        insert(content)
        if let other = others.0 { insert(other) }
        if let other = others.1 { insert(other) }
        while ranges[contentIndex] != content { contentIndex += 1 }
    }

    /// In the order of their places.
    private mutating func insert(_ range: Range<Int>) {
        var index = count
        while index > 0, ranges[index - 1].lowerBound > range.lowerBound {
            ranges[index] = ranges[index - 1]
            index -= 1
        }
        ranges[index] = range
        count += 1
    }

    subscript(index: Int) -> Range<Int> { ranges[index] }
}

/// What Sluice must know of a chunk or a completion. The bytes themselves are forwarded untouched.
package struct ChatChunk: Hashable, Sendable {
    /// How many choices there are. Azure's first chunk and the usage chunk have none.
    package fileprivate(set) var choicesCount = 0
    /// Whether there is no `choices` array, which clients expect in every frame: only beside `usage`.
    package fileprivate(set) var lacksChoices = true
    /// Those that have a `finish_reason`, a bit for each by its `index`, or else by its place.
    package fileprivate(set) var finished = ChoiceSet()
    /// Those whose delta (or message) says anything, be it only reasoning, told apart as `finished`. A role says nothing.
    package fileprivate(set) var spoken = ChoiceSet()
    /// Whether any delta (or message) says anything.
    package fileprivate(set) var saysAnything = false
    /// A delta (or message) has text in `content`.
    package fileprivate(set) var hasContent = false
    /// A delta (or message) has `tool_calls` or `function_call`.
    package fileprivate(set) var hasToolCalls = false
    /// A delta (or message) has text in `refusal`.
    package fileprivate(set) var hasRefusal = false
    /// A delta (or message) has a `role`.
    package fileprivate(set) var hasRole = false
    /// A delta (or message) has something in `audio`.
    package fileprivate(set) var hasAudio = false
    /// `usage` is there and not null.
    package fileprivate(set) var hasUsage = false

    /// Whether a completion of this is any answer: `{"choices":[]}` and `{"choices":[{}]}` are none.
    package var isAnswer: Bool { saysAnything || hasRole || !finished.isEmpty }

    /// Whether it is the chunk at a stream's end that tells the usage alone (`stream_options.include_usage`).
    package var isUsageOnly: Bool { hasUsage && choicesCount == 0 }
}

private struct ChunkReader {
    private(set) var chunk = ChatChunk()
    /// The object has a `choices` array.
    private(set) var hasChoices = false
    /// Whether it is worth a closer look: beside `choices` only for some members. Some servers send an empty `error` with each chunk.
    var mayBeError: Bool { hasError || !hasChoices }
    private var hasError = false
    /// What a choice says of its failure: its `error`, or a finish reason that is none. Some servers say no more of it than that.
    private(set) var choiceFailure: JSONValue?
    /// Where the last text in a `content` stands, quotes included.
    private(set) var content: Range<Int>?
    private(set) var servedModel: JSONValue?
    /// Where the strings of these names stand in the object, quotes included; of several with one name the last.
    private(set) var id: Range<Int>?
    private(set) var obfuscation: Range<Int>?
    private var scanner: JSONScanner

    init(depthMax: Int) {
        scanner = JSONScanner(depthMax: depthMax)
    }

    mutating func read(_ data: Span<UInt8>) throws(JSONError) -> JSONValue {
        let kind = try scanner.nextKind(data)
        let start = scanner.offset
        if kind == .object {
            try readRoot(data)
        } else {
            _ = try scanner.value(data)
        }
        let root = JSONValue(kind: kind, range: start..<scanner.offset)
        try scanner.end(data)
        return root
    }

    private mutating func readRoot(_ data: Span<UInt8>) throws(JSONError) {
        try scanner.beginObject(data)
        while let key = try scanner.nextKey(data) {
            if key == .choices {
                try readChoices(data)
                continue
            }
            let value = try scanner.value(data)
            switch key {
            case .usage: chunk.hasUsage = value.kind != .null
            case .model: servedModel = value
            case .id: id = value.kind == .string ? value.range : nil
            case .obfuscation: obfuscation = value.kind == .string ? value.range : nil
            case .error, .baseResponse: hasError = hasError || value.kind != .null
            // A length of 7 is that of "error": a chunk's longer value is not worth a key.
            case .object:
                hasError =
                    hasError || value.kind == .string && value.range.count == 7 && JSONKey(value.range, in: data) == .error
            default: break
            }
        }
    }

    /// Of several the last counts: what was noted of those before it is forgotten.
    private mutating func readChoices(_ data: Span<UInt8>) throws(JSONError) {
        if hasChoices {
            let hasUsage = chunk.hasUsage
            (chunk, hasChoices, content, choiceFailure) = (ChatChunk(), false, nil, nil)
            chunk.hasUsage = hasUsage
        }
        guard try isNext(.array, data) else { return }
        var count = 0
        try scanner.beginArray(data)
        while try scanner.nextElement(data) {
            count += 1
            try readChoice(at: count - 1, data)
        }
        (hasChoices, chunk.lacksChoices, chunk.choicesCount) = (true, false, count)
    }

    private mutating func readChoice(at position: Int, _ data: Span<UInt8>) throws(JSONError) {
        guard try isNext(.object, data) else { return }
        var (index, reason, error): (JSONValue?, JSONValue?, JSONValue?) = (nil, nil, nil)
        var (isFinished, isSpoken) = (false, false)
        try scanner.beginObject(data)
        while let key = try scanner.nextKey(data) {
            if key == .delta || key == .message {
                if try readDelta(data) { isSpoken = true }
            } else {
                let value = try scanner.value(data)
                switch key {
                case .finishReason: (isFinished, reason) = (value.isFinishReason(in: data), value)
                case .index: index = value
                case .error: error = value
                default: break
                }
            }
        }
        if let error, UpstreamError.isAny(error, in: data) {
            choiceFailure = error
        } else if isFinished, let reason, reason.isFailure(in: data) {
            choiceFailure = reason
        }
        guard isFinished || isSpoken else { return }
        let number = index?.integer(in: data) ?? position
        if isFinished { chunk.finished.insert(number) }
        guard isSpoken else { return }
        chunk.spoken.insert(number)
        chunk.saysAnything = true
    }

    /// - Returns: whether it says anything.
    private mutating func readDelta(_ data: Span<UInt8>) throws(JSONError) -> Bool {
        guard try isNext(.object, data) else { return false }
        var saysAnything = false
        try scanner.beginObject(data)
        while let key = try scanner.nextKey(data) {
            let value = try scanner.value(data)
            guard value.kind != .null, !value.isEmpty(in: data) else { continue }
            switch key {
            case .content:
                (chunk.hasContent, saysAnything) = (true, true)
                if value.kind == .string { content = value.range }
            case .toolCalls, .functionCall: (chunk.hasToolCalls, saysAnything) = (true, true)
            case .refusal: (chunk.hasRefusal, saysAnything) = (true, true)
            case .audio: (chunk.hasAudio, saysAnything) = (true, true)
            case .role: chunk.hasRole = true
            // Reasoning has a name of its own with each server.
            default: if value.kind == .string || value.kind == .array || value.kind == .object { saysAnything = true }
            }
        }
        return saysAnything
    }

    /// Whether a value of this kind follows; one of another kind is stepped over.
    private mutating func isNext(_ kind: JSONValue.Kind, _ data: Span<UInt8>) throws(JSONError) -> Bool {
        if try scanner.nextKind(data) == kind { return true }
        _ = try scanner.value(data)
        return false
    }
}

extension JSONValue {
    /// Whether it says that its choice is complete. Some servers send `""`, or `"null"`, with each chunk before the last.
    func isFinishReason(in document: Span<UInt8>) -> Bool {
        kind == .string && !isEmpty(in: document) && !JSONText.isEqual(range, to: "null", in: document)
    }
}

extension JSONValue {
    /// Whether a finish reason says that its choice has failed: vLLM and SGLang write `abort`, and routers `error`.
    fileprivate func isFailure(in document: Span<UInt8>) -> Bool {
        JSONText.isEqual(range, to: "error", in: document) || JSONText.isEqual(range, to: "abort", in: document)
    }
}

/// Some of a stream's choices, by their `index`.
package struct ChoiceSet: Hashable, Sendable {
    /// OpenAI's own limit of `n`.
    package static let countMax = 128
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    /// None of them.
    package init() {}

    /// The choices of a request that wants so many.
    package init(count: Int) {
        for index in 0..<min(max(0, count), Self.countMax) { insert(index) }
    }

    /// Whether there is no choice in it.
    package var isEmpty: Bool { low | high == 0 }

    /// One that cannot be a choice's is left out.
    package mutating func insert(_ index: Int) {
        guard (0..<Self.countMax).contains(index) else { return }
        if index < 64 { low |= 1 << UInt64(index) } else { high |= 1 << UInt64(index - 64) }
    }

    /// Adds all choices of another set.
    package mutating func formUnion(_ others: ChoiceSet) {
        low |= others.low
        high |= others.high
    }

    /// Takes out all choices of another set.
    package mutating func subtract(_ others: ChoiceSet) {
        low &= ~others.low
        high &= ~others.high
    }

    /// Whether it has no choice of another set.
    package func isDisjoint(with others: ChoiceSet) -> Bool { low & others.low | high & others.high == 0 }

    /// Whether it has all choices of another set.
    package func isSuperset(of others: ChoiceSet) -> Bool {
        low & others.low == others.low && high & others.high == others.high
    }
}

extension JSONKey {
    static var choices: JSONKey { JSONKey(["c", "h", "o", "i", "c", "e", "s"]) }
    static var usage: JSONKey { JSONKey(["u", "s", "a", "g", "e"]) }
    static var model: JSONKey { JSONKey(["m", "o", "d", "e", "l"]) }
    static var error: JSONKey { JSONKey(["e", "r", "r", "o", "r"]) }
    static var object: JSONKey { JSONKey(["o", "b", "j", "e", "c", "t"]) }
    static var baseResponse: JSONKey { JSONKey(["b", "a", "s", "e", "_", "r", "e", "s", "p"]) }
    static var id: JSONKey { JSONKey(["i", "d"]) }
    static var obfuscation: JSONKey { JSONKey(["o", "b", "f", "u", "s", "c", "a", "t", "i", "o", "n"]) }
    static var index: JSONKey { JSONKey(["i", "n", "d", "e", "x"]) }
    static var delta: JSONKey { JSONKey(["d", "e", "l", "t", "a"]) }
    static var message: JSONKey { JSONKey(["m", "e", "s", "s", "a", "g", "e"]) }
    static var finishReason: JSONKey { JSONKey(["f", "i", "n", "i", "s", "h", "_", "r", "e", "a", "s", "o", "n"]) }
    static var role: JSONKey { JSONKey(["r", "o", "l", "e"]) }
    static var content: JSONKey { JSONKey(["c", "o", "n", "t", "e", "n", "t"]) }
    static var toolCalls: JSONKey { JSONKey(["t", "o", "o", "l", "_", "c", "a", "l", "l", "s"]) }
    static var functionCall: JSONKey { JSONKey(["f", "u", "n", "c", "t", "i", "o", "n", "_", "c", "a", "l", "l"]) }
    static var refusal: JSONKey { JSONKey(["r", "e", "f", "u", "s", "a", "l"]) }
    static var audio: JSONKey { JSONKey(["a", "u", "d", "i", "o"]) }
}
