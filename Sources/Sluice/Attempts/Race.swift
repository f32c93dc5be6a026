// The attempts of one request, from the first to the one whose answer the caller gets.

import Chat
import Choosing
import Clock
import EventLoop
import FastCGI
import Settings

/// The target that answers, until its answer is over.
struct Winner {
    let target: Target
    let answer: UpstreamAnswer
    let opening: Attempt.Opening
}

/// What a request is doing: asking, then being answered. The race is given up once it is won, so that a stream holds nothing of it.
final class Answering {
    private let board: Board
    private var race: Race?
    private var winner: (target: Target, answer: UpstreamAnswer)?
    private(set) var tried: [RequestRecord.Try] = []

    init(_ race: Race, _ board: Board) {
        self.race = race
        self.board = board
    }

    /// Returns when a target answers; throws as `Race.run`.
    func begin(_ reply: inout Reply) async throws -> Winner {
        guard let race else { throw CancellationError() }
        defer {
            race.end()
            tried = race.tried
            self.race = nil
        }
        let won = try await race.run(&reply)
        winner = (won.target, won.answer)
        return won
    }

    /// Ends all attempts, or the answer, at once.
    func cancel() {
        race?.cancel()
        winner?.answer.cancel()
    }

    /// The answer is over.
    func end() {
        guard let winner else { return }
        winner.answer.cancel()
        board.leave(winner.target)
        self.winner = nil
    }
}

