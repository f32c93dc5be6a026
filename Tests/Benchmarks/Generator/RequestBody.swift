// The bodies that callers send, but for the order at their end.

/// What is asked: always the same stream of events, behind more or less of a chat.
enum RequestBody: String, CaseIterable {
    /// About 200 bytes: the first turn of a chat.
    case short
    /// About 600 bytes, most of them the system prompt.
    case usual
    /// A voice call of 60 messages in about 10,000 bytes of ASCII.
    case long
    /// The same call in Russian: most characters take two bytes.
    case russian

    init(_ name: String) throws(UsageError) {
        guard let body = Self(rawValue: name) else {
            throw UsageError("no body is called '\(name)', but \(Self.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self = body
    }

    /// All up to the order, which the field `user` carries; `"}` closes the body behind it.
    var opening: String {
        let messages = messages.joined(separator: ",")
        return #"{"model":"benchmark","messages":["# + messages + #"],"temperature":0.7,"stream":true,"# + tools + #""user":""#
    }

    private var messages: [String] {
        switch self {
        case .short: Self.joke(system: "You are a helpful voice assistant.")
        case .usual: Self.joke(system: String(repeating: "You are a helpful voice assistant. ", count: 12))
        case .long: Conversation.english.messages
        case .russian: Conversation.russian.messages
        }
    }

    private var tools: String {
        switch self {
        case .short, .usual: ""
        case .long, .russian: #""tools":["# + Conversation.tools.joined(separator: ",") + "],"
        }
    }

    private static func joke(system: String) -> [String] {
        [Conversation.message("system", system), Conversation.message("user", "Tell me a joke")]
    }
}
