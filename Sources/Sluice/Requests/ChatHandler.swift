// The path of a request, top to bottom: check it, ask the upstream, hand the answer on. The file to read first.

import Chat
import Clock
import EventLoop
import FastCGI
import Logging
import Settings

/// Answers the requests of one worker. A class, like all that every open stream refers to: a stream holds no copy of it.
final class ChatHandler {
    private let settings: Settings
    private let loop: EventLoop
    private let logger: Logger
    private let log: RequestLog
    private let routes: Routes
    private let board: Board
    let upstreams: Upstreams
    private let models: [UInt8]
    private let counters: Counters

    /// - Throws: `HTTPError` when a file of authorities cannot be used.
    init(
        _ settings: Settings, _ routes: Routes, _ board: Board, on loop: EventLoop, _ logger: Logger, _ log: RequestLog,
        _ counters: Counters
    ) throws {
        self.settings = settings
        self.routes = routes
        self.board = board
        self.loop = loop
        self.logger = logger
        self.counters = counters
        self.log = log
        upstreams = try Upstreams(settings, on: loop, logger)
        models = settings.modelList
    }

    /// Answers one request, whatever comes: with the answer, with an error, or by cutting the connection when the caller is gone.
    func answer(_ request: Request, _ response: consuming Response) async {
        let isOverloaded = counters.requestBegan() > settings.limits.requests
        let id = RequestID(callers: request["HTTP_X_REQUEST_ID"])
        var record = RequestRecord(id, at: loop.now)
        var reply = Reply(response, id)
        do {
            do {
                if isOverloaded { throw ChatError.overloaded(retryAfter: .seconds(1)) }
                try await serve(request, &record, &reply)
            } catch let error as ChatError {
                record.error = error
                try await reply.fail(error)
            } catch is CancellationError {
                // Either the caller left, and the attempt to tell it throws that, or the server's time to drain is over.
                record.error = .shuttingDown
                try await reply.fail(.shuttingDown)
            } catch let error where !(error is FastCGIError) {
                logger.requestBroken(id, error)
                record.error = .internalDefect(requestID: id.description)
                try await reply.fail(.internalDefect(requestID: id.description))
            }
        } catch {
            record.callerLeft = true
        }
        record.status = reply.sentStatus
        // Before the caller can know that its answer is over, and ask again.
        counters.requestEnded()
        if !record.callerLeft {
            do { record.status = try await reply.finish() } catch { record.callerLeft = true }
        }
        log.write(record, at: loop.now)
    }

    private func serve(_ request: Request, _ record: inout RequestRecord, _ reply: inout Reply) async throws {
        switch try RequestKind(request) {
        case .chat: try await answerChat(request, &record, &reply)
        case .models: reply.sendJSON(models)
        case .openAPI: reply.sendJSON(openAPIDocument)
        }
    }

    private func answerChat(_ request: Request, _ record: inout RequestRecord, _ reply: inout Reply) async throws {
        let (answering, form) = try prepare(request, &record, &reply)
        try await loop.withCancellation {
            defer {
                answering.end()
                record.tried = answering.tried
            }
            let won = try await answering.begin(&reply)
            record.target = won.target
            reply.upstream = won.answer.head
            switch won.opening {
            case .whole(let completion) where !form.isStreaming: try await forward(completion, as: form, &record, &reply)
            case .whole, .stream: try await relay(won, as: form, &record, &reply)
            }
        } onCancel: {
            answering.cancel()
        }
    }

    /// Checks the request. Apart from `answerChat`, which lives as long as the stream: nothing of what is only needed here takes its
    /// memory.
    @inline(never)
    private func prepare(
        _ request: Request, _ record: inout RequestRecord, _ reply: inout Reply
    ) throws(ChatError) -> (Answering, AnswerForm) {
        let caller = Caller(request, record.id)
        record.client = caller.client
        switch request.dropped {
        case .tooLarge: throw .bodyTooLarge(bytesMax: settings.limits.bodyBytes)
        case .noMemory: throw .memoryFull
        case nil: break
        }
        if let coding = request["HTTP_CONTENT_ENCODING"], !coding.isEmpty, !coding.utf8.isEqualIgnoringCase(to: "identity") {
            throw .compressedBody(coding: Caller.sane(coding, bytesMax: 32))
        }
        let chat = try ChatRequest(body: request.body, depthMax: settings.limits.jsonDepth)
        let memory = request.memory
        request.release()
        record.call = chat.callID ?? caller.sessionID.flatMap { CallID($0)?.text }
        if chat.isStreaming {
            reply.streamErrors = StreamErrors(
                form: settings.errors, spoken: settings.spokenError, model: chat.model, systemFingerprint: caller.sessionID)
        }
        let route = try routes.route(for: chat.model)
        record.target = route.targets[0]
        let form = AnswerForm(for: chat, caller, settings)
        let race = Race(
            chat, RequestMemory(memory, counters.memory), caller, route, as: form, upstreams, board, settings, on: loop)
        return (Answering(race, board), form)
    }

    /// A stream of events: they go on as they come.
    private func relay(
        _ won: Winner, as form: AnswerForm, _ record: inout RequestRecord, _ reply: inout Reply
    ) async throws {
        let relay = Relay(won, as: form, settings, counters.memory, on: loop)
        defer {
            (record.firstEvent, record.bytesCount) = (relay.firstEvent, relay.bytesCount)
            (record.usage, record.model) = (relay.usage, relay.model)
        }
        try await relay.run(&reply)
    }

    /// One JSON object, not streamed.
    private func forward(
        _ completion: Completion, as form: AnswerForm, _ record: inout RequestRecord, _ reply: inout Reply
    ) async throws {
        (record.firstEvent, record.usage, record.model) = (loop.now, completion.usage, completion.model)
        let answer = completion.edited(form.edits)
        record.bytesCount = answer.count
        reply.memory = completion.memory
        reply.sendJSON(answer)
    }
}