/// Asks targets as `Selection` says, until one answers. Before that the caller gets heartbeats and nothing else.
final class Race {
    private let form: AnswerForm
    private let route: Route
    private let caller: Caller
    private let upstreams: Upstreams
    private let board: Board
    private let heartbeat: Duration
    private let onDisconnect: Settings.Disconnect
    private let limits: Settings.Limits
    private let loop: EventLoop
    private let wakeup: Wakeup
    private let start: Instant
    private var selection: Selection
    private let chat: ChatRequest
    private let memory: RequestMemory
    private var running: [Attempt] = []
    private var queued: Queued?
    /// Those that have ended, whose error the caller may get.
    private var ended: [Attempt] = []
    private(set) var tried: [RequestRecord.Try] = []
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
        heartbeat = settings.heartbeat
        onDisconnect = settings.onDisconnect
        limits = settings.limits
        self.loop = loop
        start = loop.now
        wakeup = Wakeup(on: loop)
        selection = board.selection(route, isStreaming: form.isStreaming, at: start)
    }

    /// Returns when a target answers.
    ///
    /// - Throws: `ChatError` when none does; `CancellationError` when the caller left or the server is ending; `FastCGIError` when a
    ///   heartbeat finds the caller gone, unless the settings say to drain: then what runs already may still answer.
    func run(_ reply: inout Reply) async throws -> Winner {
        var nextHeartbeat = start + heartbeat
        while true {
            if isCancelled { throw CancellationError() }
            var hasFailure = false
            switch try fact() {
            case .won(let winner): return winner
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
                if let id { reply.upstream = ended.first { $0.id == id }?.answer.head }
                throw error
            // What else has happened comes after what the failure leads to.
            case .wait where hasFailure: continue
            case .wait(var until):
                if let queued { until = min(until, queued.until) }
                for attempt in running { until = min(until, attempt.deadline) }
                if form.isStreaming, heartbeat > .zero, !isDraining {
                    if loop.now >= nextHeartbeat {
                        do throws(FastCGIError) {
                            try await reply.keepAlive()
                        } catch {
                            try drain(after: error)
                            continue
                        }
                        nextHeartbeat = loop.now + heartbeat
                    }
                    until = min(until, nextHeartbeat)
                }
                await wakeup.wait(until: until)
            }
        }
    }

    /// Goes on without the caller, if the settings say so. What only waits for its place has cost nothing yet.
    private func drain(after departure: FastCGIError) throws(FastCGIError) {
        guard onDisconnect == .drain else { throw departure }
        isDraining = true
        guard let queued else { return }
        leaveQueue()
        selection.refused(queued.attempt.id, .overBudget)
    }

    /// Ends every attempt at once, whatever is done with the rest of the request.
    func cancel() {
        isCancelled = true
        for attempt in running { attempt.answer.cancel() }
        wakeup.wake()
    }

    /// Gives back what the attempts hold that have neither won nor failed. They count as tried.
    func end() {
        leaveQueue()
        for attempt in running {
            attempt.answer.cancel()
            board.leave(attempt.target)
            _ = board.note(.abandoned, of: attempt.admission, on: attempt.target, at: loop.now)
            tried.append(RequestRecord.Try(attempt.target, "cancelled", loop.now - attempt.start))
        }
        running = []
    }

    // MARK: Facts

    private enum Fact {
        case won(Winner)
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
            case .won(let opening):
                win(attempt)
                return .won(Winner(target: attempt.target, answer: attempt.answer, opening: opening))
            }
        }
        return nil
    }

    private func fail(_ attempt: Attempt, _ failure: AttemptFailure) {
        let rests = remove(attempt, failure.isTargets ? .failed : .works, RequestRecord.outcome(of: failure.error))
        selection.failed(attempt.id, failure, targetRests: rests, at: loop.now, using: &generator)
    }

    private func win(_ attempt: Attempt) {
        // Its place is the winner's to give back, whatever the selection thinks of it.
        running.removeAll { $0 === attempt }
        selection.won(attempt.id)
        while case .cancel(let id, let reason) = selection.next(at: loop.now, using: &generator) { cancel(id, reason) }
        _ = board.note(.token(after: loop.now - attempt.start), of: attempt.admission, on: attempt.target, at: loop.now)
        tried.append(RequestRecord.Try(attempt.target, "won", loop.now - attempt.start))
    }

    // MARK: Steps

    private func begin(_ attempt: Selection.Attempt) throws {
        let target = route.targets[attempt.target]
        try follow(board.enter(attempt, on: target, of: route, at: loop.now, waking: wakeup.remote), attempt, target)
    }

    private func follow(_ entry: Board.Entry, _ attempt: Selection.Attempt, _ target: Target) throws {
        switch entry {
        case .queued(let ticket): queued = Queued(attempt, target, ticket, until: loop.now + target.queueWait)
        case .refused(let refusal):
            selection.refused(attempt.id, refusal)
            if case .full = refusal, attempt.reason != .hedge {
                tried.append(RequestRecord.Try(target, "full", loop.now - start))
            }
        case .admitted(let admission):
            do throws(ChatError) {
                let answer = try upstreams.ask(target, chat, memory, caller, waking: wakeup)
                running.append(
                    Attempt(
                        attempt, on: target, answer, admission, as: form, awaitsToken: route.targets.count > 1, limits,
                        memory.budget, at: loop.now))
                selection.started(attempt.id, at: loop.now)
            } catch {
                board.leave(target)
                _ = board.note(.abandoned, of: admission, on: target, at: loop.now)
                throw error
            }
        }
    }

    /// An attempt in its upstream's queue; a selection starts one at a time.
    private struct Queued {
        let attempt: Selection.Attempt
        let target: Target
        let ticket: ConcurrencyLimit.Ticket
        let until: Instant

        init(_ attempt: Selection.Attempt, _ target: Target, _ ticket: ConcurrencyLimit.Ticket, until: Instant) {
            (self.attempt, self.target, self.ticket, self.until) = (attempt, target, ticket, until)
        }
    }

    private func takePlace() throws {
        guard let waiting = queued else { return }
        let entry = board.place(
            of: waiting.ticket, waiting.attempt, on: waiting.target, at: loop.now, isLate: loop.now >= waiting.until)
        guard let entry else { return }
        queued = nil
        try follow(entry, waiting.attempt, waiting.target)
    }

    private func leaveQueue() {
        guard let waiting = queued else { return }
        board.withdraw(waiting.ticket, from: waiting.target)
        queued = nil
    }

    private func cancel(_ id: Int, _ reason: Selection.Cancellation) {
        if queued?.attempt.id == id { leaveQueue() }
        guard let attempt = running.first(where: { $0.id == id }) else { return }
        attempt.answer.cancel()
        switch reason {
        case .lost: _ = remove(attempt, .lost(after: loop.now - attempt.start), "lost")
        case .timedOut(let timeout): _ = remove(attempt, .failed, "timeout.\(timeout.rawValue)")
        }
    }

    /// - Returns: whether its target rests now.
    private func remove(_ attempt: Attempt, _ outcome: Board.Outcome, _ word: String) -> Bool {
        running.removeAll { $0 === attempt }
        ended.append(attempt)
        tried.append(RequestRecord.Try(attempt.target, word, loop.now - attempt.start))
        attempt.answer.cancel()
        board.leave(attempt.target)
        return board.note(outcome, of: attempt.admission, on: attempt.target, at: loop.now)
    }
}
