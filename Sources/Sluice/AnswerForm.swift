// What a caller gets of what an upstream answers.

import Chat

/// How one caller's answer differs from the upstream's.
struct AnswerForm {
    let isStreaming: Bool
    var edits = ChunkEdits()
    /// Whether the caller gets the chunk with the stream's usage, for which the upstream is asked in any case.
    var showsUsage: Bool
    /// How many answers the caller asked for (`n`).
    var choicesCount: Int

    init(for chat: ChatRequest, _ caller: Caller, _ settings: borrowing Settings) {
        isStreaming = chat.isStreaming
        showsUsage = chat.includeUsage == true
        choicesCount = chat.choicesCount
        edits.systemFingerprint = caller.sessionID
        edits.speaksRefusal = settings.refusal == .speak
    }
}

/// An upstream's answer that does not stream.
struct Completion {
    let body: [UInt8]
    private let chunk: ChatChunk

    /// - Throws: `ChatError` for what is no completion.
    init(_ body: [UInt8], of answer: UpstreamAnswer, _ limits: Settings.Limits) throws(ChatError) {
        try answer.checkStatus(body)
        switch ChatFrame(body.span, depthMax: limits.jsonDepth) {
        case .chunk(let chunk): (self.body, self.chunk) = (body, chunk)
        case .error(let error): throw .upstreamReported(error, isCallersKey: answer.isCallersKey)
        case .done, .other, .garbage: throw .upstreamFailed(.garbage)
        }
    }

    var usage: TokenUsage? { chunk.hasUsage ? TokenUsage(body.span) : nil }
    var model: ServedModel? { ServedModel(ofCompletion: body.span) }

    func edited(_ edits: ChunkEdits) -> [UInt8] { edits.changes(chunk) ? edits.edited(body.span) : body }
}
