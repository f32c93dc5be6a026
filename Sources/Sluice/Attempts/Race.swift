// The attempts of one request, from the first to the one whose answer the caller gets.

import Chat
import Choosing
import Clock
import EventLoop
import FastCGI

/// What a request is doing: asking, then being answered. The race is given up once it is won, so that a stream holds nothing of it.
final class Answering {
    private var race: Race?
    private var winner: Attempt?
    private(set) var tried: [RequestRecord.Try] = []

    init(_ race: Race) { self.race = race }

    /// Returns when a target answers; throws as `Race.run`.
    func begin(_ reply: inout Reply) async throws -> Attempt {
        guard let race else { throw CancellationError() }
        defer {
            race.end()
            tried = race.tried
            self.race = nil
        }
        let attempt = try await race.run(&reply)
        winner = attempt
        return attempt
    }

    /// Ends all attempts, or the answer, at once.
    func cancel() {
        race?.cancel()
        winner?.stream.cancel()
    }

    /// The answer is over.
    func end() {
        winner?.end()
        winner = nil
    }
}

/// Asks targets as `Selection` says, until one answers. Before that the caller gets heartbeats and nothing else.
final class Race {
    private let form: AnswerForm
    private let route: Route
    private let caller: Caller
    private let upstreams: Upstreams
    private let board: Board
    private let onDisconnect: Settings.Disconnect
    private let limits: Settings.Limits
    private let loop: EventLoop
    private let wakeup: Wakeup
    private let start: Instant
    private var selection: Selection
    private let chat: ChatRequest
    private let memory: RequestMemory
    private var running: [Attempt] = []
    /// The attempt in its upstream's queue; a selection starts one at a time.
    private var queued: QueuedPlace?
    private var queuedUntil = Instant.distantFuture
    /// Those that have ended, whose error the caller may get.
    private var ended: [Attempt] = []
    private(set) var tried: [RequestRecord.Try] = []
    private var heartbeat: Heartbeat
    private var isCancelled = false
    /// The caller left, and the answer is wanted for what it cost (`on_disconnect = "drain"`).
    private var isDraining = false
    private var generator = SplitMix()

    init(
        _ chat: ChatRequest, _ memory: RequestMemory, _ caller: Caller, _ route: Route, as form: AnswerForm,
        _ upstreams: Upstreams, _ board: Board, _ settings: borrowing Settings, on loop: EventLoop
    ) {
        self.chat = chat
        self.memory = memory
        self.caller = caller
        self.route = route
        self.form = form
        self.upstreams = upstreams
        self.board = board
        onDisconnect = settings.onDisconnect
        limits = settings.limits
        self.loop = loop
        start = loop.now
        heartbeat = Heartbeat(every: form.isStreaming ? settings.heartbeat : .zero, from: start)
        wakeup = Wakeup(on: loop)
        selection = board.selection(route, isStreaming: form.isStreaming, at: start)
    }

    /// Returns when a target answers.
    ///
    /// - Throws: `ChatError` when none does; `CancellationError` when the caller left or the server is ending; `FastCGIError` when a
    ///   heartbeat finds the caller gone, unless the settings say to drain: then what runs already may still answer.
    func run(_ reply: inout Reply) async throws -> Attempt {
        while true {
            if isCancelled { throw CancellationError() }
            var hasFailure = false
            switch try fact() {
            case .won(let attempt): return attempt
            case .failed: hasFailure = true
            case nil: try takePlace()
            }
            switch selection.next(at: loop.now, using: &generator) {
            // Nobody waits for a further attempt's answer.
            case .start(let attempt) where isDraining: selection.refused(attempt.id, .overBudget)
            case .start(let attempt): try begin(attempt)
            case .cancel(let id, let reason): cancel(id, reason)
            case .win: preconditionFailure("a win is taken where it is told")
            case .giveUp(let error, let id):
                if let id { reply.upstream = ended.first { $0.id == id }?.stream.head }
                throw error
            // What else has happened comes after what the failure leads to.
            case .wait where hasFailure: continue
            case .wait(var until):
                if queued != nil { until = min(until, queuedUntil) }
                for attempt in running { until = min(until, attempt.deadline) }
                if loop.now >= heartbeat.due {
                    do throws(FastCGIError) {
                        try await reply.keepAlive()
                    } catch {
                        try drain(after: error)
                        continue
                    }
                    heartbeat.wrote(at: loop.now)
                }
                until = min(until, heartbeat.due)
                await wakeup.wait(until: until)
            }
        }
    }

