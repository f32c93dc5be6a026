// How an upstream is asked to go on with an answer that has broken off.

/// What goes out beside the text so far, which is the assistant's last message then.
///
/// OpenAI answers such a message with a new one, so the user has to ask for the rest of it. Others go on with it themselves, where a
/// member of the message or a parameter says so.
package struct ContinuationRule: Hashable, Sendable {
    /// What the user says behind it; empty for nothing, nil for ``standardPrompt`` unless what stands below is there.
    package var prompt: String?
    /// Members of the message besides its role and its content, each with its JSON.
    package var message: [ParameterEdits.Value] = []
    /// Parameters that go out with it, whatever else says what they are.
    package var set: [ParameterEdits.Value] = []

    /// The user asks for the rest.
    package init() {}
}

extension ContinuationRule {
    /// In English, since the model goes on in the language of its own text.
    package static let standardPrompt =
        "Your last message was cut off. Go on exactly where it ends, beginning with a space if one belongs there. "
        + "Repeat none of it, and do not mention this."

    /// What the user says.
    private var userText: String {
        prompt ?? (message.isEmpty && set.isEmpty ? Self.standardPrompt : "")
    }

    /// The changes of the parameters.
    var edits: ParameterEdits {
        var edits = ParameterEdits()
        edits.set = set
        return edits
    }

    /// The end of an array of messages that has some, from the comma behind the last.
    ///
    /// - Parameter said: the text so far, as a JSON string.
    func end(ofMessagesBehind said: [UInt8]) -> [UInt8] {
        var json: [UInt8] = []
        json.append(#",{"role":"assistant","content":"#)
        json += said
        for member in message {
            json.append(",")
            json.appendJSONString(member.name)
            json.append(":")
            json += member.json ?? [UInt8]("null".utf8)
        }
        json.append("}")
        if !userText.isEmpty {
            json.append(#",{"role":"user","content":"#)
            json.appendJSONString(userText)
            json.append("}")
        }
        json.append("]")
        return json
    }
}
