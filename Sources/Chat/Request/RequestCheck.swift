// What Sluice itself reads of a request, and what that must be.

extension [RequestMember] {
    /// Checks the kinds of what Sluice itself reads; all else is for the upstream to judge.
    func check(_ document: Span<UInt8>) throws(ChatError) {
        try checkMessages(document)
        try check(.model, [.string], "a string")
        try checkModelLength(document)
        try check(.stream, [.true, .false], "true or false")
        try check(.max_tokens, [.number], "an integer")
        try check(.max_completion_tokens, [.number], "an integer")
        try check(.n, [.number], "an integer")
        try check(.tools, [.array], "an array")
        try check(.functions, [.array], "an array")
        try check(.stream_options, [.object], "an object")
        guard let includeUsage = value(.stream_options)?.member("include_usage", in: document) else { return }
        guard [.true, .false, .null].contains(includeUsage.kind) else {
            throw .invalidParameter("stream_options.include_usage", .wrongType(expected: "true or false"))
        }
    }

    private func checkMessages(_ document: Span<UInt8>) throws(ChatError) {
        guard let messages = value(.messages) else {
            throw isWebhook(document) ? .webhook : .invalidParameter("messages", .missing)
        }
        guard messages.kind == .array else { throw .invalidParameter("messages", .wrongType(expected: "an array of messages")) }
        guard !messages.isEmpty(in: document) else { throw .invalidParameter("messages", .empty) }
    }

    /// The model's name goes into URLs and answers, so it may not be of any length.
    private func checkModelLength(_ document: Span<UInt8>) throws(ChatError) {
        let bytesMax = 256
        // An escape takes more bytes than the character for which it stands.
        guard let model = value(.model), model.range.count - 2 > bytesMax else { return }
        guard JSONText.bytes(model.range, in: document, countMax: bytesMax + 1).count <= bytesMax else {
            throw .invalidParameter("model", .tooLong(bytesMax: bytesMax))
        }
    }

    private func check(_ parameter: Parameter, _ kinds: [JSONValue.Kind], _ expected: String) throws(ChatError) {
        guard let value = value(parameter), !kinds.contains(value.kind) else { return }
        throw .invalidParameter(parameter.name, .wrongType(expected: expected))
    }

    /// Vapi's server messages are `{"message":{"type":"status-update",…}}`.
    private func isWebhook(_ document: Span<UInt8>) -> Bool {
        value(.message)?.member("type", in: document)?.kind == .string
    }
}
