// What a request that has a trace has done.

import Chat
import Choosing
import Clock

/// One request's part of a trace: its own span, and one for each attempt at a target. There is none for a request without a
/// trace.
final class RequestTrace {
    let id: TraceID
    /// Its own span's.
    let span: SpanID
    /// The caller's span, if the caller has one.
    private let parent: SpanID?
    /// What the caller's program wants to find again (W3C Trace Context §3.3), as it came.
    private let state: String?
    private let start: Instant
    /// The wall clock's time at the start, in nanoseconds since 1970.
    private let startTime: Int64
    /// The model that the caller asks for, where that is a plain name.
    private var model: String?
    private var isStreaming: Bool?
    private var attempts: [AttemptSpan] = []

    /// Beyond them a request has attempts, but no spans of theirs.
    private static let attemptsMax = 32

    /// - Parameters:
    ///   - start: when the request came.
    ///   - parent: what the caller says; nil for a trace that begins here.
    ///   - state: fit for a header; nil for none.
    init(start: Instant, in parent: TraceParent? = nil, state: String? = nil) {
        (id, span) = (parent?.trace ?? .random(), .random())
        (self.parent, self.state, self.start) = (parent?.span, state, start)
        startTime = nanosecondsSince1970() - (Instant.current - start).nanoseconds
    }

    /// What is asked for.
    func note(_ chat: ChatRequest, defaultModel: String?) {
        (model, isStreaming) = ((chat.model ?? defaultModel).flatMap(Self.plain), chat.isStreaming)
    }

    /// Begins an attempt; nil where there are too many.
    ///
    /// - Parameter model: the caller's word.
    func attempt(
        at target: Target, _ reason: Selection.PlannedAttempt.Reason, for model: String?, at now: Instant
    ) -> AttemptSpan? {
        guard attempts.count < Self.attemptsMax else { return nil }
        let attempt = AttemptSpan(target, reason, model: target.model(for: model).flatMap(Self.plain), at: now)
        attempts.append(attempt)
        return attempt
    }

    private static func plain(_ name: String) -> String? { name.isPlainName ? name : nil }

    /// What the server that is asked gets, so that its spans are below this one.
    ///
    /// - Parameter attempt: nil for what is asked ahead of all attempts.
    func headers(for attempt: AttemptSpan? = nil) -> [(name: String, value: String)] {
        var text = [UInt8]("00-".utf8)
        text.append(id)
        text.append(UInt8(ascii: "-"))
        text.append(attempt?.id ?? span)
        text.append("-01")
        var headers = [(name: "traceparent", value: String(decoding: text, as: UTF8.self))]
        if let state { headers.append((name: "tracestate", value: state)) }
        return headers
    }

    /// The request is over.
    ///
    /// - Parameter end: when.
    func spans(of record: RequestRecord, at end: Instant) -> EncodedSpans {
        var writer = SpanWriter(id, state, clock: (start, startTime))
        append(record, at: end, to: &writer)
        for attempt in attempts {
            attempt.endWithAnswer(record.ending, at: end)
            attempt.append(to: &writer, below: span)
        }
        return writer.spans
    }

    private func append(_ record: RequestRecord, at end: Instant, to writer: inout SpanWriter) {
        // Of several that have won the last has gone on with the answer.
        let answering = attempts.last(where: \.hasWon)
        let (answer, words) = (record.wholeAnswer, record.words)
        writer.begin(model.map { "chat \($0)" } ?? "chat", .server, span, parent, from: start, to: end)
        writer.add("gen_ai.operation.name", "chat")
        writer.addProvider((answering ?? attempts.last)?.target.provider)
        writer.add("gen_ai.request.model", model)
        writer.add("gen_ai.request.stream", isStreaming)
        writer.add("gen_ai.conversation.id", record.call)
        writer.add("gen_ai.response.id", answering?.responseID)
        writer.add("gen_ai.response.model", answer.model?.name)
        writer.add("gen_ai.response.finish_reasons", answering?.finishReasons ?? [])
        writer.add("gen_ai.usage.input_tokens", answer.usage?.promptTokens)
        writer.add("gen_ai.usage.output_tokens", answer.usage?.completionTokens)
        let firstToken = answer.eventsCount > 0 ? answer.firstToken : nil
        writer.add("gen_ai.response.time_to_first_chunk", firstToken.map { $0 - start })
        writer.add("error.type", record.ending.error.map(RequestRecord.outcome(of:)))
        writer.add("http.response.status_code", record.status)
        writer.add("sluice.request_id", record.id.description)
        writer.add("sluice.client", record.client)
        writer.add("sluice.route", record.route)
        writer.add("sluice.ending", words.ending)
        writer.add("sluice.cause", words.cause)
        // A mistake of the caller's is no failure of the server's (semantic conventions for HTTP, span status).
        let hasFailed = record.ending.error.map { $0.status >= 500 } ?? false
        writer.end(event: firstToken.map { ("gen_ai.first_token", $0) }, hasFailed: hasFailed)
    }
}

