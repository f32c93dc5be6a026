// What an upstream says that its models are: its answer to `GET …/models`.

/// OpenAI's list of models, `{"data":[{"id":"…"}]}`, or the array alone, as some servers have it.
package enum ListedModels {
    /// Of a longer list these are the first.
    package static let countMax = 1000
    /// As long as the name may be by which a caller asks.
    package static let nameBytesMax = 256
    /// Of all names together: they are kept for whoever asks next, by each worker for each upstream.
    package static let bytesMax = 64 << 10
    private static let depthMax = 64

    /// The names in it that a caller can ask for: printable ASCII, of 1 to 256 bytes, and the first of them where they are too many. Nil for
    /// what is no such list.
    package static func names(in body: [UInt8]) -> [String]? {
        let body = Array(UTF8Mark.dropped(from: body))
        let document = body.span
        let list: JSONValue
        do throws(JSONError) { list = try JSONScanner.validate(document, depthMax: depthMax) } catch { return nil }
        guard let data = list.kind == .object ? list.member("data", in: document) : list, data.kind == .array else { return nil }
        var names: [String] = []
        var bytesCount = 0
        for model in data.elements(in: document, countMax: countMax) {
            guard let id = model.member("id", in: document), let name = name(id, in: document) else { continue }
            bytesCount += name.utf8.count
            if bytesCount > bytesMax { break }
            names.append(name)
        }
        return names
    }

    private static func name(_ id: JSONValue, in document: Span<UInt8>) -> String? {
        // No escape is longer than six bytes for each that it stands for.
        guard id.kind == .string, id.range.count - 2 <= 6 * nameBytesMax else { return nil }
        let name = JSONText.decode(id.range, in: document)
        guard (1...nameBytesMax).contains(name.utf8.count) else { return nil }
        return name.utf8.allSatisfy { (0x20..<0x7F).contains($0) } ? name : nil
    }
}
