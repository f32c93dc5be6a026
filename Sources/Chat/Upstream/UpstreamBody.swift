/// A request's body for the upstream, in parts that follow one another. What is large is the caller's own bytes, where they are.
package struct UpstreamBody: Sendable {
    /// What goes out, in this order: joined, it is one JSON object.
    package private(set) var parts: [ArraySlice<UInt8>] = []
    /// How many bytes of it are no other's.
    package private(set) var copiedCount = 0

    /// The whole of it, in one piece.
    package var bytes: [UInt8] { Array(parts.joined()) }

    /// Adds bytes that stay where they are.
    fileprivate mutating func share(_ bytes: ArraySlice<UInt8>) { parts.append(bytes) }

    /// Adds bytes of its own.
    fileprivate mutating func append(_ bytes: [UInt8]) {
        copiedCount += bytes.count
        parts.append(bytes[...])
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
        var members = forwardedMembers(rules)
        for edits in rules.edits { members.apply(edits, call: call) }
        if said != nil { members.apply(rules.continuation.edits, call: call) }
        members.removeAll { !$0.isSettings && !rules.passes($0.name) }
        return written(members, rules)
    }

    /// What goes out, before the settings' edits.
    private func forwardedMembers(_ rules: UpstreamRules) -> [UpstreamMember] {
        var forwarded: [UpstreamMember] = []
        forwarded.reserveCapacity(members.count + 4)
        if let model = rules.model ?? (model == nil ? rules.defaultModel : nil) {
            forwarded.append(UpstreamMember("model", .text(model)))
        }
        if isStreaming, members.value(.stream) == nil {
            forwarded.append(UpstreamMember("stream", .settings([UInt8]("true".utf8))))
        }
        let user = userMember(rules)
        for member in members where isForwarded(member, user, rules) {
            let name = member.parameter == .user_id && user == .user_id ? "user" : member.name
            forwarded.append(UpstreamMember(name, upstreamValue(of: member)))
        }
        if isStreaming, rules.askMoreOfStreams, !members.contains(where: { $0.parameter == .stream_options }) {
            forwarded.append(UpstreamMember("stream_options", .streamOptions(nil)))
        }
        return forwarded
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

    private func upstreamValue(of member: RequestMember) -> UpstreamMember.Value {
        switch member.parameter {
        case .messages: .messages(OutgoingMessages(member.value, behind: ownMessage, in: body.span))
        case .stream_options where isStreaming: .streamOptions(member.value)
        default: .callers(member.value)
        }
    }

    private func written(_ members: [UpstreamMember], _ rules: UpstreamRules) -> UpstreamBody {
        var upstream = UpstreamBody()
        let mayShare = body.count >= Self.sharedBytesMin
        let end = said.map(rules.continuation.end(ofMessagesBehind:)) ?? []
        var buffer: [UInt8] = []
        buffer.reserveCapacity(
            members.reduce(128) { $0 + (mayShare && shared($1.value, rules) != nil ? 128 + $1.openingCount : $1.byteCount) })
        // Members of the caller's that go out as they stand, one behind the other.
        var run = 0..<0
        var separator = UInt8(ascii: "{")
        for member in members {
            let place = mayShare ? nil : place(of: member, rules, hasEnd: !end.isEmpty)
            // There is no member in so few bytes.
            if let place, !run.isEmpty, (1...3).contains(place.lowerBound - run.upperBound) {
                run = run.lowerBound..<place.upperBound
                continue
            }
            buffer.append(contentsOf: body[run])
            buffer.append(separator)
            separator = UInt8(ascii: ",")
            run = place ?? 0..<0
            guard place == nil else { continue }
            buffer.appendJSONString(member.name)
            buffer.append(UInt8(ascii: ":"))
            if mayShare, let shared = shared(member.value, rules) {
                if case .messages(let messages) = member.value { buffer.append(contentsOf: messages.opening) }
                upstream.append(exchange(&buffer, with: []))
                let isContinued = !end.isEmpty && member.value.isMessages
                upstream.share(isContinued ? shared.dropLast() : shared)
                if isContinued { buffer = end }
            } else {
                append(member.value, rules, end: end, to: &buffer)
            }
        }
        buffer.append(contentsOf: body[run])
        buffer.append("}")
        upstream.append(buffer)
        return upstream
    }

    /// Where a member stands in the body, name and value, if it goes out as it came.
    private func place(of member: UpstreamMember, _ rules: UpstreamRules, hasEnd: Bool) -> Range<Int>? {
        guard let value = untouched(member.value, rules) else { return nil }
        if case .messages(let messages) = member.value, hasEnd || !messages.opening.isEmpty { return nil }
        return start(of: member.name, aheadOf: value.lowerBound).map { $0..<value.upperBound }
    }

    /// Where a name stands in the body, with its quotes, if it has no escapes there, and at most a space behind its colon.
    private func start(of name: String, aheadOf value: Int) -> Int? {
        let (name, body) = (name.utf8Span.span, body.span)
        let colon = value - (body[value - 1] == UInt8(ascii: " ") ? 2 : 1)
        let start = colon - name.count - 2
        let quote = UInt8(ascii: "\"")
        guard start > 0, body[colon] == UInt8(ascii: ":"), body[colon - 1] == quote, body[start] == quote,
            body[start - 1] != UInt8(ascii: "\\")
        else { return nil }
        return body.isEqual(to: name, at: start + 1, from: 0, count: name.count) ? start : nil
    }

    /// The bytes of a value that is large and goes out as it came.
    private func shared(_ value: UpstreamMember.Value, _ rules: UpstreamRules) -> ArraySlice<UInt8>? {
        guard let range = untouched(value, rules), range.count >= max(Self.sharedBytesMin, body.count / Self.sharedPartsMax)
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
        case .callers(let value): buffer.append(contentsOf: body[value.range])
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
