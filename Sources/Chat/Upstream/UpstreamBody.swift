/// A request's body for the upstream, in parts that follow one another. What is large is the caller's own bytes, where they are.
package struct UpstreamBody: Sendable {
    /// What it begins with: the whole JSON object, unless something in it is large.
    package private(set) var opening: [UInt8] = []
    /// What follows, in this order.
    package private(set) var rest: [ArraySlice<UInt8>] = []
    /// How many bytes of it are no other's.
    package private(set) var copiedCount = 0

    /// The whole of it, in one piece.
    package var bytes: [UInt8] { opening + rest.joined() }

    /// Adds bytes that stay where they are.
    fileprivate mutating func share(_ bytes: ArraySlice<UInt8>) { rest.append(bytes) }

    /// Adds bytes of its own.
    fileprivate mutating func append(_ bytes: [UInt8]) {
        copiedCount += bytes.count
        if opening.isEmpty { opening = bytes } else { rest.append(bytes[...]) }
    }
}

/// A body for the upstream while its members are written, one behind the other.
private struct UpstreamBodyWriter {
    private var upstream = UpstreamBody()
    /// What has been written behind the last part.
    var buffer: [UInt8] = []
    /// Members of the caller's that go out as they stand, next: where they are in the caller's body.
    private var run = 0..<0
    private var separator = UInt8(ascii: "{")

    /// - Parameter capacity: about how many bytes are written.
    init(capacity: Int) { buffer.reserveCapacity(capacity) }

    /// Adds a member of the caller's as it stands.
    mutating func append(memberAt place: Range<Int>, of body: [UInt8]) {
        // There is no member in so few bytes.
        if !run.isEmpty, (1...3).contains(place.lowerBound - run.upperBound) {
            run = run.lowerBound..<place.upperBound
        } else {
            beginMember(of: body)
            run = place
        }
    }

    /// Adds what stands ahead of a member.
    mutating func beginMember(of body: [UInt8]) {
        flush(body)
        buffer.append(separator)
        separator = UInt8(ascii: ",")
    }

    /// Adds a value that stays where it is, behind what has been written.
    mutating func share(_ value: ArraySlice<UInt8>) {
        upstream.append(exchange(&buffer, with: []))
        upstream.share(value)
    }

    /// Ends the object, and hands it over.
    mutating func finish(of body: [UInt8]) -> UpstreamBody {
        flush(body)
        buffer.append(UInt8(ascii: "}"))
        upstream.append(exchange(&buffer, with: []))
        return exchange(&upstream, with: UpstreamBody())
    }

    private mutating func flush(_ body: [UInt8]) {
        if !run.isEmpty { buffer.append(body.span.extracting(run)) }
        run = 0..<0
    }
}

extension ChatRequest {
    /// A value of so many bytes, and so large a share of the body, is not copied.
    private static let (sharedBytesMin, sharedPartsMax) = (64 << 10, 64)

    /// The request for the upstream (contract §2), put together from the caller's bytes: every value byte for byte, the members in the
    /// caller's order, each name once.
    ///
    /// At the front stand a `model` that is not the caller's own, and `stream` for a stream that the caller did not spell out. At
    /// the end stand the `stream_options` of a caller who sent none, and parameters that the settings add. Behind the messages stands
    /// what has been said already, if anything has.
    ///
    /// - Parameter call: the call's id, for parameters that the settings set to it.
    package func upstreamBody(_ rules: UpstreamRules, call: String? = nil) -> UpstreamBody {
        guard rules.edits.isEmpty, said == nil, !mayShare else { return editedBody(rules, call) }
        var writer = UpstreamBodyWriter(capacity: forwardedCount(rules))
        forEachForwarded(rules) { member in
            if rules.passes(member.name) { write(member, rules, end: [], to: &writer) }
        }
        return writer.finish(of: body)
    }

