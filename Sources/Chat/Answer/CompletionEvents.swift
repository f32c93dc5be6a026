/// A whole completion as the events of a stream: for an upstream that answers a stream request with one JSON object, which
/// clients of a stream do not see at all (contract §3).
package enum CompletionEvents {
    /// OpenAI's own limit of `n`. The events repeat the completion's `id` and `model` for each choice.
    private static let choicesMax = 128
    /// As many as a request has, of a completion, of a choice, and of a message's tool calls.
    fileprivate static let membersMax = 1024

    /// For each choice a chunk with its whole message as the delta, then for each one with its finish reason, then the usage, then
    /// `[DONE]`. Values are the completion's bytes. Nothing is made up, but the numbers (`index`) by which clients put the choices
    /// and tool calls of a stream together, where the completion leaves them to the order, and a finish reason that it leaves out.
    ///
    /// - Parameters:
    ///   - completion: validated, with `choices`, as in ``ChatFrame/chunk(_:)``.
    ///   - edits: changes that all chunks get.
    ///   - includesUsage: whether the caller asked for the usage of the stream.
    /// - Returns: nil for what would not be a whole answer: there is no choice, or one with a message that is no object, or without
    ///   both message and finish reason. Also for more than 128 choices, or 1,024 members or tool calls in one place.
    package static func events(of completion: [UInt8], edits: ChunkEdits, includesUsage: Bool) -> [UInt8]? {
        let json = edits.isEmpty ? completion : edits.edited(completion.span)
        var stream = ChunkStream(JSONValue(validated: json.span), in: json.span)
        let elements = stream.choices?.elements(in: json.span, countMax: choicesMax + 1) ?? []
        guard stream.membersCount <= membersMax, (1...choicesMax).contains(elements.count) else { return nil }
        var choices: [CompletionChoice] = []
        for (position, element) in elements.enumerated() {
            guard let choice = CompletionChoice(element, at: position, in: json.span) else { return nil }
            choices.append(choice)
        }

        for choice in choices { stream.append(choices: choice.message) }
        for choice in choices { stream.append(choices: choice.finish) }
        if includesUsage, let usage = stream.usage, usage.kind != .null {
            stream.append(choices: [], usage: json.span.bytes(in: usage.range))
        }
        return stream.finish()
    }
}

/// One choice of a completion as the choices of two chunks.
private struct CompletionChoice {
    /// With the whole message, and all else that stands beside it.
    let message: [UInt8]
    /// With an empty delta and the finish reason.
    let finish: [UInt8]

