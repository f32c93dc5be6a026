// What of a message goes to the upstream (contract §2). Hume's messages carry `time` and `models`, which OpenAI refuses.

/// Which members of a message go to an upstream.
package enum MessageRule: Hashable, Sendable {
    /// Those that OpenAI knows: it refuses all others.
    case known
    /// All but those that are Hume's own. Servers demand members of their own, such as `reasoning_content` or `prefix`.
    case allButAddedByHume
    case all
}

extension JSONKey {
    /// Whether OpenAI knows a member of a message by this name.
    var isMessageMember: Bool { Self.ofMessage.contains(self) }

    /// Whether it is such a name but for capitals: some servers take it for that.
    var isVariantOfMessageMember: Bool {
        let small = inSmallLetters
        return small != self && small.isMessageMember
    }

    /// Whether it is one that Hume adds to a message.
    var isAddedByHume: Bool { self == Self.time || self == Self.models }

    private static let time = JSONKey("time")
    private static let models = JSONKey("models")
    private static let ofMessage = [
        "role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio", "function_call",
    ].map { JSONKey($0) }
}

extension [UInt8] {
    /// Appends the `messages` of a request. Of those in `others`, which have members that OpenAI does not know, only what the rule
    /// says goes out: each member in its bytes and its place. All else is copied as it stands, also what is
    /// between the messages.
    ///
    /// - Parameter end: what stands in place of the bracket that closes them; empty for that.
    mutating func appendMessages(
        _ messages: OutgoingMessages, others: [Range<Int>], _ rule: MessageRule, roles: [RoleRename], end: [UInt8],
        of body: [UInt8]
    ) {
        let start = count
        append(contentsOf: messages.opening)
        appendMessages(messages.callers, others: others, rule, of: body)
        if !end.isEmpty {
            removeLast()
            self += end
        }
        if !roles.isEmpty { replace(roles, from: start) }
    }

    private mutating func appendMessages(_ messages: Range<Int>, others: [Range<Int>], _ rule: MessageRule, of body: [UInt8]) {
        var end = messages.lowerBound
        for message in rule == .all ? [] : others where message.lowerBound >= messages.lowerBound {
            append(contentsOf: body[end..<message.lowerBound])
            switch rule {
            case .known: appendKnownMembers(of: message, body)
            case .allButAddedByHume: appendWithoutHumeMembers(message, body)
            case .all: break
            }
            end = message.upperBound
        }
        append(contentsOf: body[end..<messages.upperBound])
    }

    private mutating func appendKnownMembers(of message: Range<Int>, _ body: [UInt8]) {
        var known: [(key: JSONKey, bytes: Range<Int>)] = []
        known.reserveCapacity(8)
        JSONValue(kind: .object, range: message).forEachMember(in: body.span) { member in
            let key = JSONKey(member.name, in: body.span)
            guard key.isMessageMember else { return }
            known.removeAll { $0.key == key }
            known.append((key, member.range))
        }
        append(members: known.map(\.bytes), of: body)
    }

    /// A message that has none of Hume's members stays as it is.
    private mutating func appendWithoutHumeMembers(_ message: Range<Int>, _ body: [UInt8]) {
        var (kept, count): ([Range<Int>], Int) = ([], 0)
        JSONValue(kind: .object, range: message).forEachMember(in: body.span) { member in
            count += 1
            if !JSONKey(member.name, in: body.span).isAddedByHume { kept.append(member.range) }
        }
        if kept.count == count { append(contentsOf: body[message]) } else { append(members: kept, of: body) }
    }

    /// Gives the messages, which begin there and are the last that there is, other roles. Message by message: of as many as fit in a body
    /// each takes no more than its bytes.
    private mutating func replace(_ roles: [RoleRename], from start: Int) {
        var (renamed, copied) = ([UInt8](), start)
        var offset = ValidatedJSON.next(from: start + 1, in: span)
        while offset < count, let message = ValidatedJSON.value(from: offset, in: span) {
            offset = ValidatedJSON.next(from: message.range.upperBound, in: span)
            guard let value = message.member("role", in: span), value.kind == .string,
                let rename = roles.first(where: { JSONText.isEqual(value.range, to: $0.role, in: span) })
            else { continue }
            if renamed.isEmpty { renamed.reserveCapacity(count - start) }
            renamed += self[copied..<value.range.lowerBound]
            renamed.appendJSONString(rename.newRole)
            copied = value.range.upperBound
        }
        guard copied > start else { return }
        renamed += self[copied...]
        replaceSubrange(start..., with: renamed)
    }

    private mutating func append(members: [Range<Int>], of body: [UInt8]) {
        append("{")
        for (index, member) in members.enumerated() {
            if index > 0 { append(",") }
            append(contentsOf: body[member])
        }
        append("}")
    }
}
