/// Reads a request's body in one pass: validates the JSON, lists the top-level members, and checks the messages on the way.
struct RequestReader {
    private(set) var members: [RequestMember] = []
    /// Where the messages stand that have members which OpenAI does not know, in their order.
    private(set) var messagesWithOtherMembers: [Range<Int>] = []
    /// Whether a message may have a member twice, or one whose name is a known one but for capitals. Where not, nothing of that is so.
    private(set) var mayHaveOddMembers = false
    /// The first thing wrong with a message. The JSON behind it is still validated: what is no JSON is told first.
    private(set) var messageError: ChatError?
    private var scanner: JSONScanner

    /// A list entry takes many times the bytes of a small member, so that a body of nothing else would take much memory.
    static let membersMax = 1024

    init(depthMax: Int) {
        scanner = JSONScanner(depthMax: depthMax)
    }

    private init(_ scanner: JSONScanner) { self.scanner = scanner }

    /// Whether an array of a validated document has nothing in it but messages that a caller might have sent.
    static func areMessages(_ array: JSONValue, in document: Span<UInt8>) -> Bool {
        var reader = RequestReader(JSONScanner(depthMax: .max, offset: array.range.lowerBound))
        do throws(JSONError) { _ = try reader.readMessages(document) } catch { return false }
        return reader.messageError == nil
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
        while let place = try scanner.nextMember(document) {
            guard members.count < Self.membersMax else { throw JSONError(offset: place.lowerBound, reason: .tooManyMembers) }
            let parameter = Parameter(place, in: document)
            let name = parameter?.name ?? JSONText.decode(place, in: document)
            let value = parameter == .messages ? try readMessages(document) : try scanner.value(document)
            members.append(RequestMember(name: name, parameter: parameter, nameStart: place.lowerBound, value: value))
        }
        try scanner.end(document)
        return true
    }

    private mutating func readMessages(_ document: Span<UInt8>) throws(JSONError) -> JSONValue {
        guard try scanner.nextKind(document) == .array else { return try scanner.value(document) }
        var scanner = scanner
        let start = scanner.offset
        var index = 0
        (messageError, messagesWithOtherMembers, mayHaveOddMembers) = (nil, [], false)  // Of duplicates the last counts.
        try scanner.beginArray(document)
        while try scanner.nextElement(document) {
            if let fault = try readMessage(&scanner, document) { messageError = messageError ?? fault.error(at: index) }
            index &+= 1
        }
        self.scanner = scanner
        return JSONValue(kind: .array, range: start..<scanner.offset)
    }

    /// Reads one message and says what is wrong with it.
    @inline(always)
    private mutating func readMessage(_ scanner: inout JSONScanner, _ document: Span<UInt8>) throws(JSONError) -> MessageFault? {
        guard try scanner.nextKind(document) == .object else {
            _ = try scanner.value(document)
            return .notAnObject
        }
        let start = scanner.offset
        var (role, content): (JSONValue.Kind?, JSONValue.Kind?)
        var (hasOtherMembers, names) = (false, MemberNames())
        try scanner.beginObject(document)
        while try scanner.nextName(document) {
            let member = try readName(&scanner, document, &names)
            let kind = try scanner.value(document).kind
            switch member {
            case .role:
                if role != nil { names.areOdd = true }
                role = kind
            case .content:
                if content != nil { names.areOdd = true }
                content = kind
            case .ofOpenAI: break
            case .other: hasOtherMembers = true
            }
        }
        if names.areOdd { mayHaveOddMembers = true }
        if hasOtherMembers { messagesWithOtherMembers.append(start..<scanner.offset) }
        guard let role else { return .noRole }
        guard role == .string else { return .roleNotAString }
        switch content {
        case .string, .array, .null, nil: return nil
        default: return .contentOfWrongType
        }
    }

    /// Reads the name of a message's member. Nearly all are the first two.
    @inline(always)
    private func readName(
        _ scanner: inout JSONScanner, _ document: Span<UInt8>, _ names: inout MemberNames
    ) throws(JSONError) -> MessageMember {
        if try scanner.skip(.role, document) { return .role }
        if try scanner.skip(.content, document) { return .content }
        let key = try scanner.key(document)
        switch key {
        case .role: return .role
        case .content: return .content
        default:
            names.note(key)
            return key.isMessageMember ? .ofOpenAI : .other
        }
    }
}

/// What a member of a message is to Sluice.
private enum MessageMember {
    case role, content, ofOpenAI, other
}

/// What there is to say of a message's members but its role and its content.
private struct MemberNames {
    /// A bit for each, by which two that are the same are found, and others now and then.
    private var bits: UInt64 = 0
    /// Whether one may be there twice, or is known but for its capitals.
    var areOdd = false

    mutating func note(_ key: JSONKey) {
        let bit = UInt64(1) << (key.hash64 >> 58)
        if bits & bit != 0 || key.isVariantOfMessageMember { areOdd = true }
        bits |= bit
    }
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
