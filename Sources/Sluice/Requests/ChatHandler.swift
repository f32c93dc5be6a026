// The path of a request, top to bottom: check it, ask the upstream, hand the answer on. The file to read first.

import Chat
import Clock
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
    /// What takes traces away.
    let exporter: TraceExporter
    /// The requests that are being answered.
    let requests = RequestTable()
    /// What is told of the process; nil for nothing.
    var pages: StatusPages?

    init(_ generation: WorkerGeneration, on loop: EventLoop, logger: Logger, log: RequestLog, counters: Counters) {
        self.generation = generation
        self.loop = loop
        self.logger = logger
        self.log = log
        self.counters = counters
        exporter = TraceExporter(on: loop)
    }

    /// Requests that begin from now on are answered by another one.
    func adopt(_ next: WorkerGeneration) {
        generation = next
        log.refresh()
    }

    /// Answers one request, whatever comes: with the answer, with an error, or by cutting the connection when the caller is gone.
    func answer(_ request: Request, _ response: consuming Response) async {
        let generation = generation
        let kind = RequestKind(request, hasPage: generation.shared.settings.hasPage)
        if kind.isOwnPage { return await tell(kind, request, response) }
        let (answering, isOverloaded) = begin(request, kind, generation.shared)
        var reply = Reply(response, answering.record.id, isHeadAlone: kind.isHeadAlone(request))
        var ending = Ending.failed(.overloaded(retryAfter: .seconds(1)))
        if !isOverloaded { ending = await serve(request, kind, by: generation, answering, into: &reply) }
        settle(answering, ending, &reply)
        if case .failed(let error) = ending { reply.fail(error) }
        // An answer that nobody takes has its place for as long as it waits.
        if !ending.isDeparture, !reply.endsAtOnce {
            do { try await reply.sendAheadOfEnd() } catch { ending.loseCaller() }
        }
        let endsSpoken = reply.endsSpoken
        var status = reply.sentStatus
        // Before the caller can know that its answer is over, and ask again.
        giveBack(answering, isOverloaded)
        if !ending.isDeparture {
            do { status = try await reply.finish() } catch { ending.loseCaller() }
        }
        if endsSpoken, !ending.isDeparture { answering.noteSpokenEnd() }
        end(answering, ending, status, by: generation)
    }

    // What is never inlined from here on would need room in the frame of its caller, which lives as long as the stream.

    /// Counts a request, and says whether there are too many.
    @inline(never)
    private func begin(
        _ request: Request, _ kind: RequestKind, _ generation: Generation
    ) -> (Answering, isOverloaded: Bool) {
        let trace: RequestTrace? = if case .chat = kind { generation.traces?.begin(request) } else { nil }
        let answering = Answering(RequestRecord(RequestID(callers: request["HTTP_X_REQUEST_ID"]), at: request.start), trace)
        requests.insert(answering)
        return (answering, !counters.requestBegan(atMost: generation.settings.limits.requests))
    }

    /// What it took of the client's tokens is known.
    @inline(never)
    private func settle(_ answering: Answering, _ ending: Ending, _ reply: inout Reply) {
        if let tokensLeft = answering.settle(ending) { reply.tokensLeft = tokensLeft }
    }

    /// It has no place any more, neither among all requests nor among those of its client.
    @inline(never)
    private func giveBack(_ answering: Answering, _ isOverloaded: Bool) {
        answering.release()
        if !isOverloaded { counters.requestEnded() }
    }

    @inline(never)
    private func end(_ answering: Answering, _ ending: Ending, _ status: Int?, by generation: WorkerGeneration) {
        requests.remove(answering)
        let record = answering.end(ending, status)
        // By the clock: to write an answer takes time too.
        let now = Instant.current
        log.write(record, at: now)
        if let trace = answering.trace { exporter.add(trace.spans(of: record, at: now), of: generation) }
        if record.answer.hasImpossibleUsage { logger.usageCannotBe(record.id, record.upstream) }
        counters.statistics.note(record)
        counters.metrics?.note(record, at: now, namesClients: generation.shared.settings.metrics.namesClients)
    }

    /// The pages about this process, whatever the number of requests. They are none themselves: neither counted nor logged as
    /// such.
    @inline(never)
    private func tell(_ kind: RequestKind, _ request: Request, _ response: consuming Response) async {
        var reply = Reply(
            response, RequestID(callers: request["HTTP_X_REQUEST_ID"]), isHeadAlone: kind.isHeadAlone(request))
        do {
            switch kind {
            case .ping:
                logger.askedHowItDoes(page: "ping")
                reply.sendPong(isDraining: pages?.isDraining() ?? false)
            case .metrics:
                logger.askedHowItDoes(page: "metrics")
                try await reply.sendMetrics(as: MetricsFormat(accept: request["HTTP_ACCEPT"]), of: pages, counters.memory)
            case .page:
                logger.askedHowItDoes(page: "page")
                reply.sendChatPage()
            default:
                logger.askedHowItDoes(page: "status")
                try await reply.sendStatus(StatusForm(query: request["QUERY_STRING"]), of: pages, counters.memory)
            }
        } catch {
            reply.fail(error)
        }
        do { _ = try await reply.finish() } catch {
            // Whoever asks for it again gets another one.
        }
    }

    private func serve(
        _ request: Request, _ kind: RequestKind, by generation: WorkerGeneration, _ answering: Answering, into reply: inout Reply
    ) async -> Ending {
        do {
            try checkParameters(of: request, generation.shared.settings.limits)
            switch kind {
            case .chat: try await answerChat(request, by: generation, answering, into: &reply)
            case .models: try await answerModels(request, by: generation, answering, into: &reply)
            case .openAPI: reply.sendJSON(openAPIDocument)
            case .status, .ping, .metrics, .page, .unknownPath:
                tellOfMissingParameters(request, answering)
                throw ChatError.unknownPath
            case .wrongMethod(let allowed):
                tellOfMissingParameters(request, answering)
                throw ChatError.methodNotAllowed(allowed: allowed.rawValue)
            }
            return .answered
        } catch {
            return ending(of: error, answering.record.id, callerHasLeft: reply.callerHasLeft)
        }
    }

    /// Its caller has done nothing wrong where the web server does not say what it asks for.
    @inline(never)
    private func tellOfMissingParameters(_ request: Request, _ answering: Answering) {
        let names = RequestKind.missingParameters(of: request)
        if !names.isEmpty { logger.lacksParameters(names, answering.record.id) }
    }

    /// The models that the caller can name. No upstream makes an error of it.
    ///
    /// - Throws: `ChatError`; `CancellationError` when the caller left or the server is ending.
    @inline(never)
    private func answerModels(
        _ request: Request, by generation: WorkerGeneration, _ answering: Answering, into reply: inout Reply
    ) async throws {
        let client = Caller.sane(request["SLUICE_CLIENT"])
        answering.note(client: client)
        let routeName = try routeName(of: request, from: client, answering)
        let table = try routeTable(routeName, of: client, answering, generation.shared)
        let rule = generation.shared.clients?[ClientName(client)]
        var models = ModelNames(table.modelNames(for: client, rule), for: rule)
        let patterns = table.patterns(for: client)
        var upstreams: [Int] = []
        for target in patterns.flatMap(\.listedTargets) where !upstreams.contains(target.upstream) {
            upstreams.append(target.upstream)
        }
        let listed = try await generation.upstreams.models(of: upstreams, counters.memory)
        for route in patterns { models.add(listed, by: route) }
        let page = Settings.modelList(of: models.names, created: generation.shared.created)
        reply.memory = try RequestMemory.share(ofCopy: page.count, counters.memory)
        reply.sendJSON(page)
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
        _ request: Request, by generation: WorkerGeneration, _ answering: Answering, into reply: inout Reply
    ) async throws {
        try prepare(answering, for: request, by: generation, into: &reply)
        try await loop.withCancellation {
            defer { answering.end() }
            if answering.storeRequest != nil { try await reserve(answering, by: generation, into: &reply) }
            if answering.question?.route.hook != nil, try await askHook(answering, by: generation, into: &reply) { return }
            try race(for: answering, by: generation)
            while true {
                let attempt = try await answering.ask(&reply)
                if send(attempt, answering, into: &reply) { return }
                do {
                    return try await relay(attempt.stream, by: generation, answering, into: &reply)
                } catch let error as ChatError {
                    generation.shared.board.note(error, inAnswerOf: attempt.target)
                    try goOn(with: attempt.stream, after: error, by: generation, answering, &reply)
                }
            }
        } onCancel: {
            answering.cancel()
        }
    }

    /// What is needed to ask.
    @inline(never)
    private func prepare(
        _ answering: Answering, for request: Request, by generation: WorkerGeneration, into reply: inout Reply
    ) throws(ChatError) {
        answering.take(try question(of: request, by: generation, answering, into: &reply))
    }

    /// Its route has one more request, and goes by what is known of its targets now: who is refused ahead of that is none of its
    /// requests.
    @inline(never)
    private func race(for answering: Answering, by generation: WorkerGeneration) throws(CancellationError) {
        try answering.begin { question, hook in
            Race(
                for: question, by: generation, on: loop, behind: hook, logger: logger, statistics: counters.statistics,
                metrics: counters.metrics, taken: answering.record.taken)
        }
    }

    /// Has another answer asked for that goes on with one that has broken off, if that is to be.
    ///
    /// - Throws: the error where it is not; `CancellationError` where nobody waits for it any more.
    @inline(never)
    private func goOn(
        with stream: AnswerStream, after error: ChatError, by generation: WorkerGeneration, _ answering: Answering,
        _ reply: inout Reply
    ) throws {
        guard error.isWorthGoingOn, !reply.callerHasLeft, let cut = stream.cutAnswer else { throw error }
        let broken = answering.record
        let isAsked = try answering.goOn(with: cut, after: error, at: loop.now) { question, continuation in
            Race(for: question, by: generation, on: loop, continuing: continuation, metrics: counters.metrics)
        }
        if !isAsked { throw error }
        counters.metrics?.note(broken, brokenOffBy: error, at: loop.now)
    }

    /// Checks the request, and notes what it says of itself.
    private func question(
        of request: Request, by generation: WorkerGeneration, _ answering: Answering, into reply: inout Reply
    ) throws(ChatError) -> Question {
        let caller = Caller(request, answering.record.id, answering.trace, tracesAreOn: generation.shared.traces != nil)
        answering.note(client: caller.client)
        let routeName = try routeName(of: request, from: caller.client, answering)
        try checkBody(of: request, generation.shared.settings.limits)
        var chat = try ChatRequest(body: request.body, depthMax: generation.shared.settings.limits.jsonDepth)
        var memory = try RequestMemory(request.memory, beside: chat.besideCount, counters.memory)
        request.release()
        answering.trace?.note(chat, defaultModel: generation.shared.settings.defaultModel)
        let call = chat.callID ?? caller.sessionID.flatMap { CallID($0)?.text }
        answering.note(call: call)
        if chat.isStreaming { reply.streamErrors = StreamErrors(for: chat, caller, generation.shared) }
        let table = try routeTable(routeName, of: caller.client, answering, generation.shared)
        let client = try rule(for: chat, caller, table, generation.shared)
        let route = try table.route(for: chat, of: caller.client, client?.rule)
        answering.note(route)
        if let message = route.prompt?.message(for: chat, PromptVariables(client: caller.client, call: call)) {
            try memory.hold(messageOf: message.json.count)
            chat.ownMessage = message
        }
        if chat.takesSentences { reply.streamErrors?.cutSentence = route.cutSentence }
        if let (name, rule) = client {
            chat.needsUsage = rule.tokensPerDay != nil
            try admit(answering, chat, name, rule, isStored: generation.store != nil, into: &reply)
        }
        let form = AnswerForm(for: chat, caller, route, speaksRefusal: generation.shared.settings.refusal == .speak)
        return Question(
            chat: chat, caller: caller, memory: memory, route: route, call: call, form: form)
    }

    /// What the web server calls the route; nil for nothing.
    ///
    /// - Throws: `ChatError.unknownRoute` where it has two words for it: each may be another tenant's.
    private func routeName(
        of request: Request, from client: String?, _ answering: Answering
    ) throws(ChatError) -> String? {
        guard let name = request["SLUICE_ROUTE"] else { return nil }
        answering.note(route: Self.sane(route: name))
        guard request.isRepeated("SLUICE_ROUTE") else { return name }
        logger.routeIsRepeated(answering.record.id, client)
        throw .unknownRoute
    }

    /// - Parameter name: of the route, by the web server's word alone (`SLUICE_ROUTE`): a caller's headers become `HTTP_…`.
    /// - Throws: `ChatError.unknownRoute`, of which the caller is told no names.
    private func routeTable(
        _ name: String?, of client: String?, _ answering: Answering, _ generation: Generation
    ) throws(ChatError) -> RouteTable {
        if let table = generation.routes.table(for: name) { return table }
        // One of another form can be no table's.
        let shown = name.flatMap { $0.isEmpty ? nil : Self.sane(route: $0) ?? "(no name)" }
        logger.unknownRoute(shown, answering.record.id, client)
        throw .unknownRoute
    }

    /// What the web server calls the route, as far as a log may have it.
    private static func sane(route name: String?) -> String? { Caller.sane(name, bytesMax: ModelSettings.nameBytesMax) }

    /// What the settings say of the caller, if they say anything, and the name that they know it by.
    ///
    /// - Throws: `ChatError` when they do not let it have the model.
    private func rule(
        for chat: ChatRequest, _ caller: Caller, _ table: RouteTable, _ generation: Generation
    ) throws(ChatError) -> (name: ClientName, rule: ClientSettings)? {
        guard let clients = generation.clients else { return nil }
        let name = ClientName(caller.client)
        guard let rule = clients[name] else { return nil }
        let model = chat.model ?? generation.settings.defaultModel
        guard !rule.allows(model ?? "") else { return (name, rule) }
        guard model != nil else { throw .invalidParameter("model", .missing) }
        throw table.notFound(for: caller.client, rule)
    }

    /// Takes what the request may need of its client's limits.
    @inline(never)
    private func admit(
        _ answering: Answering, _ chat: ChatRequest, _ name: ClientName, _ rule: ClientSettings, isStored: Bool,
        into reply: inout Reply
    ) throws(ChatError) {
        guard let clients = counters.clients else { return }
        let time = CountedTime.now
        let promptBytes = chat.body.count + (chat.ownMessage?.json.count ?? 0)
        let estimate = TokenEstimate(promptBytes: promptBytes, answerMax: chat.maxTokens, choicesCount: chat.choicesCount)
        switch clients.enter(name, rule, estimate, at: time) {
        case .admitted(let reservation):
            let request = isStored ? StoreRequest(name, rule, estimate, at: time) : nil
            reply.tokensLeft = answering.hold(reservation, request)
        case .refused(let refusal):
            reply.tokensLeft = clients.tokensLeft(of: name, rule, at: time)
            throw refusal.error(needing: estimate.total, of: rule.tokensPerDay, with: reply.tokensLeft, at: time)
        }
    }

    /// Takes it of what several machines count together too.
    @inline(never)
    private func reserve(
        _ answering: Answering, by generation: WorkerGeneration, into reply: inout Reply
    ) async throws(ChatError) {
        guard let store = generation.store, let request = answering.storeRequest else { return }
        switch await store.reserve(request) {
        case .taken(let used): reply.tokensLeft = answering.hold(in: store, used: used)
        case .refused(let refusal, let used):
            reply.tokensLeft = request.tokensPerDay.map { max(0, $0 - used) }
            answering.withdraw(isRefused: true, at: request.time)
            throw refusal.error(
                needing: request.tokens, of: request.tokensPerDay, with: reply.tokensLeft, at: request.time)
        case .failed where generation.shared.settings.onStoreFailure == .local:
            reply.tokensLeft = answering.hold(in: store, used: nil)
        case .failed:
            reply.tokensLeft = nil
            answering.withdraw(isRefused: false, at: request.time)
            throw .budgetsUnknown
        }
    }

    /// Asks the route's hook, once for all attempts, and does as it says.
    ///
    /// - Returns: whether it has answered, so that no upstream is to be asked.
    @inline(never)
    private func askHook(
        _ answering: Answering, by generation: WorkerGeneration, into reply: inout Reply
    ) async throws -> Bool {
        guard let question = answering.question, let hook = question.route.hook else { return false }
        let call = HookCall(hook, about: question, by: generation, on: loop, logger)
        switch try await answering.ask(call, &reply) {
        case .goOn: return false
        case .putIn(let messages):
            let left = try answering.add(messages, depthMax: generation.shared.settings.limits.jsonDepth)
            if let left { reply.tokensLeft = left }
            return false
        case .say(let text):
            try say(text, in: question, answering, into: &reply)
            return true
        case .deny(let status, let message): throw ChatError.denied(status: status, message: message)
        }
    }

    /// Sends a text as the whole answer. It leaves when the reply is finished.
    @inline(never)
    private func say(
        _ text: String, in question: Question, _ answering: Answering, into reply: inout Reply
    ) throws(ChatError) {
        let isStreaming = question.form.isStreaming
        let bytes = isStreaming ? reply.answer(saying: text) : question.completion(saying: text)
        reply.memory = try question.memory.share(ofCopy: bytes.count)
        // No upstream was asked.
        if let tokensLeft = answering.waive() { reply.tokensLeft = tokensLeft }
        answering.note(RequestRecord.Answer(ownBytes: bytes.count, at: loop.now))
        if isStreaming { reply.end(with: bytes[...]) } else { reply.sendJSON(bytes) }
    }

    /// Without them there is no telling what is asked for.
    private func checkParameters(of request: Request, _ limits: Settings.Limits) throws(ChatError) {
        switch request.dropped {
        case .parametersTooLarge: throw .headersTooLarge(bytesMax: limits.parametersBytes)
        case .unusableParameters: throw .malformedHeaders
        case .bodyTooLarge, .noMemory, nil: break
        }
    }

    private func checkBody(of request: Request, _ limits: Settings.Limits) throws(ChatError) {
        switch request.dropped {
        case .bodyTooLarge: throw .bodyTooLarge(bytesMax: limits.bodyBytes)
        case .noMemory: throw .memoryFull
        case .parametersTooLarge, .unusableParameters, nil: break
        }
        if let coding = request["HTTP_CONTENT_ENCODING"], !coding.isEmpty, !coding.isEqualIgnoringCase(to: "identity") {
            throw .compressedBody(coding: Caller.sane(coding, bytesMax: 32))
        }
    }

    /// A stream of events: they go on as they come.
    private func relay(
        _ stream: AnswerStream, by generation: WorkerGeneration, _ answering: Answering, into reply: inout Reply
    ) async throws {
        let relay = Relay(stream, heartbeat: generation.shared.settings.heartbeat, on: loop)
        begin(relay, answering)
        defer { end(relay, of: stream, answering) }
        do {
            try await relay.run(&reply)
        } catch let departure as FastCGIError where generation.shared.settings.onDisconnect == .drain {
            answering.drain()
            await Drain(stream, on: loop).run()
            throw departure
        }
    }

    @inline(never)
    private func begin(_ relay: Relay, _ answering: Answering) {
        answering.begin(relay)
        counters.streamBegan()
    }

    /// There is no more of it.
    @inline(never)
    private func end(_ relay: Relay, of stream: AnswerStream, _ answering: Answering) {
        answering.end(relay, of: stream)
        counters.streamEnded()
        counters.metrics?.note(stream.chunkTimes, of: answering.record.target, stream.model)
    }

    /// Notes who answers; and sends one object, as it is or as the stream that the caller asked for. It leaves when the reply is
    /// finished.
    ///
    /// - Returns: whether it was one; else events are to be handed on.
    @inline(never)
    private func send(_ attempt: Attempt, _ answering: Answering, into reply: inout Reply) -> Bool {
        answering.note(attempt.target)
        reply.upstream = attempt.stream.head
        if let timing = answering.serverTiming { reply.upstream?.pass("Server-Timing", timing) }
        guard let completion = attempt.completion else { return false }
        reply.memory = completion.memory
        let bytes = reply.hasFiller ? RepeatedRole.removed(from: completion.bytes[...]) : completion.bytes
        answering.note(RequestRecord.Answer(completion, bytesCount: bytes.count, at: loop.now))
        // The head has not left yet.
        if let tokensLeft = answering.settle() { reply.tokensLeft = tokensLeft }
        if attempt.stream.form.isStreaming { reply.end(with: bytes[...]) } else { reply.sendJSON(bytes) }
        return true
    }
}

extension PromptVariables {
    /// As things are at this moment.
    fileprivate init(client: String?, call: String?) {
        let now = timestamp(ofSecond: secondsSince1970()).utf8
        self.init(
            date: "\(Substring(now.prefix(10)))", time: "\(Substring(now.dropFirst(11).prefix(5)))", client: client, call: call)
    }
}