    /// The same where members are changed, or values shared.
    private func editedBody(_ rules: UpstreamRules, _ call: String?) -> UpstreamBody {
        var members: [UpstreamMember] = []
        members.reserveCapacity(self.members.count + 4)
        forEachForwarded(rules) { members.append($0) }
        for edits in rules.edits { members.apply(edits, call: call) }
        if said != nil { members.apply(rules.continuation.edits, call: call) }
        members.removeAll { !$0.isSettings && !rules.passes($0.name) }
        let end = said.map(rules.continuation.end(ofMessagesBehind:)) ?? []
        var writer = UpstreamBodyWriter(
            capacity: members.reduce(128) { $0 + (shared($1.value, rules) != nil ? 128 + $1.openingCount : $1.byteCount) })
        for member in members { write(member, rules, end: end, to: &writer) }
        return writer.finish(of: body)
    }

    /// Whether there may be values that are large enough to be shared.
    private var mayShare: Bool { body.count >= Self.sharedBytesMin }

    /// About how many bytes go out of a body of which nothing is changed.
    private func forwardedCount(_ rules: UpstreamRules) -> Int {
        var count = 192 + (ownMessage?.json.count ?? 0)
        let members = members.span
        for index in members.indices where members[index].parameter?.isKnownToOpenAI ?? rules.passesAll {
            count += members[index].name.utf8.count + 4 + members[index].value.range.count
        }
        return count
    }

    /// Calls `body` with each member that goes out, in their order, before the settings' edits.
    private func forEachForwarded(_ rules: UpstreamRules, _ body: (UpstreamMember) -> Void) {
        if let model = rules.model ?? (model == nil ? rules.defaultModel : nil) {
            body(UpstreamMember("model", .text(model)))
        }
        if isStreaming, members.value(.stream) == nil {
            body(UpstreamMember("stream", .settings([UInt8]("true".utf8))))
        }
        let user = userMember(rules)
        let members = members.span
        for index in members.indices where isForwarded(members[index], user, rules) {
            body(upstreamMember(members[index], user))
        }
        if isStreaming, rules.askMoreOfStreams, !self.members.contains(where: { $0.parameter == .stream_options }) {
            body(UpstreamMember("stream_options", .streamOptions(nil)))
        }
    }

    /// Which member goes out as `user`: ElevenLabs says `user_id`. Settings that name `user_id` mean something else by it.
    private func userMember(_ rules: UpstreamRules) -> Parameter {
        guard members.value(.user) == nil, members.value(.user_id)?.kind == .string else { return .user }
        return rules.mentions("user_id") ? .user : .user_id
    }

    private func isForwarded(_ member: RequestMember, _ user: Parameter, _ rules: UpstreamRules) -> Bool {
        switch member.parameter {
        case .model: model != nil && rules.model == nil
        case .stream: member.value.kind != .null
        case .metadata: rules.admits(member.name) || isMetadataForwarded(member.value)
        case .tools, .functions: has(member.parameter)
        case .tool_choice, .parallel_tool_calls: has(.tools) || rules.gives("tools")
        case .function_call: has(.functions) || rules.gives("functions")
        case .user: user == .user
        case .user_id: user == .user_id || rules.mentions(member.name)
        case .api_base, .base_url, .api_key: false
        case let parameter?: parameter.isKnownToOpenAI || rules.admits(member.name)
        // Some servers take a name for a known one whatever its capitals are.
        case nil: rules.mentions(member.name) || rules.passesAll && !Parameter.isVariant(member.name)
        }
    }

    /// OpenAI answers 400 to an empty array of tools, and to a choice among none.
    private func has(_ parameter: Parameter?) -> Bool {
        guard let parameter, let value = members.value(parameter) else { return false }
        return !value.isEmpty(in: body.span)
    }

    /// OpenAI takes metadata with `store` alone, and only up to 16 strings; Vapi's holds numbers.
    private func isMetadataForwarded(_ metadata: JSONValue) -> Bool {
        guard !members.includeVapiMember, members.value(.store)?.kind == .true, metadata.kind == .object else { return false }
        var (count, areStrings) = (0, true)
        metadata.forEachMember(in: body.span) { entry in
            count += 1
            areStrings = areStrings && entry.value.kind == .string
        }
        return count <= 16 && areStrings
    }

