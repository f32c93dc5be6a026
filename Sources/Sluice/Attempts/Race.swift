// The attempts of one request, from the first to the one whose answer the caller gets.

import Chat
import Choosing
import Clock
import EventLoop
import FastCGI
import Logging
import Settings

/// Asks targets as `Selection` says, until one answers. Before that the caller gets heartbeats, fillers, and nothing else.
final class Race {
    private let question: Question
    private let generation: WorkerGeneration
    private let loop: EventLoop
    private let logger: Logger?
    private let statistics: Statistics?
    private let metrics: Metrics?
    private let wakeup: Wakeup
    private let start: Instant
    private var selection: Selection
    private var running: [Attempt] = []
    /// The attempt in its upstream's queue; a selection starts one at a time.
    private var queued: QueuedPlace?
    private var queuedUntil = Instant.distantFuture
    private var clock: FirstTokenClock
    private var ownTime: OwnTime
    /// The heads of the attempts that have ended without an answer; the caller may get an error of one of them. Nothing else that they
    /// had is kept: it may be much.
    private var ended: [(id: Int, head: UpstreamHead?)] = []
    private(set) var tried: [RequestRecord.Try] = []
    /// What had come of the attempt that had come furthest, where none has won or failed.
    private(set) var unheard = RequestRecord.Answer()
    /// The targets that were asked in vain.
    private(set) var failed: [Target] = []
    private let signs: WaitingSigns
    /// What the hook has taken of the time of the first attempt.
    private let hookTime: Duration
    private var isCancelled = false
    /// The caller left, and the answer is wanted for what it cost (`on_disconnect = "drain"`).
    private var isDraining = false
    private var generator = SplitMix()

    /// - Parameters:
    ///   - continuation: where the question is to go on with an answer that has broken off.
    ///   - hook: what was waited for before; nil for nothing.
    ///   - logger: told of a first token that was late; nil for nobody.
    ///   - statistics: told the same.
    ///   - metrics: told of all attempts; nil for nobody.
    ///   - taken: when the request was there; nil for now.
    init(
        for question: consuming Question, by generation: WorkerGeneration, on loop: EventLoop, behind hook: HookWait? = nil,
        continuing continuation: Continuation? = nil, logger: Logger? = nil, statistics: Statistics? = nil,
        metrics: Metrics? = nil, taken: Instant? = nil
    ) {
        let (isStreaming, route, call) = (question.form.isStreaming, question.route, question.affinityKey)
        self.question = question
        self.generation = generation
        self.loop = loop
        (self.logger, self.statistics, self.metrics) = (logger, statistics, metrics)
        let now = loop.now
        start = hook?.start ?? now
        hookTime = hook?.duration ?? .zero
        ownTime = OwnTime(from: (taken ?? .current) + hookTime)
        clock = FirstTokenClock(from: start, hook: hook == nil ? nil : hookTime)
        // In the midst of an answer a sentence would be none.
        signs =
            hook?.signs
            ?? WaitingSigns(for: self.question, by: generation, mayFill: continuation == nil, from: start)
        wakeup = Wakeup(on: loop)
        selection = generation.shared.board.selection(route, isStreaming: isStreaming, call: call, for: continuation, at: now)
    }

    /// Returns when a target answers.
    ///
    /// - Throws: `ChatError` when none does; `CancellationError` when the caller left or the server is ending; `FastCGIError` when a
    ///   heartbeat finds the caller gone, unless the settings say to drain: then what runs already may still answer.
    func run(_ reply: inout Reply) async throws -> Attempt {
        while true {
            if isCancelled { throw CancellationError() }
            if !isDraining, reply.callerHasLeft { try drain(after: .callerLeft) }
            ownTime.waits(forOthers: queued != nil || !running.isEmpty)
            let fact = try fact()
            if case .won(let attempt) = fact { return attempt }
            if fact == nil { try takePlace() }
            switch selection.next(at: loop.now, using: &generator) {
            // Nobody waits for a further attempt's answer.
            case .start(let attempt) where isDraining: selection.refused(attempt.id, .overBudget)
            case .start(let attempt): try begin(attempt)
            case .cancel(let id, let reason): cancel(id, reason)
            case .win: preconditionFailure("a win is taken where it is told")
            case .giveUp(let error, let id):
                if let id { reply.upstream = ended.first { $0.id == id }?.head }
                throw error
            case .wait(let until) where fact == nil: try await wait(until: until, &reply)
            // What else has happened comes after what the failure leads to.
            case .wait: continue
            }
        }
    }

