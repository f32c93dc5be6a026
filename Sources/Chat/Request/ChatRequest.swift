/// A caller's `POST …/chat/completions` body, validated and checked (contract §1).
///
/// It keeps the body's bytes; all that goes to the upstream is taken from them by range, `messages` among it. Of duplicate
/// top-level members the last one counts and is the only one forwarded: an upstream that reads the first would
/// otherwise be asked for something else than what was checked here. Of a message's members so do the last ones, and none of which the
/// name is a known one but for capitals: a hook is to see what the model sees.
package struct ChatRequest: Sendable {
    /// The body as it came, but for members of messages that nobody is to get.
    package let body: [UInt8]
    /// The top-level members that count, in their order, each name once.
    let members: [RequestMember]
    /// Whether the answer is to be streamed: `stream`, or without it whether the request is Vapi's.
    package let isStreaming: Bool
    /// The `model` asked for; nil when missing, null or empty.
    package let model: String?
    /// Where the messages stand that have members which OpenAI does not know, in their order.
    let messagesWithOtherMembers: [Range<Int>]
    /// Whether a stream's usage is asked for also where the caller said no: somebody has to know it. The caller is not shown it then.
    package var needsUsage = false
    /// What the assistant has said in answer to it so far, as a JSON string: the upstream is to go on with that. Nil for an answer that
    /// begins.
    package var said: [UInt8]?
    /// What goes out ahead of its messages, or in place of the first of them.
    package var ownMessage: OwnMessage?
    /// Whether a hook has put in some of its messages.
    package internal(set) var hasHookMessages = false
    /// How many bytes it keeps beside the body: names that Sluice does not know, and where messages stand.
    package let besideCount: Int

    /// Reads and checks a body.
    /// - Parameters:
    ///   - body: the bytes as they came.
    ///   - depthMax: how many objects and arrays may be open at once.
    /// - Throws: ``ChatError``, always one with status 400: `invalidJSON`, `notAnObject`, `invalidParameter`, `webhook`.
    ///   Unknown members are *not* an error, nor are nulls.
    package init(body: [UInt8], depthMax: Int) throws(ChatError) {
        var (body, reader) = (body, RequestReader(depthMax: depthMax))
        try reader.read(body.span)
        if reader.mayHaveOddMembers, reader.messageError == nil,
            let messages = reader.members.last(where: { $0.parameter == .messages })?.value,
            let plain = try body.withoutOddMembers(in: messages)
        {
            body = plain
            reader = RequestReader(depthMax: depthMax)
            try reader.read(body.span)
        }
        let members = reader.members.lastOfEachName()
        try members.check(body.span)
        if let error = reader.messageError { throw error }
        let model = members.value(.model)?.string(in: body.span)
        let ownNamesCount = members.reduce(0) { $0 + ($1.parameter == nil ? $1.name.utf8.count : 0) }
        self.init(
            body, members, isStreaming: members.value(.stream).map { $0.kind == .true } ?? members.comeFromVapi,
            model: model?.isEmpty == true ? nil : model, messagesWithOtherMembers: reader.messagesWithOtherMembers,
            besideCount: ownNamesCount + reader.messagesWithOtherMembers.capacity * MemoryLayout<Range<Int>>.stride)
    }

    /// By itself: in the midst of what may throw it would be put together, copied and released.
    private init(
        _ body: [UInt8], _ members: [RequestMember], isStreaming: Bool, model: String?, messagesWithOtherMembers: [Range<Int>],
        besideCount: Int
    ) {
        self.body = body
        self.members = members
        self.isStreaming = isStreaming
        self.model = model
        self.messagesWithOtherMembers = messagesWithOtherMembers
        self.besideCount = besideCount
    }
}

extension ChatRequest {
    /// The text of the last message of the user: its content, or the text parts of that, one a line; nil without any. Of a long one
    /// the beginning.
    package var lastUserMessage: String? {
        let content = lastMessageOfUser?.member("content", in: body.span)
        switch content?.kind {
        case .string: return content.map(start)
        case .array: return content.flatMap(joinedParts)
        default: return nil
        }
    }

    /// The last message of the user, whole; nil without any.
    var lastMessageOfUser: JSONValue? { messages.last { self.is($0.member("role", in: body.span), "user") } }

