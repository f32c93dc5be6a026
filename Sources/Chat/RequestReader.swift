/// Reads a request's body in one pass: validates the JSON, lists the top-level members, and checks the messages on the way.
struct RequestReader {
    private(set) var members: [RequestMember] = []
    /// The content of the last message whose role is `user`.
    private(set) var lastUserContent: JSONValue?
    /// Where the messages stand that have members which OpenAI does not know, in their order.
    private(set) var messagesWithOtherMembers: [Range<Int>] = []
    /// The first thing wrong with a message. The JSON behind it is still validated: what is no JSON is told first.
    private(set) var messageError: ChatError?
    private var scanner: JSONScanner

    /// A list entry takes many times the bytes of a small member, so that a body of nothing else would take much memory.
    private static let membersMax = 1024

    init(depthMax: Int) {
        scanner = JSONScanner(depthMax: depthMax)
    }

    /// Reads the document to its end.
    mutating func read(_ document: Span<UInt8>) throws(ChatError) {
        let isObject: Bool
        do throws(JSONError) {
            isObject = try readDocument(document)
        } catch {
            throw .invalidJSON(error)
        }
        guard isObject else { throw .notAnObject }
    }

    private mutating func readDocument(_ document: Span<UInt8>) throws(JSONError) -> Bool {
        guard try scanner.nextKind(document) == .object else {
            _ = try scanner.value(document)
            try scanner.end(document)
            return false
        }
        try scanner.beginObject(document)
        while let name = try scanner.nextMember(document) {
            guard members.count < Self.membersMax else { throw JSONError(offset: name.lowerBound, reason: .tooManyMembers) }
            let parameter = Parameter(name, in: document)
            let name = parameter?.name ?? JSONText.decode(name, in: document)
            let value = parameter == .messages ? try readMessages(document) : try scanner.value(document)
            members.append(RequestMember(name: name, parameter: parameter, value: value))
        }
        try scanner.end(document)
        return true
    }

    private mutating func readMessages(_ document: Span<UInt8>) throws(JSONError) -> JSONValue {
        guard try scanner.nextKind(document) == .array else { return try scanner.value(document) }
        let start = scanner.offset
        var index = 0
        (lastUserContent, messageError, messagesWithOtherMembers) = (nil, nil, [])  // Of duplicates the last counts.
        try scanner.beginArray(document)
        while try scanner.nextElement(document) {
            if let error = try readMessage(document, at: index) { messageError = messageError ?? error }
            index += 1
        }
        return JSONValue(kind: .array, range: start..<scanner.offset)
    }

    /// Reads one message and says what is wrong with it.
    private mutating func readMessage(_ document: Span<UInt8>, at index: Int) throws(JSONError) -> ChatError? {
        guard try scanner.nextKind(document) == .object else {
            _ = try scanner.value(document)
            return .invalidParameter("messages[\(index)]", .wrongType(expected: "an object"))
        }
        let start = scanner.offset
        var (role, content): (JSONValue?, JSONValue?) = (nil, nil)
        var hasOtherMembers = false
        try scanner.beginObject(document)
        while let name = try scanner.nextMember(document) {
            let value = try scanner.value(document)
            switch JSONKey(name, in: document) {
            case .role: role = value
            case .content: content = value
            case let key: hasOtherMembers = hasOtherMembers || !key.isOfMessage
            }
        }
        if hasOtherMembers { messagesWithOtherMembers.append(start..<scanner.offset) }
        guard let role else { return .invalidParameter("messages[\(index)].role", .missing) }
        guard role.kind == .string else {
            return .invalidParameter("messages[\(index)].role", .wrongType(expected: "a string"))
        }
        switch content?.kind {
        case .string, .array, .null, nil: break
        default:
            return .invalidParameter("messages[\(index)].content", .wrongType(expected: "a string, an array of parts, or null"))
        }
        if JSONKey(role.range, in: document) == .user { lastUserContent = content }
        return nil
    }
}

extension JSONKey {
    fileprivate static let role = JSONKey("role")
    fileprivate static let content = JSONKey("content")
    fileprivate static let user = JSONKey("user")
}
