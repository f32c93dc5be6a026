// One request on its way, from its check to the end of its answer.

import Chat
import Clock
import FastCGI

/// What a request is doing: asking, then being answered; and what is known of it, where the status finds it. The race is given up once it
/// is won, so that a stream holds nothing of it.
///
/// Its properties are written here alone, and each in one step: then the compiler sees that no two accesses overlap, and the runtime need
/// not look. What is never inlined would need room in its caller's frame, which lives as long as the stream.
final class Answering {
    /// What the log will tell.
    private(set) var record: RequestRecord
    /// What it has done, where it has a trace.
    let trace: RequestTrace?
    /// What is to be asked, until nobody can refuse it any more.
    private(set) var question: Question?
    private var hookCall: HookCall?
    /// What the hook's time was, until a race goes on from it.
    private var hookWait: HookWait?
    private var race: Race?
    private var winner: Attempt?
    /// What it takes to have its answer gone on with; nil where that is not to be, or has been begun.
    private var continuation: Continuation?
    /// What hands the events on, for as long as it does.
    private(set) var relay: Relay?
    /// Whether the caller has left, and the answer is read to its end (`on_disconnect = "drain"`).
    private(set) var isDraining = false
    /// What has come for a caller who left before any of it went on.
    private var unheard: UnheardAnswer?
    /// Where the time went until the first token, for the head of the answer; nil where that is not to be told.
    private(set) var serverTiming: String?
    /// What it holds of its client's limits, if that has any.
    private var share: ClientShare?
    /// In its table.
    fileprivate var place = 0

    init(_ record: consuming RequestRecord, _ trace: RequestTrace? = nil) { (self.record, self.trace) = (record, trace) }

    // MARK: What is known of it

    func note(client: String?) { record.client = client }

    func note(call: String?) { record.call = call }

    /// - Parameter route: the web server's word for it.
    func note(route name: String?) { record.route = name.map { "\($0):" } }

    /// The entry of `[[models]]` that counts.
    func note(_ route: Route) { record.route = route.label }

    /// Who answers.
    func note(_ target: Target) { record.target = target }

    func note(_ answer: RequestRecord.Answer) { (record.answer, record.lastPhase) = (answer, .finishing) }

    /// What is done until a target answers, and with whom; nil when one has answered, or none will.
    var phase: (state: Status.Request.State, target: Target?)? { race?.phase ?? (question == nil ? nil : (.pausing, nil)) }

    /// A sentence has been said behind what broke off.
    @inline(never)
    func noteSpokenEnd() { record.hasEndedSpoken = true }

    // MARK: What it takes of its client's limits

    /// It has its share.
    ///
    /// - Parameter request: what the store is to be asked; nil for nothing.
    /// - Returns: what its client has left, with that taken away.
    func hold(_ reservation: consuming Reservation, _ request: StoreRequest?) -> Int? {
        share = ClientShare(reservation, request)
        return share?.tokensLeft
    }

    /// What the store is to be asked ahead of any target.
    var storeRequest: StoreRequest? { share?.request }

    /// The store has been asked, and is to be told what the request comes to.
    ///
    /// - Parameter used: as in `ClientShare`.
    /// - Returns: what its client has left.
    func hold(in store: BudgetStore, used: Int?) -> Int? {
        share?.hold(in: store, used: used)
        return share?.tokensLeft
    }

    /// No target is asked, and nothing is held of its client's limits any more.
    func withdraw(isRefused: Bool, at time: CountedTime) {
        share?.withdraw(isRefused: isRefused, at: time)
        share = nil
    }

    /// Nobody was asked, so that it takes nothing, whatever its caller is told.
    ///
    /// - Returns: as below.
    func waive() -> Int? {
        share?.waive()
        return share?.tokensLeft
    }

    /// What is known of its answer is all that it takes.
    ///
    /// - Returns: what its client has left; nil where that has no limit.
    @inline(never)
    func settle() -> Int? { settle(mayHaveBegun: false) }

    /// It comes to this.
    ///
    /// - Returns: as above.
    @inline(never)
    func settle(_ ending: Ending) -> Int? {
        guard share != nil else { return nil }
        // What an upstream was asked for before it said anything, for a caller who has left.
        let wasAsked = record.tried.contains(where: \.wasAsked)
        let hasLeft = if case .callerLeft(besides: nil) = ending { true } else { false }
        return settle(mayHaveBegun: hasLeft && wasAsked)
    }

    /// Nothing is held of its client's limits any more.
    func release() { share = nil }

    private func settle(mayHaveBegun: Bool) -> Int? {
        share?.settle(
            mayHaveBegun ? unheard?.answer ?? record.answer : record.answer, behind: record.cut?.answer,
            mayHaveBegun: mayHaveBegun)
        return share?.tokensLeft
    }

    // MARK: Its way

    /// What is to be asked is known. Its share of its client's limits comes first.
    func take(_ question: Question) {
        self.question = question
        record.lastPhase = .pausing
    }

