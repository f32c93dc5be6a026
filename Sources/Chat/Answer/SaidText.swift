/// The text of an answer so far, for whoever goes on with it, should it break off.
package struct SaidText: Sendable {
    /// Of its JSON. Nobody goes on with a longer one.
    package static let bytesMax = 64 << 10

    /// What stands between the quotes of JSON strings. Of several, one behind the other, that is one again: no escape is in two of them,
    /// and the halves of a character come together.
    private var json: [UInt8] = []
    /// Whether that is all that has been said.
    private var isWhole = true

    /// Nothing yet.
    package init() {}

    /// How many bytes are kept.
    package var count: Int { json.count }

    /// All that has been said, as a JSON string; nil where that is nothing, no text alone, or too long.
    package var string: [UInt8]? {
        let whole = json.dropLast(endsInHalfOfACharacter ? 6 : 0)
        return whole.isEmpty ? nil : [UInt8(ascii: "\"")] + whole + [UInt8(ascii: "\"")]
    }

    /// Whether the first half of a character stands at its end, as `\ud83d`, whose second one has not come.
    private var endsInHalfOfACharacter: Bool {
        let end = json.suffix(6)
        guard end.count == 6, end.starts(with: "\\u".utf8),
            let unit = UInt16(String(decoding: end.dropFirst(2), as: UTF8.self), radix: 16), (0xD800..<0xDC00).contains(unit)
        else { return false }
        // Of an even number of backslashes ahead of the digits each escapes another.
        return json.dropLast(5).reversed().prefix { $0 == UInt8(ascii: "\\") }.count % 2 == 1
    }

    /// - Parameters:
    ///   - chunk: what is known of the next one.
    ///   - content: where its text stands in the data, as in ``ChatFrameReader/content``.
    package mutating func take(_ chunk: ChatChunk, content: Range<Int>?, in data: ArraySlice<UInt8>) {
        guard isWhole, chunk.saysAnything else { return }
        if chunk.hasToolCalls || chunk.hasRefusal || chunk.hasAudio || chunk.choicesCount > 1 { return drop() }
        // Reasoning has been said to nobody.
        guard chunk.hasContent else { return }
        guard let content, json.count + content.count - 2 <= Self.bytesMax else { return drop() }
        json += data.dropFirst(content.lowerBound + 1).prefix(content.count - 2)
    }

    private mutating func drop() { (json, isWhole) = ([], false) }
}
