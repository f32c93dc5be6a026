// The path of a request, top to bottom: check it, ask the upstream, hand the answer on. The file to read first.

import Chat
import EventLoop
import FastCGI
import Logging
import Settings

/// Answers the requests of one worker. A class, like all that every open stream refers to: a stream holds no copy of it.
final class ChatHandler {
    /// What a request that begins now is answered by, to its end.
    private(set) var generation: WorkerGeneration
    private let loop: EventLoop
    private let logger: Logger
    private let log: RequestLog
    private let counters: Counters

    init(_ generation: WorkerGeneration, on loop: EventLoop, logger: Logger, log: RequestLog, counters: Counters) {
        self.generation = generation
        self.loop = loop
        self.logger = logger
        self.log = log
        self.counters = counters
    }

    /// Requests that begin from now on are answered by another one.
    func adopt(_ next: WorkerGeneration) {
        generation = next
        log.refresh()
    }

    /// Answers one request, whatever comes: with the answer, with an error, or by cutting the connection when the caller is gone.
    func answer(_ request: Request, _ response: consuming Response) async {
        let generation = generation
        let isOverloaded = counters.requestBegan() > generation.shared.settings.limits.requests
        var record = RequestRecord(RequestID(callers: request["HTTP_X_REQUEST_ID"]), at: request.start)
        var reply = Reply(response, record.id)
        if isOverloaded {
            record.ending = .failed(.overloaded(retryAfter: .seconds(1)))
        } else {
            record.ending = await serve(request, by: generation, noting: &record, into: &reply)
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
        counters.statistics.note(record)
    }

    private func serve(
        _ request: Request, by generation: WorkerGeneration, noting record: inout RequestRecord, into reply: inout Reply
    ) async -> Ending {
        do {
            switch try RequestKind(request) {
            case .chat: try await answerChat(request, by: generation, noting: &record, into: &reply)
            case .models: reply.sendJSON(generation.shared.models)
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

    private func answerChat(
        _ request: Request, by generation: WorkerGeneration, noting record: inout RequestRecord, into reply: inout Reply
    ) async throws {
        let answering = try prepare(request, by: generation, noting: &record, into: &reply)
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
                try send(completion, as: attempt.stream.form, noting: &record.answer, into: &reply)
            } else {
                try await relay(attempt.stream, by: generation, noting: &record.answer, into: &reply)
            }
        } onCancel: {
            answering.cancel()
        }
    }

    /// What is needed to answer. Never inlined: the frame of `answerChat`, which lives as long as the stream, would have room for it.
    @inline(never)
    private func prepare(
        _ request: Request, by generation: WorkerGeneration, noting record: inout RequestRecord, into reply: inout Reply
    ) throws(ChatError) -> Answering {
        Answering(
            Race(
                for: try question(of: request, by: generation, noting: &record, into: &reply), by: generation, on: loop,
                logger: logger))
    }

    /// Checks the request, and notes what it says of itself.
    private func question(
        of request: Request, by generation: WorkerGeneration, noting record: inout RequestRecord, into reply: inout Reply
    ) throws(ChatError) -> Question {
        let caller = Caller(request, record.id)
        record.client = caller.client
        try checkBody(of: request, generation.shared.settings.limits)
        let chat = try ChatRequest(body: request.body, depthMax: generation.shared.settings.limits.jsonDepth)
        let memory = try RequestMemory(request.memory, beside: chat.besideCount, counters.memory)
        request.release()
        record.call = chat.callID ?? caller.sessionID.flatMap { CallID($0)?.text }
        if chat.isStreaming { reply.streamErrors = StreamErrors(for: chat, caller, generation.shared.settings) }
        let route = try generation.shared.routes.route(for: chat.model)
        record.target = route.targets[0]
        return Question(
            chat: chat, caller: caller, memory: memory, route: route,
            form: AnswerForm(for: chat, caller, generation.shared.settings))
    }

    private func checkBody(of request: Request, _ limits: Settings.Limits) throws(ChatError) {
        switch request.dropped {
        case .tooLarge: throw .bodyTooLarge(bytesMax: limits.bodyBytes)
        case .noMemory: throw .memoryFull
        case nil: break
        }
        if let coding = request["HTTP_CONTENT_ENCODING"], !coding.isEmpty, !coding.utf8.isEqualIgnoringCase(to: "identity") {
            throw .compressedBody(coding: Caller.sane(coding, bytesMax: 32))
        }
    }

    /// A stream of events: they go on as they come.
    private func relay(
        _ stream: AnswerStream, by generation: WorkerGeneration, noting record: inout RequestRecord.Answer,
        into reply: inout Reply
    ) async throws {
        let relay = Relay(stream, heartbeat: generation.shared.settings.heartbeat, on: loop)
        defer { record = RequestRecord.Answer(stream, bytesCount: relay.bytesCount) }
        do {
            try await relay.run(&reply)
        } catch let departure as FastCGIError where generation.shared.settings.onDisconnect == .drain {
            await Drain(stream, on: loop).run()
            throw departure
        }
    }

    /// One object, as it is or as the stream that the caller asked for. It leaves when the reply is finished.
    private func send(
        _ completion: Completion, as form: AnswerForm, noting record: inout RequestRecord.Answer, into reply: inout Reply
    ) throws(ChatError) {
        reply.memory = completion.memory
        let bytes = form.isStreaming ? try completion.events(as: form) : completion.edited(form.edits)
        record = RequestRecord.Answer(completion, bytesCount: bytes.count, at: loop.now)
        if form.isStreaming { reply.end(with: bytes[...]) } else { reply.sendJSON(bytes) }
    }
}
