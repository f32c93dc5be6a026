/// Chunks in which Sluice says something itself, as if the model said it: a caller on the phone hears a sentence instead of silence
/// (contract §3.3 `spoken_error` and `on_cut`, §3.1 `filler` and `hook`).
package struct OwnChunks: Sendable {
    /// What each begins with: up to the kind of object that it is, and from there up to its choice.
    private let start: [UInt8]
    private let members: [UInt8]

    /// - Parameters:
    ///   - model: the model that the caller named; nil leaves it out.
    ///   - systemFingerprint: Hume's session, as in ``ChunkEdits/systemFingerprint``; nil leaves it out.
    ///   - created: in seconds since 1970.
    package init(id: String, model: String?, systemFingerprint: String?, created: Int) {
        var start: [UInt8] = []
        start.append(#"{"id":"#)
        start.appendJSONString(id)
        start.append(#","object":"#)
        self.start = start
        var members: [UInt8] = []
        members.append(#","created":\#(created),"#)
        for case (let name, let value?) in [("model", model), ("system_fingerprint", systemFingerprint)] {
            members.append("\"\(name)\":")
            members.appendJSONString(value)
            members.append(",")
        }
        members.append(#""choices":["#)
        self.members = members
    }

    /// A whole answer that is not streamed, with a text as the assistant's content and the finish reason `stop`.
    package func completion(saying text: String) -> [UInt8] {
        var completion = object(#""chat.completion""#)
        completion.append(#"{"index":0,"message":{"role":"assistant","content":"#)
        completion.appendJSONString(text)
        completion.append(#","refusal":null},"finish_reason":"stop"}]}"#)
        return completion
    }

    /// A whole stream with a sentence as the assistant's content: the role, the content, the finish reason `stop`, `[DONE]`.
    package func answer(saying text: String) -> [UInt8] {
        let role = [UInt8](#"{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}"#.utf8)
        return events([role, Self.choice(saying: text), Self.end], isWhole: true)
    }

    /// The end of a stream that has begun, with a sentence behind all that was said: the content, the finish reason `stop`, `[DONE]`.
    package func ending(saying text: String) -> [UInt8] {
        // What was said may have ended inside a word.
        events([Self.choice(saying: " \(text)"), Self.end], isWhole: true)
    }

    /// One chunk with a text.
    ///
    /// - Parameter isFirst: whether it begins the assistant's message, and has the role.
    package func part(saying text: String, isFirst: Bool) -> [UInt8] {
        events([Self.choice(saying: text, hasRole: isFirst)], isWhole: false)
    }

    private static let end = [UInt8](#"{"index":0,"delta":{},"finish_reason":"stop"}"#.utf8)

    private static func choice(saying text: String, hasRole: Bool = false) -> [UInt8] {
        var choice: [UInt8] = []
        choice.append(#"{"index":0,"delta":{"#)
        if hasRole { choice.append(#""role":"assistant","#) }
        choice.append(#""content":"#)
        choice.appendJSONString(text)
        choice.append(#"},"finish_reason":null}"#)
        return choice
    }

    /// The beginning of one, up to its choice.
    ///
    /// - Parameter kind: as JSON.
    private func object(_ kind: String) -> [UInt8] { start + kind.utf8 + members }

    private func events(_ choices: [[UInt8]], isWhole: Bool) -> [UInt8] {
        let head = object(#""chat.completion.chunk""#)
        var events: [UInt8] = []
        for choice in choices { events.appendEvent(head + choice + [UInt8]("]}".utf8)) }
        if isWhole { events.appendDoneEvent() }
        return events
    }
}
