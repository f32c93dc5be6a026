// A response's status and headers, collected line by line.

/// The head of a final response; interim ones (1xx) are skipped.
package struct ResponseHead: Sendable {
    package internal(set) var status = 0
    /// In the order of arrival, names in lower case, values without the white space around them.
    package internal(set) var headers: [(name: String, value: String)] = []

    /// The value of the first header of that name.
    ///
    /// - Parameter name: in lower case.
    package subscript(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// Collects what libcurl hands over: one whole line a call, line break included, HTTP/2 in the form of HTTP/1.
struct HeadParser {
    /// Status line, header lines and line breaks together.
    static let bytesMax = 64 << 10

    private(set) var head = ResponseHead()
    /// Whether `head` is a final response's, and whole. Lines that come after it are a trailer and are left out.
    private(set) var isComplete = false
    /// Whether other responses share the connection.
    private(set) var isMultiplexed = false
    private var bytes = 0

    /// - Returns: false when the head has become larger than `bytesMax`.
    mutating func add(_ line: String) -> Bool {
        if isComplete { return true }
        bytes += line.utf8.count
        guard bytes <= Self.bytesMax else { return false }
        let text = line.utf8.trimmed
        if text.isEmpty {
            endHead()
        } else if line.utf8.starts(with: "HTTP/".utf8) {
            startHead(text)
        } else if let colon = text.firstIndex(of: UInt8(ascii: ":")) {
            let (name, value) = (text[..<colon].trimmed, text[text.index(after: colon)...].trimmed)
            head.headers.append((Substring(name).lowercased(), String(Substring(value))))
        }
        return true
    }

    private mutating func startHead(_ line: Substring.UTF8View) {
        let words = Substring(line).split(separator: " ", maxSplits: 2)
        head = ResponseHead(status: words.count > 1 ? Int(words[1]) ?? 0 : 0)
        isMultiplexed = words.first?.utf8.starts(with: "HTTP/2".utf8) ?? false
    }

    private mutating func endHead() {
        isComplete = head.status >= 200
        if !isComplete { head = ResponseHead() }
    }

    /// Hands the head over and keeps no copy: it would be a silent stream's largest possession.
    mutating func take() -> ResponseHead {
        let taken = head
        head = ResponseHead()
        return taken
    }
}

extension BidirectionalCollection<UInt8> {
    /// Without blanks and line breaks at either end.
    fileprivate var trimmed: SubSequence {
        guard let first = firstIndex(where: { $0 > 0x20 }), let last = lastIndex(where: { $0 > 0x20 }) else {
            return self[endIndex...]
        }
        return self[first...last]
    }
}
