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
        json.isEmpty ? nil : [UInt8(ascii: "\"")] + json + [UInt8(ascii: "\"")]
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