    /// Waits for a fact, at most until `end`, and shows the caller meanwhile that its answer is on the way.
    private func wait(until end: Instant, _ reply: inout Reply) async throws(FastCGIError) {
        if loop.now >= signs.due, try await !show(&reply) { return }
        await wakeup.wait(until: nextLook(before: end))
    }

    // What is never inlined would need room in the frame that waits, which is kept as long as the stream.

    /// - Returns: false where the caller is not there any more to get it.
    @inline(never)
    private func show(_ reply: inout Reply) async throws(FastCGIError) -> Bool {
        do throws(FastCGIError) { try await signs.show(to: &reply, for: question, on: loop) } catch {
            try drain(after: error)
            return false
        }
        return true
    }

    @inline(never)
    private func nextLook(before end: Instant) -> Instant {
        var end = min(end, signs.due)
        if queued != nil { end = min(end, queuedUntil) }
        for attempt in running { end = min(end, attempt.deadline) }
        return end
    }

    /// Goes on without the caller, if the settings say so. What only waits for its place has cost nothing yet.
    private func drain(after departure: FastCGIError) throws(FastCGIError) {
        guard generation.shared.settings.onDisconnect == .drain else { throw departure }
        isDraining = true
        signs.stop()
        guard let id = queued?.attempt.id else { return }
        endQueueing()
        selection.refused(id, .overBudget)
    }

    /// Ends every attempt at once, whatever is done with the rest of the request.
    func cancel() {
        isCancelled = true
        for attempt in running { attempt.stream.cancel() }
        wakeup.wake()
    }

    /// Gives back what the attempts hold that have neither won nor failed. They count as tried.
    func end() {
        endQueueing()
        for attempt in running {
            clock.hasPlace()
            clock.note(attempt)
            if attempt.stream.keptCount > unheard.bytesCount { unheard = RequestRecord.Answer(ahead: attempt.stream) }
            note(attempt, .cancelled)
            attempt.end()
        }
        running = []
        tellWhetherLate()
        metrics?.note(tried)
    }

    /// What Sluice itself has added to the wait, once an attempt has won.
    var added: Duration { ownTime.total }

    /// The same, and where the rest of the time went, for the head of the answer; nil where the settings want none.
    var serverTiming: String? {
        guard generation.shared.settings.tellsTiming else { return nil }
        return clock.wait(until: loop.now).serverTiming(added: added)
    }

    private func tellWhetherLate() {
        let (slow, now) = (generation.shared.settings.log.slow, loop.now)
        guard slow > .zero, now - start > slow, question.form.isStreaming else { return }
        logger?.firstTokenWasLate(question.caller.id, question.caller.client, clock.wait(until: now))
        statistics?.wasSlow()
    }

    /// The queue is left, with a place or without.
    private func endQueueing() {
        guard let target = queued?.target else { return }
        queued = nil
        let time = clock.leftQueue(at: loop.now)
        metrics?.queued(time, for: target)
    }

    /// What has been said meanwhile, and while a hook was asked ahead of it.
    var fillers: FillerCounts { signs.fillers }

    /// What it does at the moment, and with which target, for the status.
    var phase: (state: Status.Request.State, target: Target?) {
        // Of several attempts the one that has come furthest.
        if let attempt = running.first(where: \.stream.isConnected) ?? running.first {
            if isDraining { return (.draining, attempt.target) }
            return (attempt.stream.isConnected ? .waiting : .connecting, attempt.target)
        }
        return (queued == nil ? .pausing : .queued, queued?.target)
    }

    // MARK: Facts

    private enum Fact {
        case won(Attempt)
        case failed
    }

    /// The next thing that an attempt has come to, which the selection is told.
    private func fact() throws -> Fact? {
        for attempt in running {
            switch try attempt.progress(at: loop.now) {
            case .none: continue
            case .failed(let failure):
                fail(attempt, failure)
                return .failed
            case .won:
                win(attempt)
                return .won(attempt)
            }
        }
        return nil
    }

    private func fail(_ attempt: Attempt, _ failure: AttemptFailure) {
        let reason = RequestRecord.outcome(of: failure.error)
        remove(attempt, .failed, reason)
        failed.append(attempt.target)
        let rests = attempt.fail(reason, countsAgainstTarget: failure.countsAgainstTarget, at: loop.now)
        selection.failed(attempt.id, failure, targetRests: rests, at: loop.now, using: &generator)
    }

