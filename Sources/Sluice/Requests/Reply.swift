// The answer to the caller in the forms that the contract knows: a stream of events, a JSON object, an error.

import Chat
import Clock
import EventLoop
import FastCGI
import Settings

/// A response with its id, which tells errors before the stream from errors inside it.
struct Reply: ~Copyable {
    /// What the upstream said ahead of its answer; some of its headers go on to the caller.
    var upstream: UpstreamHead?
    /// Whether an event of the answer has been sent, not a comment alone.
    var hasEvents = false
    /// Whether the caller has heard something of Sluice's own that an answer is to follow.
    private(set) var hasFiller = false
    /// Whether the answer could end with a sentence: arguments of a tool, of which a part is missing, could not.
    var mayEndSpoken = true
    /// Whether it ends so.
    private(set) var endsSpoken = false
    /// How a streaming caller is told of errors; until that is known to be one, by status.
    var streamErrors: StreamErrors?

    /// What is left of the client's tokens of the day; nil where they have no limit.
    var tokensLeft: Int? {
        get { tokensLeftIfAny < 0 ? nil : tokensLeftIfAny }
        set { tokensLeftIfAny = newValue ?? -1 }
    }

    /// The status that the web server has been sent; nil while nothing has left.
    var sentStatus: Int? { hasSent ? status : nil }

    /// The same, in one word: it stands in a frame that lives as long as the stream.
    private var tokensLeftIfAny = -1
    private var response: Response
    private let id: RequestID
    /// Whether nothing of the answer is sent but its head.
    private let isHeadAlone: Bool
    /// The header's, which leaves with the first bytes behind it.
    private var status = 200
    private var hasSent = false
    /// What leaves together with the response's end. That is a JSON body: web servers that have as much as was announced do not
    /// wait for the end, and close a connection which they could have kept. Or it is a stream's last events, which saves a write.
    private var ending: [UInt8] = []
    /// What the ending takes of the memory for all requests, where it is much.
    var memory: MemoryShare?

    /// - Parameter isHeadAlone: whether nothing of the answer is sent but its head.
    init(_ response: consuming Response, _ id: RequestID, isHeadAlone: Bool) {
        self.response = response
        (self.id, self.isHeadAlone) = (id, isHeadAlone)
    }

    /// Whether the header of the answer has been written, though it leaves with the first bytes behind it.
    var hasStarted: Bool { response.hasStarted }

    /// Whether nobody is there any more to get the answer.
    var callerHasLeft: Bool { response.callerHasLeft }

    /// What callbacks write with while the task waits; `nil` before the stream has begun.
    var writer: ResponseWriter? { hasStarted ? response.writer : nil }

    /// Begins a stream of server-sent events. The header leaves with the first event.
    mutating func startStream() {
        response.start(status: 200, Self.streamLines, headers: furtherHeaders)
    }

    /// As above, of an error that is said, which programs are to tell from an answer: its status is 200.
    private mutating func startStream(telling error: ChatError) {
        let told = [(name: "X-Sluice-Spoken-Error", value: RequestRecord.outcome(of: error))]
        response.start(status: 200, Self.streamLines, headers: furtherHeaders + told)
    }

    private static let streamLines = HeaderLines([
        ("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-cache"),
        // Tells nginx not to buffer, whatever its configuration says.
        ("X-Accel-Buffering", "no"),
    ])

    /// Those that are not the answer's own.
    private var furtherHeaders: [(name: String, value: String)] {
        var headers = [(name: "X-Request-Id", value: id.description)]
        if let upstream { headers += upstream.passedHeaders }
        if let tokensLeft { headers.append(("X-Sluice-Budget-Remaining", String(tokensLeft))) }
        return headers
    }

    /// Sends complete events, or a comment, at once.
    mutating func send(_ bytes: ArraySlice<UInt8>) async throws(FastCGIError) {
        try await response.send(bytes)
        hasSent = true
    }

    /// Sends complete events when that needs no waiting.
    ///
    /// - Returns: whether they were sent; if not, `send` is the way.
    mutating func sendAtOnce(_ bytes: ArraySlice<UInt8>) throws(FastCGIError) -> Bool {
        guard try response.sendAtOnce(bytes) else { return false }
        hasSent = true
        return true
    }

    /// Ends a stream with complete events. They leave when the reply is finished, which must be at once.
    mutating func end(with bytes: ArraySlice<UInt8>) {
        if !hasStarted { startStream() }
        ending += bytes
    }

    /// A comment, which shows the caller that its answer is still on the way.
    mutating func keepAlive() async throws(FastCGIError) {
        if !hasStarted { startStream() }
        try await send(Self.keepAliveComment[...])
    }

    /// Says something while there is no answer yet, as the beginning of it.
    mutating func say(_ text: String) async throws(FastCGIError) {
        if !hasStarted { startStream() }
        try await send(ownChunks.part(saying: text, isFirst: !hasFiller)[...])
        hasFiller = true
    }

    /// The events of a whole answer with a text, or the rest of one that has begun.
    func answer(saying text: String) -> [UInt8] {
        hasFiller ? ownChunks.ending(saying: text) : ownChunks.answer(saying: text)
    }

    /// Chunks that say what Sluice has to say.
    private var ownChunks: OwnChunks {
        OwnChunks(
            id: id.description, model: streamErrors?.model, systemFingerprint: streamErrors?.systemFingerprint,
            created: secondsSince1970())
    }

