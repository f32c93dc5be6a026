/// Chunks in which Sluice says something itself, as if the model said it: a caller on the phone hears a sentence instead of silence
/// (contract §3.3 `spoken_error` and `on_cut`, §3.1 `filler`).
package struct OwnChunks: Sendable {
    /// The beginning of each, up to its choice.
    private let head: [UInt8]

    /// - Parameters:
    ///   - model: the model that the caller named; nil leaves it out.
    ///   - systemFingerprint: Hume's session, as in ``ChunkEdits/systemFingerprint``; nil leaves it out.
    ///   - created: in seconds since 1970.
    package init(id: String, model: String?, systemFingerprint: String?, created: Int) {
        var head: [UInt8] = []
        head.append(#"{"id":"#)
        head.appendJSONString(id)
        head.append(#","object":"chat.completion.chunk","created":\#(created),"#)
        for case (let name, let value?) in [("model", model), ("system_fingerprint", systemFingerprint)] {
            head.append("\"\(name)\":")
            head.appendJSONString(value)
            head.append(",")
        }
        head.append(#""choices":["#)
        self.head = head
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

    private func events(_ choices: [[UInt8]], isWhole: Bool) -> [UInt8] {
        var events: [UInt8] = []
        for choice in choices { events.appendEvent(head + choice + [UInt8]("]}".utf8)) }
        if isWhole { events.appendDoneEvent() }
        return events
    }
}