    private func win(_ attempt: Attempt) {
        running.removeAll { $0 === attempt }
        selection.won(attempt.id)
        // Behind those that it has beaten.
        defer { clock.note(attempt, hasWon: true) }
        while case .cancel(let id, let reason) = selection.next(at: loop.now, using: &generator) { cancel(id, reason) }
        // The message that the filler has begun has its role.
        if fillers.streamed > 0 { attempt.stream.leaveOutRole() }
        attempt.win(at: loop.now)
        note(attempt, .won)
    }

    // MARK: Steps

    private func begin(_ attempt: Selection.PlannedAttempt) throws {
        let target = question.route.targets[attempt.target]
        let decision = generation.shared.board.enter(
            attempt, on: target, of: question.route, at: loop.now, waking: wakeup)
        try act(on: decision, for: attempt, to: target)
    }

    private func act(
        on decision: consuming StartDecision, for attempt: Selection.PlannedAttempt, to target: Target
    ) throws {
        switch consume decision {
        case .queued(let place):
            queued = consume place
            queuedUntil = .current + target.queueWait
            clock.queued(at: loop.now, for: target)
        case .refused(let denial):
            selection.refused(attempt.id, denial)
            if case .full = denial, attempt.reason != .hedge {
                tried.append(RequestRecord.Try(target, attempt.reason, .full, loop.now - start))
            }
        case .admitted(let admission):
            let span = question.caller.trace?.attempt(
                at: target, attempt.reason, for: question.chat.model, at: loop.now)
            var form = question.form
            form.span = span
            let stream = AnswerStream(
                try ask(target, attempt.reason, span), as: form,
                limits: generation.shared.settings.limits, timeouts: target.timeouts,
                memory: question.memory.budget, behind: question.cut, on: loop)
            running.append(Attempt(attempt, on: target, stream, admission, at: loop.now))
            clock.hasPlace()
            // The first one's caller has waited for the hook already.
            let waited = attempt.reason == .first ? hookTime : .zero
            selection.started(attempt.id, at: .current + (.zero - waited))
        }
    }

    /// - Throws: `ChatError`, which ends the race. Where it is the upstream's, that counts as tried.
    private func ask(
        _ target: Target, _ reason: Selection.PlannedAttempt.Reason, _ span: AttemptSpan?
    ) throws(ChatError) -> UpstreamAnswer {
        do throws(ChatError) { return try generation.upstreams.ask(target, question, span, waking: wakeup) } catch {
            span?.finish(RequestRecord.outcome(of: error), hasFailed: true, at: loop.now)
            if case .upstreamFailed = error {
                tried.append(RequestRecord.Try(target, reason, .failed, .zero, failure: RequestRecord.outcome(of: error)))
            }
            throw error
        }
    }

    private func takePlace() throws {
        let isLate = loop.now >= queuedUntil
        guard let attempt = queued?.attempt, let target = queued?.target,
            let decision = queued?.claim(at: loop.now, isLate: isLate)
        else { return }
        endQueueing()
        try act(on: decision, for: attempt, to: target)
    }

    private func cancel(_ id: Int, _ reason: Selection.Cancellation) {
        if queued?.attempt.id == id { endQueueing() }
        guard let attempt = running.first(where: { $0.id == id }) else { return }
        switch reason {
        case .lost:
            remove(attempt, .lost)
            attempt.lose(at: loop.now)
        case .timedOut(let timeout):
            let reason = "timeout.\(timeout.rawValue)"
            remove(attempt, .failed, reason)
            failed.append(attempt.target)
            // One for which a hook has left less than half of its time may be well.
            let hadItsTime = timeout != .firstToken || loop.now - attempt.start >= attempt.target.timeouts.firstToken / 2
            if hadItsTime { _ = attempt.fail(reason, countsAgainstTarget: true, at: loop.now) } else { attempt.end() }
        }
    }

    private func remove(_ attempt: Attempt, _ kind: RequestRecord.Try.Kind, _ failure: String? = nil) {
        clock.note(attempt)
        running.removeAll { $0 === attempt }
        ended.append((attempt.id, attempt.stream.head))
        note(attempt, kind, failure)
    }

    /// What it has come to, until its first token.
    private func note(_ attempt: Attempt, _ kind: RequestRecord.Try.Kind, _ failure: String? = nil) {
        let tried = RequestRecord.Try(attempt.target, attempt.reason, kind, loop.now - attempt.start, failure: failure)
        self.tried.append(tried)
        guard let span = attempt.stream.span else { return }
        let status = attempt.stream.head?.status
        // Of one that has won there is more to come.
        if kind == .won { return span.win(status) }
        span.finish(tried.outcome, hasFailed: kind == .failed, status: status, at: loop.now)
    }
}
