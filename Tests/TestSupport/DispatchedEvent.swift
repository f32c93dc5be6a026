/// An event as a browser's `EventSource` would dispatch it.
package struct DispatchedEvent: Hashable, Sendable {
    /// The value of the last `event` field; empty without one, which a browser calls `message`.
    package var type = ""
    package var data: String
    package var lastID = ""
    /// The reconnection time in milliseconds that holds from here on.
    package var retry: Int?

    /// The data's error object; nil when the data is something else.
    package var error: ErrorObject? { ErrorObject(json: Array(data.utf8)) }

    /// WHATWG HTML §9.2.6 word for word, for a whole stream at once: what Sluice is compared with.
    package static func all(in stream: some Sequence<UInt8>) -> [DispatchedEvent] {
        var (events, type, data, lastID, retry): ([DispatchedEvent], String, [String], String, Int?) = ([], "", [], "", nil)
        for line in lines(of: stream) {
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            let rest = line[colon...].dropFirst()
            let value = String(rest.first == " " ? rest.dropFirst() : rest)
            switch line.isEmpty ? nil : String(line[..<colon]) {
            case nil:
                if !data.isEmpty {
                    events.append(DispatchedEvent(type: type, data: data.joined(separator: "\n"), lastID: lastID, retry: retry))
                }
                (type, data) = ("", [])
            case "data": data.append(value)
            case "event": type = value
            case "id" where !value.unicodeScalars.contains("\0"): lastID = value
            case "retry" where !value.isEmpty && value.utf8.allSatisfy { (0x30...0x39).contains($0) }: retry = Int(value)
            default: break
            }
        }
        return events
    }

    /// The complete lines. An incomplete one is discarded, as is the event that it belongs to.
    private static func lines(of stream: some Sequence<UInt8>) -> [String.UnicodeScalarView] {
        var text = String(decoding: Array(stream), as: UTF8.self).unicodeScalars[...]
        if text.first == "\u{FEFF}" { text = text.dropFirst() }
        var lines = [String().unicodeScalars]
        var previous: Unicode.Scalar = " "
        for scalar in text {
            if scalar == "\n" && previous == "\r" {
            } else if scalar == "\n" || scalar == "\r" {
                lines.append("".unicodeScalars)
            } else {
                lines[lines.count - 1].append(scalar)
            }
            previous = scalar
        }
        return lines.dropLast()
    }
}
