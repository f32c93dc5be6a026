// What an attempt holds of its target and of its target's upstream, and gives back exactly once.

import Choosing
import Clock
import EventLoop

/// What has become of an attempt that asked for leave to start.
enum StartDecision: ~Copyable {
    case admitted(Admission)
    case refused(Selection.Denial)
    /// It waits for a place at its upstream.
    case queued(QueuedPlace)
}

/// An attempt's leave to ask a target: its place at the upstream, and what it owes to the target's health.
///
///     let place = admission.succeeded(after: time, at: now)      // its answer goes on, and keeps the place
///     let rests = admission.failed(at: now)                       // or worked, or lost
///
/// Each of these ends it. One that is dropped instead counts as abandoned, which says nothing about the target.
struct Admission: ~Copyable {
    private let place: Place
    private let verdict: Verdict

    fileprivate init(_ place: consuming Place, _ verdict: consuming Verdict) {
        self.place = place
        self.verdict = verdict
    }

    /// The attempt got its first token.
    ///
    /// - Parameter time: from the attempt's start.
    /// - Returns: the place, which the answer keeps until it is over.
    consuming func succeeded(after time: Duration, at now: Instant) -> Place {
        _ = verdict.tell(.token(after: time), at: now)
        return place
    }

    /// The target works, though the request came to nothing.
    ///
    /// - Returns: whether the target rests now, for what others found.
    consuming func worked(at now: Instant) -> Bool { verdict.tell(.works, at: now) }

    /// The attempt failed by the target's fault.
    ///
    /// - Parameter reason: in one word, where it is known.
    /// - Returns: whether the target rests now.
    consuming func failed(_ reason: String? = nil, at now: Instant) -> Bool { verdict.tell(.failed(reason), at: now) }

    /// The attempt was cancelled because another one was decisive, after a while without a token.
    ///
    /// - Parameter time: from the attempt's start.
    consuming func lost(after time: Duration, at now: Instant) { _ = verdict.tell(.lost(after: time), at: now) }
}

/// A place among the attempts and answers that an upstream has to do with at a time. It is given back by its end.
struct Place: ~Copyable {
    private let board: Board
    private let target: Target

    fileprivate init(on target: Target, at board: Board) { (self.board, self.target) = (board, target) }

    deinit { board.leave(target) }
}

/// What an attempt is to tell of its target's health. By its end it has told that, or that there is nothing to tell.
private struct Verdict: ~Copyable {
    private let board: Board
    private let target: Target
    /// What the target gave with its leave; nil once it has been used.
    private var permit: TargetHealth.Permit?

    init(on target: Target, at board: Board, permit: TargetHealth.Permit) {
        (self.board, self.target, self.permit) = (board, target, permit)
    }

    /// - Returns: whether the target rests now.
    consuming func tell(_ outcome: Board.Outcome, at now: Instant) -> Bool {
        guard let permit = permit.take() else { preconditionFailure("a verdict is told once") }
        return board.note(outcome, by: permit, on: target, at: now)
    }

    deinit { if let permit { board.abandon(permit, on: target) } }
}

/// An attempt's place in the queue of its upstream. One that is dropped leaves the queue, or passes on the place that it was given.
struct QueuedPlace: ~Copyable {
    let attempt: Selection.PlannedAttempt
    let target: Target
    private let board: Board
    /// Its number in the queue; nil once that has led to something.
    private var ticket: ConcurrencyLimit.Ticket?

    fileprivate init(
        of attempt: Selection.PlannedAttempt, on target: Target, at board: Board, ticket: ConcurrencyLimit.Ticket
    ) {
        (self.attempt, self.board, self.target, self.ticket) = (attempt, board, target, ticket)
    }

    /// Asks whether its turn has come.
    ///
    /// - Parameter isLate: whether it has waited for as long as it may, and so gives up.
    /// - Returns: what has become of it; nil while it waits. After that it is of no more use.
    mutating func claim(at now: Instant, isLate: Bool) -> StartDecision? {
        guard let ticket, let turn = board.turn(of: ticket, attempt, on: target, at: now, isLate: isLate) else { return nil }
        self.ticket = nil
        return StartDecision(turn, attempt, on: target, of: board)
    }

    deinit { if let ticket { board.withdraw(ticket, from: target) } }
}

extension Board {
    /// Asks for leave to start an attempt.
    ///
    /// - Parameter wakeup: woken when a queued attempt has its place.
    func enter(
        _ attempt: Selection.PlannedAttempt, on target: Target, of route: Route, at now: Instant, waking wakeup: Wakeup
    ) -> StartDecision {
        StartDecision(decide(attempt, on: target, of: route, at: now, waking: wakeup), attempt, on: target, of: self)
    }
}

extension StartDecision {
    fileprivate init(_ decision: Board.Decision, _ attempt: Selection.PlannedAttempt, on target: Target, of board: Board) {
        switch decision {
        case .admitted(let permit):
            self = .admitted(
                Admission(Place(on: target, at: board), Verdict(on: target, at: board, permit: permit)))
        case .refused(let denial): self = .refused(denial)
        case .queued(let ticket): self = .queued(QueuedPlace(of: attempt, on: target, at: board, ticket: ticket))
        }
    }
}
