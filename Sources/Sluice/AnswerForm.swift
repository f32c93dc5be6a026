// What a caller gets of what an upstream answers.

import Chat
import EventLoop

/// How one caller's answer differs from the upstream's.
struct AnswerForm {
    let isStreaming: Bool
    var edits = ChunkEdits()
    /// Whether the caller gets the chunk with the stream's usage, for which the upstream is asked in any case.
    var showsUsage: Bool
    /// The answers that the caller asked for (`n`); nil for one, whatever its number.
    var choices: ChoiceSet?

    init(for chat: ChatRequest, _ caller: Caller, _ settings: borrowing Settings) {
        isStreaming = chat.isStreaming
        showsUsage = chat.includeUsage == true
        choices = chat.choicesCount > 1 ? ChoiceSet(count: chat.choicesCount) : nil
        edits.systemFingerprint = caller.sessionID
        edits.speaksRefusal = settings.refusal == .speak
    }
}

/// An upstream's answer that does not stream.
struct Completion {
    let body: [UInt8]
    /// Whoever keeps the body keeps this.
    let memory: MemoryShare?
    private let chunk: ChatChunk

    /// - Throws: `ChatError` for what is no completion.
    init(
        _ body: [UInt8], _ memory: MemoryShare?, of answer: UpstreamAnswer, _ limits: Settings.Limits
    ) throws(ChatError) {
        self.memory = memory
        try answer.checkStatus(body)
        switch ChatFrame(body.span, depthMax: limits.jsonDepth) {
        case .chunk(let chunk) where !chunk.lacksChoices: (self.body, self.chunk) = (body, chunk)
        case .error(let error): throw .upstreamReported(error, key: answer.key)
        case .other:
            guard let error = UpstreamError(body: body.span, depthMax: limits.jsonDepth) else { throw .upstreamFailed(.garbage) }
            throw .upstreamReported(error, key: answer.key)
        case .chunk, .done, .garbage: throw .upstreamFailed(.garbage)
        }
    }

    var usage: TokenUsage? { chunk.hasUsage ? TokenUsage(body.span) : nil }
    var model: ServedModel? { ServedModel(ofCompletion: body.span) }

    func edited(_ edits: ChunkEdits) -> [UInt8] { edits.changes(chunk) ? edits.edited(body.span) : body }
}