/// One attempt at a target.
final class AttemptSpan {
    let id = SpanID.random()
    let target: Target
    private let reason: Selection.PlannedAttempt.Reason
    /// The model that the target is asked for, where that is a plain name.
    private let model: String?
    private let start: Instant
    /// Nil until it is over.
    private var end: Instant?
    private(set) var hasWon = false
    /// In one word.
    private var outcome = "won"
    private var hasFailed = false
    /// What the upstream has answered with.
    private var status: Int?
    /// What the upstream calls its answer, where that is a plain name.
    private(set) var responseID: String?
    private var reasons: [Int: String] = [:]
    /// How often it is looked for them: some servers say one with each chunk.
    private var looksLeft = 32

    /// As many choices are looked at.
    private static let choicesMax = 16

    fileprivate init(_ target: Target, _ reason: Selection.PlannedAttempt.Reason, model: String?, at start: Instant) {
        (self.target, self.reason, self.model, self.start) = (target, reason, model, start)
    }

    // MARK: Its way

    /// Its answer is the one that the caller gets.
    func win(_ status: Int?) { (hasWon, self.status) = (true, status) }

    /// It is over; what comes later changes nothing.
    ///
    /// - Parameter outcome: in one word.
    func finish(_ outcome: String, hasFailed: Bool, status: Int? = nil, at end: Instant) {
        guard self.end == nil else { return }
        (self.outcome, self.hasFailed, self.end) = (outcome, hasFailed, end)
        self.status = status ?? self.status
    }

    /// What has not ended by itself has with the request.
    fileprivate func endWithAnswer(_ ending: Ending, at end: Instant) {
        switch ending {
        case .answered: finish("won", hasFailed: false, at: end)
        case .failed(let error): finish(RequestRecord.outcome(of: error), hasFailed: true, at: end)
        case .callerLeft: finish("cancelled", hasFailed: false, at: end)
        }
    }

    // MARK: Its answer

    /// - Parameters:
    ///   - json: a chunk or a completion, validated.
    ///   - key: what may not stand in it.
    func noteID(in json: Span<UInt8>, hiding key: UpstreamKey) {
        guard responseID == nil else { return }
        responseID = JSONValue(validated: json).member("id", in: json)?.plainName(in: json, hiding: key)
    }

    /// - Parameters:
    ///   - json: as above, with a finish reason.
    ///   - key: as above.
    func noteFinishReasons(in json: Span<UInt8>, hiding key: UpstreamKey) {
        guard looksLeft > 0, let choices = JSONValue(validated: json).member("choices", in: json) else { return }
        looksLeft -= 1
        for (place, choice) in choices.elements(in: json, countMax: Self.choicesMax).enumerated() {
            let said = choice.members(["index", "finish_reason"], in: json)
            guard let reason = said[1]?.plainName(in: json, hiding: key), !reason.hasSameBytes(as: "null") else { continue }
            let index = said[0]?.integer(in: json) ?? place
            if (0..<Self.choicesMax).contains(index) { reasons[index] = reason }
        }
    }

    /// In the order of the choices.
    var finishReasons: [String] { reasons.sorted { $0.key < $1.key }.map(\.value) }

    // MARK: What it has come to

    fileprivate func append(to writer: inout SpanWriter, below parent: SpanID) {
        writer.begin("attempt \(target.upstreamName)", .client, id, parent, from: start, to: end ?? start)
        writer.addProvider(target.provider)
        writer.add("gen_ai.request.model", model)
        writer.add("server.address", target.server?.address)
        writer.add("server.port", target.server?.port.map(Int.init))
        writer.add("http.request.method", target.server == nil ? nil : "POST")
        writer.add("http.response.status_code", status)
        writer.add("error.type", hasFailed ? outcome : nil)
        writer.add("sluice.upstream", target.upstreamName)
        writer.add("sluice.attempt.reason", reason.word)
        writer.add("sluice.attempt.outcome", outcome)
        writer.end(hasFailed: hasFailed)
    }
}

extension Selection.PlannedAttempt.Reason {
    fileprivate var word: String {
        switch self {
        case .first: "first"
        case .retry: "retry"
        case .fallback: "fallback"
        case .hedge: "hedge"
        }
    }
}