    /// - Returns: nil when the choice has a message that is no object, or has neither a message nor a finish reason.
    init?(_ choice: JSONValue, at position: Int, in json: Span<UInt8>) {
        var (message, delta, reason, index): (JSONValue?, JSONValue?, JSONValue?, JSONValue?) = (nil, nil, nil, nil)
        var (others, count) = ([UInt8](), 0)
        choice.forEachMember(in: json, countMax: CompletionEvents.membersMax + 1) { member in
            count += 1
            switch JSONKey(member.name, in: json) {
            case .message: message = member.value
            case .delta: delta = member.value
            case .finishReason: reason = member.value
            case .index: index = member.value
            default: others.append(member, of: json)
            }
        }
        guard count <= CompletionEvents.membersMax else { return nil }
        let said = message ?? delta
        let calls = said?.member("tool_calls", in: json)
        guard let delta = Self.delta(said, calling: calls, in: json),
            let finishReason = Self.finishReason(reason, saying: said, calling: calls, in: json)
        else { return nil }

        var opening: [UInt8] = []
        opening.append(#"{"index":"#)
        if let index, index.kind != .null {
            opening.append(contentsOf: json.bytes(in: index.range))
        } else {
            opening.append("\(position)")
        }
        opening.append(",")

        self.message = opening + others + #""delta":"#.utf8 + delta + #","finish_reason":null}"#.utf8
        finish = opening + #""delta":{},"finish_reason":"#.utf8 + finishReason + "}".utf8
    }

    /// Some servers leave it out. The document is whole by its own end, so there is one all the same.
    private static func finishReason(
        _ reason: JSONValue?, saying said: JSONValue?, calling calls: JSONValue?, in json: Span<UInt8>
    ) -> [UInt8]? {
        if let reason, reason.isFinishReason(in: json) { return json.bytes(in: reason.range) }
        guard let said, said.kind == .object else { return nil }
        return [UInt8](calls.map { $0.kind == .array && !$0.isEmpty(in: json) } == true ? "\"tool_calls\"".utf8 : "\"stop\"".utf8)
    }

    /// The message with the tool calls numbered. Azure leaves out a message that its filter has taken away.
    private static func delta(_ message: JSONValue?, calling calls: JSONValue?, in json: Span<UInt8>) -> [UInt8]? {
        guard let message, message.kind != .null else { return [UInt8]("{}".utf8) }
        guard message.kind == .object else { return nil }
        var replacements = JSONReplacements()
        let calls = calls?.elements(in: json, countMax: CompletionEvents.membersMax + 1) ?? []
        guard calls.count <= CompletionEvents.membersMax else { return nil }
        for (position, call) in calls.enumerated() where call.kind == .object {
            guard call.member("index", in: json)?.kind ?? .null == .null else { continue }
            replacements.set("index", to: [UInt8]("\(position)".utf8), in: call, of: json)
        }
        return replacements.applied(to: message.range, of: json)
    }
}

/// Writes chunks that share what a completion says about itself.
private struct ChunkStream: ~Copyable {
    private var events: [UInt8] = []
    /// The beginning of each chunk: its brace, and members with a comma each.
    private var head: [UInt8] = []
    /// Members that a chunk need not have, and long ones. They come once, with the first chunk.
    private var others: [UInt8] = []
    /// Of the completion.
    private(set) var choices: JSONValue?
    private(set) var usage: JSONValue?
    private(set) var membersCount = 0

    /// What stands in each chunk.
    private static let ofEach = ["id", "created", "model", "service_tier", "system_fingerprint"]
    /// For all that stands in each chunk: it is repeated twice for each choice. What finds no room in it comes once.
    private static let headBytesMax = 4 << 10

    init(_ completion: JSONValue, in json: Span<UInt8>) {
        head.append("{")
        completion.forEachMember(in: json, countMax: CompletionEvents.membersMax + 1) { member in
            membersCount += 1
            switch JSONKey(member.name, in: json) {
            case .choices: choices = member.value
            case .usage: usage = member.value
            case .object: break
            default:
                let hasRoom = head.count + member.range.count <= Self.headBytesMax
                if hasRoom, Self.ofEach.contains(where: { JSONText.isEqual(member.name, to: $0, in: json) }) {
                    head.append(member, of: json)
                } else {
                    others.append(member, of: json)
                }
            }
        }
        head.append(#""object":"chat.completion.chunk","#)
    }

    /// - Parameters:
    ///   - choices: the elements of `choices`.
    ///   - usage: the value of `usage`.
    mutating func append(choices: [UInt8], usage: [UInt8]? = nil) {
        var chunk = head
        chunk.append(contentsOf: others)
        others = []
        chunk.append(#""choices":["#)
        chunk.append(contentsOf: choices)
        chunk.append("]")
        if let usage {
            chunk.append(#","usage":"#)
            chunk.append(contentsOf: usage)
        }
        chunk.append("}")
        events.appendEvent(chunk)
    }

    consuming func finish() -> [UInt8] {
        events.appendDoneEvent()
        return events
    }
}

extension [UInt8] {
    /// Appends a member as it stands, and a comma.
    fileprivate mutating func append(_ member: JSONMember, of json: Span<UInt8>) {
        append(contentsOf: json.bytes(in: member.name))
        append(":")
        append(contentsOf: json.bytes(in: member.value.range))
        append(",")
    }
}