    /// How the conversation began: the bytes of its messages as they came, up to the user's first one. Each request of a call has the same
    /// ones at its front.
    package var openingMessages: [ArraySlice<UInt8>] {
        let messages = members.value(.messages)?.elements(in: body.span, countMax: Self.openingMax) ?? []
        let end = messages.firstIndex { self.is($0.member("role", in: body.span), "user") } ?? messages.endIndex - 1
        return messages.prefix(through: end).map { body[$0.range] }
    }

    private static let openingMax = 16

    private func joinedParts(_ content: JSONValue) -> String? {
        let texts = content.elements(in: body.span, countMax: Self.partsMax).compactMap { part in
            part.member("text", in: body.span).flatMap { $0.kind == .string ? start(of: $0) : nil }
        }
        return texts.isEmpty
            ? nil : String(decoding: texts.joined(separator: "\n").utf8.prefix(Self.startBytesMax), as: UTF8.self)
    }

    private static let partsMax = 16
    /// OpenAI's own limits.
    private static let toolsMax = 128
    private static let toolNameBytesMax = 64
    /// Of a text that is looked at, in bytes.
    private static let startBytesMax = 1024

    private func start(of text: JSONValue) -> String { start(of: text, bytesMax: Self.startBytesMax) }

    private func start(of text: JSONValue, bytesMax: Int) -> String {
        String(decoding: JSONText.bytes(text.range, in: body.span, countMax: bytesMax), as: UTF8.self)
    }

    private func `is`(_ value: JSONValue?, _ text: String) -> Bool {
        value.map { $0.kind == .string && JSONText.isEqual($0.range, to: text, in: body.span) } ?? false
    }

    private var messages: [JSONValue] { members.value(.messages)?.elements(in: body.span) ?? [] }

    /// How many messages are a user's or a tool's, and the beginning of the assistant's last one.
    package var conversation: (turnsCount: Int, lastAnswer: String?) {
        var (count, answer): (Int, JSONValue?) = (0, nil)
        for message in messages {
            let role = message.member("role", in: body.span)
            if self.is(role, "user") || self.is(role, "tool") {
                count += 1
            } else if self.is(role, "assistant") {
                answer = message
            }
        }
        let content = answer?.member("content", in: body.span)
        return (count, content?.kind == .string ? content.map(start) : nil)
    }

    /// Whether the last message is the user's, not a tool's or the assistant's.
    package var endsWithUser: Bool { self.is(messages.last?.member("role", in: body.span), "user") }

    /// Whether `reasoning_effort` is set, to other than `none`; nil when it is not said.
    package var wantsReasoning: Bool? { members.value(.reasoning_effort).map { !self.is($0, "none") } }

    /// The most tokens that the answer may have: `max_completion_tokens`, or the older `max_tokens`; of both the larger one, since
    /// upstreams do not agree which counts. A number below zero stands for any number, as servers have it that know such a one.
    package var maxTokens: Int? {
        let limits = [members.value(.max_completion_tokens), members.value(.max_tokens)].compactMap { $0 }
        return limits.map { $0.count(in: body.span) ?? .max }.max()
    }

    /// Whether the caller asked for the usage chunk (`stream_options.include_usage`); nil when that is not said.
    package var includeUsage: Bool? {
        members.value(.stream_options)?.member("include_usage", in: body.span).flatMap {
            $0.kind == .null ? nil : $0.kind == .true
        }
    }

    /// Whether the answer's text is to be JSON: any `response_format` but `{"type":"text"}`.
    package var wantsJSON: Bool {
        guard let format = members.value(.response_format) else { return false }
        return !self.is(format.member("type", in: body.span), "text")
    }

    /// How many answers the caller wants (`n`).
    package var choicesCount: Int { max(1, members.value(.n)?.count(in: body.span) ?? 1) }

    /// Whether the answer may have sentences of Sluice's own in it: in the midst of JSON, or for one choice of several, one would be none.
    package var takesSentences: Bool { !wantsJSON && choicesCount <= 1 }

    /// The names of the functions that the model may call, from `tools` and from the older `functions`: the first of them, and of long
    /// ones the beginning.
    package var toolNames: [String] {
        let tools = members.value(.tools)?.elements(in: body.span, countMax: Self.toolsMax) ?? []
        let functions = members.value(.functions)?.elements(in: body.span, countMax: Self.toolsMax) ?? []
        let described = tools.compactMap { $0.member("function", in: body.span) } + functions
        return described.compactMap { $0.member("name", in: body.span) }.filter { $0.kind == .string }.map {
            start(of: $0, bytesMax: Self.toolNameBytesMax)
        }
    }
}
