extension ChatRequest {
    /// The request for the upstream (contract §2), put together from the caller's bytes in one buffer: every value byte for byte,
    /// the members in the caller's order. Added are a missing `model` and, for a stream that the caller did not spell out, `stream`.
    package func upstreamBody(_ rules: UpstreamRules) -> [UInt8] {
        var object = ObjectWriter(capacity: body.count + 64)
        if model == nil, let defaultModel = rules.defaultModel { object.append("model", string: defaultModel) }
        if isStreaming, members.value(.stream) == nil { object.append("stream", bytes: [UInt8]("true".utf8)[...]) }
        for member in members where isForwarded(member) {
            object.append(member.name, bytes: body[member.value.range])
        }
        return object.finish()
    }

    private func isForwarded(_ member: RequestMember) -> Bool {
        switch member.parameter {
        case .model: model != nil
        case .stream: member.value.kind != .null
        case .metadata: isMetadataForwarded(member.value)
        case .tools, .functions: !member.value.isEmpty(in: body.span)
        case .tool_choice, .parallel_tool_calls: !isEmptyArray(.tools)
        case .function_call: !isEmptyArray(.functions)
        case let parameter?: parameter.isOpenAIs
        case nil: false
        }
    }

    /// OpenAI answers 400 to an empty array of tools, and to a choice among none.
    private func isEmptyArray(_ parameter: Parameter) -> Bool {
        members.value(parameter)?.isEmpty(in: body.span) ?? false
    }

    /// OpenAI takes metadata with `store` alone, and only up to 16 strings; Vapi's holds numbers.
    private func isMetadataForwarded(_ metadata: JSONValue) -> Bool {
        guard !members.haveVapiField, members.value(.store)?.kind == .true, metadata.kind == .object else { return false }
        var (count, areStrings) = (0, true)
        metadata.forEachMember(in: body.span) { entry in
            count += 1
            areStrings = areStrings && entry.value.kind == .string
        }
        return count <= 16 && areStrings
    }
}

/// Writes the members of one JSON object into one buffer.
private struct ObjectWriter: ~Copyable {
    private var buffer: [UInt8] = []

    init(capacity: Int) {
        buffer.reserveCapacity(capacity)
        buffer.append("{")
    }

    mutating func append(_ name: String, bytes: ArraySlice<UInt8>) {
        appendName(name)
        buffer.append(contentsOf: bytes)
    }

    mutating func append(_ name: String, string: String) {
        appendName(name)
        buffer.appendJSONString(string)
    }

    consuming func finish() -> [UInt8] {
        buffer.append("}")
        return buffer
    }

    private mutating func appendName(_ name: String) {
        if buffer.count > 1 { buffer.append(",") }
        buffer.appendJSONString(name)
        buffer.append(":")
    }
}
