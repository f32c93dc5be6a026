/// Changes of what an upstream answers, for callers that need more than its bytes (contract §1 Hume, §3).
package struct ChunkEdits: Hashable, Sendable {
    /// The value of `system_fingerprint` in each chunk: Hume takes its session's id from there.
    package var systemFingerprint: String? {
        get { fingerprintJSON.map { JSONText.decode($0.indices, in: $0.span) } }
        set { fingerprintJSON = newValue.map(Self.json) }
    }
    /// As JSON: escaped once for all chunks.
    private var fingerprintJSON: [UInt8]?
    /// Whether the text of `refusal` is put into `content` as well, so that a voice says it.
    package var speaksRefusal = false

    /// No changes.
    package init() {}

    /// Whether nothing is ever changed.
    package var isEmpty: Bool { fingerprintJSON == nil && !speaksRefusal }

    /// Whether this chunk is to be edited. One that is not goes on untouched, as most do.
    package func changes(_ chunk: ChatChunk) -> Bool {
        fingerprintJSON != nil || speaksRefusal && chunk.hasRefusal || chunk.lacksChoices
    }

    private static func json(_ text: String) -> [UInt8] {
        var json: [UInt8] = []
        json.appendJSONString(text)
        return json
    }

    /// A chunk or a completion with the changes made; everything else stays byte for byte. Editing twice changes nothing more.
    /// - Parameter json: a validated object, as in ``ChatFrame/chunk(_:)``.
    /// - Parameter lacksChoices: there is no `choices` array, and an empty one is to be there.
    package func edited(_ json: Span<UInt8>, lacksChoices: Bool = false) -> [UInt8] {
        let root = JSONValue(validated: json)
        var replacements = JSONReplacements()
        if lacksChoices { replacements.set("choices", to: [UInt8]("[]".utf8), in: root, of: json) }
        if let fingerprintJSON { replacements.set("system_fingerprint", to: fingerprintJSON, in: root, of: json) }
        if speaksRefusal {
            for choice in root.member("choices", in: json)?.elements(in: json, countMax: ChoiceSet.countMax) ?? [] {
                speakRefusal(of: choice.member("delta", in: json), in: json, &replacements)
                speakRefusal(of: choice.member("message", in: json), in: json, &replacements)
            }
        }
        return replacements.applied(to: json.indices, of: json)
    }

    private func speakRefusal(of message: JSONValue?, in json: Span<UInt8>, _ replacements: inout JSONReplacements) {
        guard let message, let refusal = message.member("refusal", in: json), refusal.kind == .string,
            !refusal.isEmpty(in: json), isSilent(message.member("content", in: json), in: json)
        else { return }
        replacements.set("content", to: json.bytes(in: refusal.range), in: message, of: json)
    }

    private func isSilent(_ content: JSONValue?, in json: Span<UInt8>) -> Bool {
        switch content?.kind {
        case nil, .null: true
        case .string: content?.isEmpty(in: json) == true
        default: false
        }
    }
}