    private func upstreamMember(_ member: RequestMember, _ user: Parameter) -> UpstreamMember {
        switch member.parameter {
        case .messages:
            UpstreamMember(callers: member, .messages(OutgoingMessages(member.value, behind: ownMessage, in: body.span)))
        case .stream_options where isStreaming: UpstreamMember("stream_options", .streamOptions(member.value))
        case .user_id where user == .user_id: UpstreamMember("user", .callers(member.value))
        default: UpstreamMember(callers: member, .callers(member.value))
        }
    }

    /// - Parameter end: as of `append(_:_:end:to:)`.
    private func write(_ member: UpstreamMember, _ rules: UpstreamRules, end: [UInt8], to writer: inout UpstreamBodyWriter) {
        if !mayShare, let place = place(of: member, rules, hasEnd: !end.isEmpty) {
            return writer.append(memberAt: place, of: body)
        }
        writer.beginMember(of: body)
        writer.buffer.appendJSONString(member.name)
        writer.buffer.append(UInt8(ascii: ":"))
        guard let shared = shared(member.value, rules) else { return append(member.value, rules, end: end, to: &writer.buffer) }
        if case .messages(let messages) = member.value { writer.buffer.append(contentsOf: messages.opening) }
        let isContinued = !end.isEmpty && member.value.isMessages
        writer.share(isContinued ? shared.dropLast() : shared)
        if isContinued { writer.buffer = end }
    }

    /// Where a member stands in the body, name and value, if it goes out as it came: its name has no escapes there, and at most a space
    /// stands behind the colon.
    private func place(of member: UpstreamMember, _ rules: UpstreamRules, hasEnd: Bool) -> Range<Int>? {
        guard let start = member.nameStart, let value = untouched(member.value, rules) else { return nil }
        if case .messages(let messages) = member.value, hasEnd || !messages.opening.isEmpty { return nil }
        let body = body.span
        let colon = start + member.name.utf8.count + 2
        // An escape is longer than what it stands for.
        guard body[colon] == UInt8(ascii: ":"),
            value.lowerBound == colon + 1 || value.lowerBound == colon + 2 && body[colon + 1] == UInt8(ascii: " ")
        else { return nil }
        return start..<value.upperBound
    }

    /// The bytes of a value that is large and goes out as it came.
    private func shared(_ value: UpstreamMember.Value, _ rules: UpstreamRules) -> ArraySlice<UInt8>? {
        guard mayShare, let range = untouched(value, rules),
            range.count >= max(Self.sharedBytesMin, body.count / Self.sharedPartsMax)
        else { return nil }
        return body[range]
    }

    /// Where the bytes of a value stand that goes out as it came.
    private func untouched(_ value: UpstreamMember.Value, _ rules: UpstreamRules) -> Range<Int>? {
        switch value {
        case .callers(let value): value.range
        case .messages where !rules.roles.isEmpty: nil
        case .messages(let messages) where rules.passesAll || rules.messages == .all || messagesWithOtherMembers.isEmpty:
            messages.callers
        case .messages, .streamOptions, .settings, .text: nil
        }
    }

    /// - Parameter end: of the messages, in place of the bracket that closes them; empty for that.
    private func append(_ value: UpstreamMember.Value, _ rules: UpstreamRules, end: [UInt8], to buffer: inout [UInt8]) {
        switch value {
        case .callers(let value): buffer.append(body.span.extracting(value.range))
        case .messages(let messages):
            buffer.appendMessages(
                messages, others: messagesWithOtherMembers, rules.passesAll ? .all : rules.messages, roles: rules.roles,
                end: end, of: body)
        case .streamOptions(let value): buffer.appendStreamOptions(value, rules, needsUsage: needsUsage, of: body)
        case .settings(let json): buffer.append(contentsOf: json)
        case .text(let text): buffer.appendJSONString(text)
        }
    }
}
