// The path of a request, top to bottom: check it, ask the upstream, hand the answer on. The file to read first.

import Chat
import Clock
import EventLoop
import FastCGI
import Logging

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
        var record = RequestRecord(RequestID(callers: request["HTTP_X_REQUEST_ID"]), at: loop.now)
        var reply = Reply(response, record.id)
        if isOverloaded {
            record.ending = .failed(.overloaded(retryAfter: .seconds(1)))
        } else {
            record.ending = await serve(request, &record, &reply)
        }
        if case .failed(let error) = record.ending {
            do { try await reply.fail(error) } catch { record.ending.loseCaller() }
        }
        record.status = reply.sentStatus
        // Before the caller can know that its answer is over, and ask again.
        counters.requestEnded()
        if !record.ending.isDeparture {
            do { record.status = try await reply.finish() } catch { record.ending.loseCaller() }
        }
        log.write(record, at: loop.now)
    }

    private func serve(_ request: Request, _ record: inout RequestRecord, _ reply: inout Reply) async -> Ending {
        do {
            switch try RequestKind(request) {
            case .chat: try await answerChat(request, &record, &reply)
            case .models: reply.sendJSON(models)
            case .openAPI: reply.sendJSON(openAPIDocument)
            }
            return .answered
        } catch {
            return ending(of: error, record.id, callerHasLeft: reply.callerHasLeft)
        }
    }

    /// What an error means for a request: the caller is told of it, unless it has left.
    private func ending(of error: any Error, _ id: RequestID, callerHasLeft: Bool) -> Ending {
        switch error {
        case let error as ChatError: return .failed(error)
        case is FastCGIError: return .callerLeft()
        // A request is cancelled when its caller leaves, and when the server's time to drain is over.
        case is CancellationError: return callerHasLeft ? .callerLeft() : .failed(.shuttingDown)
        default:
            logger.requestBroken(id, error)
            return .failed(.internalDefect(requestID: id.description))
        }
    }

    private func answerChat(_ request: Request, _ record: inout RequestRecord, _ reply: inout Reply) async throws {
        let answering = try prepare(request, &record, &reply)
        try await loop.withCancellation {
            defer {
                answering.end()
                record.tried = answering.tried
            }
            let attempt = try await answering.begin(&reply)
            record.target = attempt.target
            reply.upstream = attempt.stream.head
            if let completion = attempt.completion {
                record.answer = RequestRecord.Answer(at: loop.now)
                try send(completion, as: attempt.stream.form, &record.answer, &reply)
            } else {
                try await relay(attempt.stream, &record.answer, &reply)
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
    ) throws(ChatError) -> Answering {
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
        return Answering(race)
    }

    /// A stream of events: they go on as they come.
    private func relay(
        _ stream: AnswerStream, _ record: inout RequestRecord.Answer, _ reply: inout Reply
    ) async throws {
        let relay = Relay(stream, heartbeat: settings.heartbeat, on: loop)
        defer { record = RequestRecord.Answer(stream, bytesCount: relay.bytesCount) }
        do {
            try await relay.run(&reply)
        } catch let departure as FastCGIError where settings.onDisconnect == .drain {
            await Drain(stream, on: loop).run()
            throw departure
        }
    }

    /// One object, as it is or as the stream that the caller asked for. It leaves when the reply is finished.
    private func send(
        _ completion: Completion, as form: AnswerForm, _ record: inout RequestRecord.Answer, _ reply: inout Reply
    ) throws(ChatError) {
        reply.memory = completion.memory
        let bytes = form.isStreaming ? try completion.events(as: form) : completion.edited(form.edits)
        record = RequestRecord.Answer(completion, bytesCount: bytes.count, at: loop.now)
        if form.isStreaming { reply.end(with: bytes[...]) } else { reply.sendJSON(bytes) }
    }
}
