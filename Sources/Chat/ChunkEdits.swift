/// Changes of what an upstream answers, for callers that need more than its bytes (contract §1 Hume, §3).
package struct ChunkEdits: Hashable, Sendable {
    /// The value of `system_fingerprint` in each chunk: Hume takes its session's id from there.
    package var systemFingerprint: String?
    /// Whether the text of `refusal` is put into `content` as well, so that a voice says it.
    package var speaksRefusal = false

    package init() {}

    /// A chunk or a completion with the changes made; everything else stays byte for byte.
    /// - Parameter json: a validated object, as in ``ChatFrame/chunk(_:)``.
    package func edited(_ json: Span<UInt8>) -> [UInt8] {
        json.bytes(in: json.indices)
    }
}
