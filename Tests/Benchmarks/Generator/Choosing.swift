// What choosing costs: every value that a request asks or tells on its way to its target.

import Choosing
import Clock
import EventLoop

/// Measures the choosing of one request for routes of several kinds.
struct ChoosingTimes {
    private let batches: Batches

    init(_ options: inout Options) throws(UsageError) { batches = try Batches(&options, size: 1000) }

    /// Returns `ROUTE_best_ns=… ROUTE_median_ns=…`, each for one request.
    func run() -> String {
        ChosenRoute.Kind.allCases.flatMap { kind in
            var route = ChosenRoute(kind)
            return batches.fields(kind.rawValue) { route.serveRequest() }
        }
        .joined(separator: " ")
    }
}

/// A route and what is known of its targets, as Sluice's `Board` holds it, in virtual time.
private struct ChosenRoute {
    enum Kind: String, CaseIterable {
        case one
        case three
        /// Three targets that share the load.
        case weighted
        /// Two targets. Each request is hedged after the percentile of the first one's times, and the hedge wins at once: with
        /// any more time than that for the loser, its percentile would grow with each request.
        case hedged
    }

    private let hedgeAfter: HedgeDelay?
    private let targets: [SelectionTarget]
    private let plan: SelectionPlan
    private var health: [TargetHealth]
    private var limits: [ConcurrencyLimit]
    private var firstTokens: [FirstTokenTimes]
    private var retries = RequestBudget.retries()
    private var hedges = RequestBudget.hedges(percent: 100)
    private var generator = SplitMix()
    private var now = Instant.current
    private var requestsCount = 0

    init(_ kind: Kind) {
        hedgeAfter = kind == .hedged ? .percentile(95) : nil
        targets = Self.weights(kind).map { weight in
            var target = SelectionTarget()
            target.weight = weight
            return target
        }
        var plan = SelectionPlan()
        plan.endsAtFirstToken = kind == .one
        self.plan = plan
        var times = FirstTokenTimes()
        for time in 0..<128 { times.note(.milliseconds(20 + time % 30)) }
        health = targets.map { _ in TargetHealth() }
        limits = targets.map { _ in ConcurrencyLimit(1000) }
        firstTokens = targets.map { _ in times }
    }

    private static func weights(_ kind: Kind) -> [Int?] {
        switch kind {
        case .one: [nil]
        case .three: [nil, nil, nil]
        case .weighted: [1, 2, 3]
        case .hedged: [nil, nil]
        }
    }

    private typealias Running = (attempt: Selection.PlannedAttempt, permit: TargetHealth.Permit, start: Instant)

    /// One request, a millisecond after the last one.
    /// - Returns: whether the attempt won that should.
    mutating func serveRequest() -> Bool {
        now = now + .milliseconds(1)
        requestsCount += 1
        var selection = selection()
        var time = now
        var running: [Running] = []
        while true {
            switch selection.next(at: time, using: &generator) {
            case .start(let attempt):
                guard let permit = enter(attempt) else { return false }
                selection.started(attempt.id, at: time)
                running.append((attempt, permit, time))
            case .wait(let hedgeTime) where hedgeAfter != nil && running.count == 1: time = hedgeTime
            case .wait:
                guard let last = running.last else { return false }
                selection.won(last.attempt.id)
                if hedgeAfter == nil { time = time + .milliseconds(20 + requestsCount % 30) }
            case .cancel(let id, _):
                guard let loser = running.first(where: { $0.attempt.id == id }) else { return false }
                health[loser.attempt.target].abandoned(loser.permit)
                end(loser, at: time)
            case .win(let id):
                guard let winner = running.last, winner.attempt.id == id else { return false }
                health[winner.attempt.target].succeeded(winner.permit)
                end(winner, at: time)
                return winner.attempt.reason == (hedgeAfter == nil ? .first : .hedge)
            case .giveUp: return false
            }
        }
    }

    private mutating func selection() -> Selection {
        retries.noteRequest(at: now)
        if hedgeAfter != nil { hedges.noteRequest(at: now) }
        var targets = targets
        for index in targets.indices {
            targets[index].isResting = health[index].isResting(at: now)
            targets[index].outstandingCount = limits[index].runningCount
            targets[index].hasRoom = limits[index].hasRoom
            targets[index].hedgeAfter = hedgeAfter?.duration(by: firstTokens[index])
        }
        return Selection(targets, plan, at: now)
    }

    private mutating func enter(_ attempt: Selection.PlannedAttempt) -> TargetHealth.Permit? {
        if attempt.reason == .hedge, !hedges.take(at: now) { return nil }
        guard limits[attempt.target].enter(mayWait: attempt.reason != .hedge) == .entered else { return nil }
        return health[attempt.target].enter(at: now, isLastResort: attempt.isLastResort)
    }

    private mutating func end(_ ended: Running, at time: Instant) {
        firstTokens[ended.attempt.target].note(time - ended.start)
        _ = limits[ended.attempt.target].leave()
    }
}
