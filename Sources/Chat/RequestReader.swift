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
        members.reserveCapacity(16)
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
            if let fault = try readMessage(document) { messageError = messageError ?? fault.error(at: index) }
            index += 1
        }
        return JSONValue(kind: .array, range: start..<scanner.offset)
    }

    /// Reads one message and says what is wrong with it.
    private mutating func readMessage(_ document: Span<UInt8>) throws(JSONError) -> MessageFault? {
        guard try scanner.nextKind(document) == .object else {
            _ = try scanner.value(document)
            return .notAnObject
        }
        let start = scanner.offset
        let message = try readMembers(document)
        if message.hasOtherMembers { messagesWithOtherMembers.append(start..<scanner.offset) }
        guard let role = message.role else { return .noRole }
        guard role.kind == .string else { return .roleNotAString }
        switch message.content?.kind {
        case .string, .array, .null, nil: break
        default: return .contentOfWrongType
        }
        if JSONKey(role.range, in: document) == .user { lastUserContent = message.content }
        return nil
    }

    /// Steps over a message and keeps what is to be looked at.
    private mutating func readMembers(_ document: Span<UInt8>) throws(JSONError) -> Message {
        var message = Message()
        try scanner.beginObject(document)
        while let key = try scanner.nextKey(document) {
            let value = try scanner.value(document)
            switch key {
            case .role: message.role = value
            case .content: message.content = value
            default: message.hasOtherMembers = message.hasOtherMembers || !key.isOfMessage
            }
        }
        return message
    }
}

/// What is read of one message.
private struct Message {
    var role: JSONValue?
    var content: JSONValue?
    /// Whether it has members that OpenAI does not know.
    var hasOtherMembers = false
}

/// What is wrong with a message: one byte, where an error of the caller's takes eighty to hand on for each message that is fine.
private enum MessageFault {
    case notAnObject, noRole, roleNotAString, contentOfWrongType

    func error(at index: Int) -> ChatError {
        switch self {
        case .notAnObject: .invalidParameter("messages[\(index)]", .wrongType(expected: "an object"))
        case .noRole: .invalidParameter("messages[\(index)].role", .missing)
        case .roleNotAString: .invalidParameter("messages[\(index)].role", .wrongType(expected: "a string"))
        case .contentOfWrongType:
            .invalidParameter("messages[\(index)].content", .wrongType(expected: "a string, an array of parts, or null"))
        }
    }
}

extension JSONKey {
    fileprivate static var role: JSONKey { JSONKey(["r", "o", "l", "e"]) }
    fileprivate static var content: JSONKey { JSONKey(["c", "o", "n", "t", "e", "n", "t"]) }
    fileprivate static var user: JSONKey { JSONKey(["u", "s", "e", "r"]) }
}
