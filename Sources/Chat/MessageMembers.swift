// What of a message goes to the upstream (contract §2). Hume's messages carry `time` and `models`, which OpenAI refuses.

extension JSONKey {
    /// Whether OpenAI knows a member of a message by this name.
    var isOfMessage: Bool { Self.ofMessage.contains(self) }

    private static let ofMessage = [
        "role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio", "function_call",
    ].map { JSONKey($0) }
}

extension [UInt8] {
    /// Appends the `messages` of a request. Of those in `trimmed` only the members that OpenAI knows go out: each in its bytes and
    /// its place, of duplicates the last. All else is copied as it stands, also what is between the messages.
    mutating func appendMessages(_ messages: Range<Int>, trimmed: [Range<Int>], of body: [UInt8]) {
        var end = messages.lowerBound
        for message in trimmed {
            append(contentsOf: body[end..<message.lowerBound])
            appendKnownMembers(of: message, body)
            end = message.upperBound
        }
        append(contentsOf: body[end..<messages.upperBound])
    }

    private mutating func appendKnownMembers(of message: Range<Int>, _ body: [UInt8]) {
        var known: [(key: JSONKey, bytes: Range<Int>)] = []
        known.reserveCapacity(8)
        JSONValue(kind: .object, range: message).forEachMember(in: body.span) { member in
            let key = JSONKey(member.name, in: body.span)
            guard key.isOfMessage else { return }
            known.removeAll { $0.key == key }
            known.append((key, member.range))
        }
        append("{")
        for (index, member) in known.enumerated() {
            if index > 0 { append(",") }
            append(contentsOf: body[member.bytes])
        }
        append("}")
    }
}
