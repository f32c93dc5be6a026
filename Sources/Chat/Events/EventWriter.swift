// How an event for a caller is written.

extension [UInt8] {
    /// A server-sent event, `data: …` and a blank line (WHATWG HTML §9.2.6).
    ///
    /// Line breaks in valid JSON stand between tokens only, where a space does as well: the data is one line.
    /// - Parameter json: validated JSON.
    package init(eventWithData json: [UInt8]) {
        self = []
        reserveCapacity(json.count + 8)
        appendEvent(json)
    }

    /// Appends the same event.
    mutating func appendEvent(_ json: [UInt8]) {
        append("data: ")
        var offset = count
        append(contentsOf: json)
        while true {
            offset = EventSplitter.lineEnd(from: offset, in: span)
            guard offset < count else { break }
            self[offset] = UInt8(ascii: " ")
        }
        append("\n\n")
    }

    /// Appends the event that ends a whole stream.
    mutating func appendDoneEvent() {
        append("data: [DONE]\n\n")
    }
}
