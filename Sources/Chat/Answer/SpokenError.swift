/// An error as an answer that a voice says: its caller hears a sentence instead of silence (contract §3.3, `spoken_error`, `on_cut`).
package enum SpokenError {
    /// A whole stream with the sentence as the assistant's content: the role, the content, the finish reason `stop`, `[DONE]`.
    ///
    /// - Parameters:
    ///   - model: the model that the caller named; nil leaves it out.
    ///   - systemFingerprint: Hume's session, as in ``ChunkEdits/systemFingerprint``; nil leaves it out.
    ///   - created: in seconds since 1970.
    package static func events(
        text: String, id: String, model: String?, systemFingerprint: String?, created: Int
    ) -> [UInt8] {
        let role = [UInt8](#"{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}"#.utf8)
        return chunks(
            [role, saying(text), end], head(id: id, model: model, systemFingerprint: systemFingerprint, created: created))
    }

    /// The end of a stream that has begun, with the sentence behind all that was said: the content, the finish reason `stop`, `[DONE]`.
    ///
    /// - Parameters: as above.
    package static func ending(
        text: String, id: String, model: String?, systemFingerprint: String?, created: Int
    ) -> [UInt8] {
        // What was said may have ended inside a word.
        chunks([saying(" \(text)"), end], head(id: id, model: model, systemFingerprint: systemFingerprint, created: created))
    }

    private static let end = [UInt8](#"{"index":0,"delta":{},"finish_reason":"stop"}"#.utf8)

    private static func saying(_ text: String) -> [UInt8] {
        var content: [UInt8] = []
        content.append(#"{"index":0,"delta":{"content":"#)
        content.appendJSONString(text)
        content.append(#"},"finish_reason":null}"#)
        return content
    }

    private static func chunks(_ choices: [[UInt8]], _ head: [UInt8]) -> [UInt8] {
        var events: [UInt8] = []
        for choice in choices { events.appendEvent(head + choice + [UInt8]("]}".utf8)) }
        events.appendDoneEvent()
        return events
    }

    /// The beginning of each chunk, up to its choice.
    private static func head(id: String, model: String?, systemFingerprint: String?, created: Int) -> [UInt8] {
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
        return head
    }
}
