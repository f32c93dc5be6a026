// What a caller gets of what an upstream answers.

import Chat
import EventLoop
import Settings

/// How one caller's answer differs from the upstream's.
struct AnswerForm {
    let isStreaming: Bool
    var edits = ChunkEdits()
    /// What is left out of the text, for a voice: nothing, which as an empty literal would be made by the conformance, for each
    /// request.
    var speech = SpeechParts(rawValue: 0)
    /// Whether reasoning makes an answer of what else would have to wait for its first token.
    var countsReasoning = false
    /// Whether the caller gets the chunk with the stream's usage, for which the upstream is asked in any case.
    var showsUsage: Bool
    /// The answers that the caller asked for (`n`); nil for one, whatever its number.
    var choices: ChoiceSet?
    /// Whether its text is kept, so that another answer could go on with it.
    var keepsText = false
    /// The attempt's, which notes what the upstream says of itself; nil where that has none.
    var span: AttemptSpan?
}

extension AnswerForm {
    /// - Parameter speaksRefusal: whether a refusal is said, as text is.
    init(for chat: borrowing ChatRequest, _ caller: borrowing Caller, _ route: Route, speaksRefusal: Bool) {
        isStreaming = chat.isStreaming
        showsUsage = chat.includeUsage == true
        choices = chat.choicesCount > 1 ? ChoiceSet(count: chat.choicesCount) : nil
        edits.systemFingerprint = caller.sessionID
        edits.speaksRefusal = speaksRefusal
        countsReasoning = route.countsReasoning
        // Whoever reads JSON is no voice.
        if !chat.wantsJSON { speech = route.speech }
        keepsText = route.continuesCuts && chat.isStreaming && chat.takesSentences
    }
}

/// An upstream's answer that does not stream, in the form that the caller gets.
struct Completion {
    /// One object; or all events of a stream, `[DONE]` included, for a caller who asked for one.
    let bytes: [UInt8]
    /// Whoever keeps the bytes keeps this.
    var memory: MemoryShare?
    /// What the answer cost, when the upstream says it.
    let usage: TokenUsage?
    /// Who answered, when the upstream says it.
    let model: ServedModel?

    /// - Throws: `ChatError` for what is no completion, or has not the shape that a stream needs.
    init(_ body: [UInt8], of answer: UpstreamAnswer, as form: AnswerForm, _ limits: Settings.Limits) throws(ChatError) {
        // A byte order mark may stand ahead of the JSON (RFC 8259 §8.1).
        let start = UTF8Mark.dropped(from: body)
        let body = start.count == body.count ? body : Array(start)
        try answer.checkStatus(body)
        switch ChatFrame(body.span, depthMax: limits.jsonDepth) {
        case .chunk(let chunk) where !chunk.lacksChoices:
            guard chunk.isAnswer else { throw .upstreamFailed(.noAnswer) }
            let said = JSONValue(validated: body.span).members(["usage", "model"], in: body.span)
            usage = said[0].flatMap { TokenUsage($0, in: body.span) }
            model = said[1].flatMap { ServedModel($0, in: body.span, hiding: answer.key) }
            if let span = form.span {
                span.noteID(in: body.span, hiding: answer.key)
                span.noteFinishReasons(in: body.span, hiding: answer.key)
            }
            let spoken = form.speech.spoken(body)
            if !form.isStreaming {
                bytes = form.edits.changes(chunk) ? form.edits.edited(spoken.span) : spoken
            } else if let events = CompletionEvents.events(of: spoken, edits: form.edits, includesUsage: form.showsUsage) {
                bytes = events
            } else {
                throw .upstreamFailed(.garbage)
            }
        case .error(let error): throw .upstreamReported(error, key: answer.key)
        case .other:
            guard let error = UpstreamError(body: body.span, depthMax: limits.jsonDepth) else { throw .upstreamFailed(.garbage) }
            throw .upstreamReported(error, key: answer.key)
        case .chunk, .done, .garbage: throw .upstreamFailed(.garbage)
        }
    }
}