    private static let keepAliveComment = [UInt8](": keep-alive\n\n".utf8)

    /// Answers with a completion. It leaves when the reply is finished.
    mutating func sendJSON(_ body: [UInt8]) { respond(200, body, []) }

    /// Answers with a page about this process, which nobody is to keep. It leaves when the reply is finished.
    ///
    /// - Parameter headers: besides those of all such pages.
    mutating func sendPage(
        _ body: [UInt8], status: Int = 200, contentType: String, headers: [(name: String, value: String)] = [],
        _ memory: MemoryShare? = nil
    ) {
        self.memory = memory
        respond(status, body, contentType: contentType, [("Cache-Control", "no-store")] + headers)
    }

    /// Before the stream an HTTP error, inside it an error event, after which no `[DONE]` follows; or what the settings say
    /// instead. It leaves when the reply is finished.
    mutating func fail(_ error: ChatError) {
        if let spoken = streamErrors?.spoken, !hasEvents {
            if !hasStarted { startStream(telling: error) }
            end(with: answer(saying: spoken)[...])
        } else if let sentence = streamErrors?.cutSentence, hasEvents, mayEndSpoken {
            end(with: ownChunks.ending(saying: sentence)[...])
            endsSpoken = true
        } else if streamErrors?.form == .sse {
            end(with: error.bareEvent[...])
        } else if hasStarted {
            end(with: error.event[...])
        } else {
            respond(error.status, error.body, error.headers)
        }
    }

    /// Whether all that is left of it leaves at once when it is finished, or never will.
    var endsAtOnce: Bool { response.endsAtOnce(sending: ending.count) }

    /// Sends what is too much for that, waiting while the caller is slow.
    mutating func sendAheadOfEnd() async throws(FastCGIError) {
        defer { hasSent = hasSent || response.headHasLeft }
        do throws(FastCGIError) {
            ending = Array(try await response.sendAhead(ofLast: ending[...]))
            memory = nil
        } catch {
            // As below.
            if !ending.isEmpty { throw error }
        }
    }

    /// - Returns: the status that the web server has been sent.
    consuming func finish() async throws(FastCGIError) -> Int {
        let status = status
        do {
            try await response.finish(sending: ending[...])
        } catch {
            // Clients hang up as soon as they have `[DONE]`; a stream that has been sent is whole all the same.
            if !ending.isEmpty { throw error }
        }
        return status
    }

    private mutating func respond(
        _ status: Int, _ body: [UInt8], contentType: String = "application/json", _ headers: [(name: String, value: String)]
    ) {
        self.status = status
        response.start(
            status: status,
            headers: [("Content-Type", contentType), ("Content-Length", String(body.count))] + headers + furtherHeaders)
        if !isHeadAlone { ending = body }
    }
}

extension Reply {
    /// Whether this process takes requests.
    mutating func sendPong(isDraining: Bool) {
        let words = isDraining ? "draining\n" : "pong\n"
        sendPage(Array(words.utf8), status: isDraining ? 503 : 200, contentType: "text/plain; charset=utf-8")
    }

    /// The page for browsers.
    mutating func sendChatPage() {
        sendPage(ChatPage.bytes, contentType: "text/html; charset=utf-8", headers: ChatPage.headers)
    }

    /// How this process does.
    ///
    /// - Throws: `ChatError.unknownPath` where nothing is told, `.memoryFull` or `.overloaded` when it cannot be at the moment.
    mutating func sendStatus(_ form: StatusForm, of pages: StatusPages?, _ budget: MemoryBudget) async throws(ChatError) {
        guard let pages else { throw .unknownPath }
        let made = await pages.page(form, for: .webServer)
        try sendPage(made, form.contentType, budget)
    }

    /// The metrics of all processes.
    ///
    /// - Throws: as above.
    mutating func sendMetrics(
        as format: MetricsFormat, of pages: StatusPages?, _ budget: MemoryBudget
    ) async throws(ChatError) {
        guard let pages else { throw .unknownPath }
        let made = await pages.metrics(as: format)
        try sendPage(made, format.contentType, budget)
    }

    private mutating func sendPage(
        _ made: Result<[UInt8], SystemError>?, _ contentType: String, _ budget: MemoryBudget
    ) throws(ChatError) {
        guard case .success(let page) = made else { throw .overloaded(retryAfter: .seconds(1)) }
        // Those that nobody reads are to leave room for what callers want.
        if page.count > AnswerMemory.freeBytes, budget.isScarce { throw .memoryFull }
        sendPage(page, contentType: contentType, try RequestMemory.share(ofCopy: page.count, budget))
    }
}

/// How errors are told to callers who stream (contract §3.3).
struct StreamErrors {
    let form: Settings.ErrorForm
    /// What is said, as if the model said it, in place of an error before the first token.
    let spoken: String?
    /// What is said behind an answer that has broken off.
    var cutSentence: String?
    /// What the chunks of that say besides: the model that the caller named, and Hume's session.
    var model: String?
    var systemFingerprint: String?
}

extension StreamErrors {
    init(for chat: borrowing ChatRequest, _ caller: borrowing Caller, _ generation: Generation) {
        self.init(
            form: generation.settings.errors, spoken: generation.settings.spokenError, model: chat.model,
            systemFingerprint: caller.sessionID)
    }
}