    /// Returns what the hook says; throws as `HookCall.run`.
    func ask(_ call: HookCall, _ reply: inout Reply) async throws -> HookAnswer {
        guard !Task.isCancelled else { throw CancellationError() }
        hookCall = call
        defer {
            (record.hook, record.fillers) = (call.note, call.fillers)
            hookWait = call.wait
            hookCall = nil
        }
        return try await call.run(&reply)
    }

    /// A hook has put messages in.
    ///
    /// - Returns: what its client has left, with those taken away.
    func add(_ messages: HookMessages, depthMax: Int) throws(ChatError) -> Int? {
        guard let question else { return nil }
        self.question = try Question(question, adding: messages, depthMax: depthMax)
        share?.add(promptBytes: messages.bytesCount)
        return share?.tokensLeft
    }

    /// Targets are about to be asked.
    ///
    /// - Throws: `CancellationError` where they are not any more.
    @inline(never)
    func begin(_ race: (Question, HookWait?) -> Race) throws(CancellationError) {
        guard let question, !Task.isCancelled else { throw CancellationError() }
        if question.form.keepsText { continuation = Continuation(of: question, from: record.start) }
        self.race = race(question, hookWait)
        if hookWait != nil { record.fillers = FillerCounts() }  // The race counts on from them.
        (self.question, hookWait) = (nil, nil)
    }

    /// Returns when a target answers; throws as `Race.run`.
    func ask(_ reply: inout Reply) async throws -> Attempt {
        guard let race else { throw CancellationError() }
        defer { end(race) }
        let attempt = try await race.run(&reply)
        note(attempt, of: race)
        return attempt
    }

    @inline(never)
    private func note(_ attempt: Attempt, of race: Race) {
        winner = attempt
        (record.asked, record.added, serverTiming) = (attempt.start, record.added ?? race.added, race.serverTiming)
    }

    @inline(never)
    private func end(_ race: Race) {
        if winner == nil { record.lastPhase = race.phase.state }
        race.end()
        record.note(race.tried, race.fillers)
        if winner == nil { unheard = UnheardAnswer(race.unheard) }
        continuation?.note(failed: race.failed)
        self.race = nil
    }

    /// Events are about to be handed on.
    @inline(never)
    func begin(_ relay: Relay) {
        self.relay = relay
        record.lastPhase = .streaming
    }

    /// Nobody gets them any more, but they are wanted for what they cost.
    @inline(never)
    func drain() { isDraining = true }

    /// There are no more of them.
    @inline(never)
    func end(_ relay: Relay, of stream: AnswerStream) {
        record.answer = RequestRecord.Answer(stream, bytesCount: relay.bytesCount)
        self.relay = nil
    }

    /// The answer has broken off, and another one is asked for that goes on with it.
    ///
    /// - Returns: false where that is not to be, has been before, or is more than the client has left.
    /// - Throws: `CancellationError` where nobody waits for it any more.
    @inline(never)
    func goOn(
        with cut: CutAnswer, after error: ChatError, at now: Instant, _ race: (Question, Continuation) -> Race
    ) throws(CancellationError) -> Bool {
        if Task.isCancelled { throw CancellationError() }
        guard continuation != nil, share?.takeMore(behind: record.answer, promptBytes: cut.text.count) != false,
            let continuation = continuation.take(), let attempt = winner.take()
        else { return false }
        // Its place may be the one that is needed.
        attempt.end()
        attempt.stream.span?.finish(RequestRecord.outcome(of: error), hasFailed: true, at: now)
        continuation.note(failed: [attempt.target])
        record.breakOff(after: error)
        self.race = race(continuation.question.goingOn(with: cut, after: now - continuation.start), continuation)
        return true
    }

    /// Ends the hook, all attempts, or the answer, at once.
    func cancel() {
        hookCall?.cancel()
        race?.cancel()
        winner?.stream.cancel()
    }

    /// The answer is over.
    @inline(never)
    func end() {
        winner?.end()
        (winner, question, continuation, hookWait) = (nil, nil, nil, nil)
    }

    /// The request is over.
    ///
    /// - Returns: what is known of it.
    @inline(never)
    func end(_ ending: Ending, _ status: Int?) -> RequestRecord {
        record.ending = ending
        record.status = status
        return record
    }
}

/// An object, so that a stream has no room for it.
private final class UnheardAnswer {
    let answer: RequestRecord.Answer

    init(_ answer: RequestRecord.Answer) { self.answer = answer }
}

/// The requests that a worker is answering.
final class RequestTable {
    private var requests: [Answering] = []

    var count: Int { requests.count }

    /// - Precondition: it is in no table.
    func insert(_ request: Answering) {
        request.place = requests.count
        requests.append(request)
    }

    /// - Precondition: it is in this table.
    func remove(_ request: Answering) {
        let (place, last) = (request.place, requests.removeLast())
        guard last !== request else { return }
        requests[place] = last
        last.place = place
    }

    /// Those that began first, in any order.
    ///
    /// - Parameter countMax: how many at most.
    func oldest(atMost countMax: Int) -> [Answering] {
        guard requests.count > countMax else { return requests }
        let starts = requests.indices.map { (start: requests[$0].record.start, place: $0) }.sorted { $0.start < $1.start }
        return starts.prefix(countMax).map { requests[$0.place] }
    }
}
