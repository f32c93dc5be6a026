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

    /// - Parameter kept: the headers that are wanted; all of them when nil.
    /// - Returns: false when the head has become larger than `bytesMax`.
    mutating func add(_ line: Span<UInt8>, keeping kept: [HeaderPattern]? = nil) -> Bool {
        if isComplete { return true }
        bytes += line.count
        guard bytes <= Self.bytesMax else { return false }
        let text = line.trimmed(0..<line.count)
        if text.isEmpty {
            endHead()
        } else if line.starts(with: ["H", "T", "T", "P", "/"]) {
            startHead(line)
        } else if let colon = text.first(where: { line[$0] == UInt8(ascii: ":") }) {
            let name = line.trimmed(text.lowerBound..<colon)
            guard kept?.contains(where: { $0.matches(name, in: line) }) != false else { return true }
            let value = line.trimmed(colon + 1..<text.upperBound)
            head.headers.append((line.lowercasedText(name), line.text(value)))
        }
        return true
    }

    /// `HTTP/1.1 200 OK`: the status is what stands between the first two blanks.
    private mutating func startHead(_ line: Span<UInt8>) {
        var status = 0
        var blanks = 0
        for index in line.indices {
            let byte = line[index]
            if byte == UInt8(ascii: " ") { blanks += 1 }
            guard blanks == 1, byte != UInt8(ascii: " ") else { continue }
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), status < 100 else { break }
            status = 10 * status + Int(byte - UInt8(ascii: "0"))
        }
        head = ResponseHead(status: status)
        isMultiplexed = line.starts(with: ["H", "T", "T", "P", "/", "2"])
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

/// A header's name in lower case, or the beginning of several names.
struct HeaderPattern {
    private let bytes: [UInt8]
    private let isPrefix: Bool

    /// - Parameter text: as `Session.Configuration.keptHeaders` has it.
    init(_ text: String) {
        isPrefix = text.hasSuffix("*")
        bytes = Array(text.utf8.prefix { $0 != UInt8(ascii: "*") })
    }

    fileprivate func matches(_ name: Range<Int>, in line: Span<UInt8>) -> Bool {
        guard isPrefix ? name.count >= bytes.count : name.count == bytes.count else { return false }
        for index in bytes.indices where line[name.lowerBound + index].lowercased != bytes[index] { return false }
        return true
    }
}

extension Span<UInt8> {
    /// A range without the blanks and line breaks at either end.
    fileprivate func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, self[start] <= 0x20 { start += 1 }
        while start < end, self[end - 1] <= 0x20 { end -= 1 }
        return start..<end
    }

    fileprivate func starts<let length: Int>(with text: InlineArray<length, Unicode.Scalar>) -> Bool {
        guard count >= length else { return false }
        for index in text.indices where self[index] != UInt8(ascii: text[index]) { return false }
        return true
    }

    fileprivate func text(_ range: Range<Int>) -> String {
        unsafe withUnsafeBufferPointer { unsafe String(decoding: $0[range], as: UTF8.self) }
    }

    /// A header's name, which is ASCII: any other byte would make it another name than all that are asked for.
    fileprivate func lowercasedText(_ range: Range<Int>) -> String {
        unsafe String(unsafeUninitializedCapacity: range.count) { buffer in
            for (place, index) in range.enumerated() { unsafe buffer[place] = self[index].lowercased }
            return range.count
        }
    }
}

extension UInt8 {
    fileprivate var lowercased: UInt8 { self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self }
}