    /// Goes on without the caller, if the settings say so. What only waits for its place has cost nothing yet.
    private func drain(after departure: FastCGIError) throws(FastCGIError) {
        guard onDisconnect == .drain else { throw departure }
        isDraining = true
        heartbeat.stop()
        guard let id = queued?.attempt.id else { return }
        queued = nil
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
        queued = nil
        for attempt in running {
            attempt.end()
            tried.append(RequestRecord.Try(attempt.target, "cancelled", loop.now - attempt.start))
        }
        running = []
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
        remove(attempt, RequestRecord.outcome(of: failure.error))
        let rests = attempt.fail(countsAgainstTarget: failure.countsAgainstTarget, at: loop.now)
        selection.failed(attempt.id, failure, targetRests: rests, at: loop.now, using: &generator)
    }

    private func win(_ attempt: Attempt) {
        running.removeAll { $0 === attempt }
        selection.won(attempt.id)
        while case .cancel(let id, let reason) = selection.next(at: loop.now, using: &generator) { cancel(id, reason) }
        attempt.win(at: loop.now)
        tried.append(RequestRecord.Try(attempt.target, "won", loop.now - attempt.start))
    }

    // MARK: Steps

    private func begin(_ attempt: Selection.Attempt) throws {
        let target = route.targets[attempt.target]
        try follow(board.enter(attempt, on: target, of: route, at: loop.now, waking: wakeup.remote), attempt, target)
    }

    private func follow(_ entry: consuming Entry, _ attempt: Selection.Attempt, _ target: Target) throws {
        switch consume entry {
        case .queued(let place):
            queued = consume place
            queuedUntil = loop.now + target.queueWait
        case .refused(let refusal):
            selection.refused(attempt.id, refusal)
            if case .full = refusal, attempt.reason != .hedge {
                tried.append(RequestRecord.Try(target, "full", loop.now - start))
            }
        case .admitted(let admission):
            let stream = AnswerStream(
                try upstreams.ask(target, chat, memory, caller, waking: wakeup), as: form, limits: limits,
                idleTimeout: target.timeouts.idle, awaitsToken: route.targets.count > 1, memory: memory.budget, on: loop)
            running.append(Attempt(attempt, on: target, stream, admission, at: loop.now))
            selection.started(attempt.id, at: loop.now)
        }
    }

    private func takePlace() throws {
        let isLate = loop.now >= queuedUntil
        guard let attempt = queued?.attempt, let target = queued?.target,
            let entry = queued?.claim(at: loop.now, isLate: isLate)
        else { return }
        queued = nil
        try follow(entry, attempt, target)
    }

    private func cancel(_ id: Int, _ reason: Selection.Cancellation) {
        if queued?.attempt.id == id { queued = nil }
        guard let attempt = running.first(where: { $0.id == id }) else { return }
        switch reason {
        case .lost:
            remove(attempt, "lost")
            attempt.lose(at: loop.now)
        case .timedOut(let timeout):
            remove(attempt, "timeout.\(timeout.rawValue)")
            _ = attempt.fail(countsAgainstTarget: true, at: loop.now)
        }
    }

    private func remove(_ attempt: Attempt, _ word: String) {
        running.removeAll { $0 === attempt }
        ended.append(attempt)
        tried.append(RequestRecord.Try(attempt.target, word, loop.now - attempt.start))
    }
}
