// Members of messages that one reader takes for something and another does not.

extension [UInt8] {
    /// A request's body without the members of messages that do not count: of duplicates all but the last, and those whose name is a known
    /// one but for capitals. All else stays byte for byte.
    ///
    /// - Parameter messages: an array, validated.
    /// - Returns: nil when there are none.
    /// - Throws: ``ChatError`` for a message of more members than a request may have: each takes many times its bytes here.
    func withoutOddMembers(in messages: JSONValue) throws(ChatError) -> [UInt8]? {
        guard messages.kind == .array else { return nil }
        var (plain, copied) = ([UInt8](), 0)
        var offset = ValidatedJSON.next(from: messages.range.lowerBound + 1, in: span)
        while offset < messages.range.upperBound, let message = ValidatedJSON.value(from: offset, in: span) {
            offset = ValidatedJSON.next(from: message.range.upperBound, in: span)
            guard message.kind == .object, let members = try plainMembers(of: message) else { continue }
            if plain.isEmpty { plain.reserveCapacity(count) }
            plain += self[copied..<message.range.lowerBound]
            plain.append("{")
            for (index, member) in members.enumerated() {
                if index > 0 { plain.append(",") }
                plain += self[member]
            }
            plain.append("}")
            copied = message.range.upperBound
        }
        guard copied > 0 else { return nil }
        plain += self[copied...]
        return plain
    }

    /// The members that count, in their order; nil for all.
    private func plainMembers(of message: JSONValue) throws(ChatError) -> [Range<Int>]? {
        var members: [JSONMember] = []
        message.forEachMember(in: span, countMax: RequestReader.membersMax + 1) { members.append($0) }
        guard members.count <= RequestReader.membersMax else {
            throw .invalidJSON(JSONError(offset: members[RequestReader.membersMax].range.lowerBound, reason: .tooManyMembers))
        }
        var (names, plain) = (Set<[UInt8]>(), [Range<Int>]())
        for member in members.reversed() {
            let isNew = names.insert(JSONText.bytes(member.name, in: span)).inserted
            if isNew, !JSONKey(member.name, in: span).isVariantOfMessageMember { plain.append(member.range) }
        }
        return plain.count == members.count ? nil : plain.reversed()
    }
}
