// Which target is asked, when, and which attempt's answer the caller gets: a value without effects.

import Chat
package import Clock

/// The attempts of one request, over the targets of its route.
///
/// Ask `next(at:using:)` after every fact and when a wait is over, and do what it says, until it says `win` or `giveUp`, which
/// it then repeats:
///
///     case .start(let attempt):      start it, then tell started(_:at:), or refused(_:_:) when something forbids it
///     case .cancel(let attempt, _):  cancel it, there is no need to tell
///     case .wait(let end):           wait for a fact, at most until then
///     case .win(let attempt):        relay its answer; nothing is tried any more
///     case .giveUp(let error, _):    show the error
///
/// Between `start` and `started` an attempt may wait for its place in the upstream's queue; only the total timeout runs then.
/// The connect timeout is the client's, the idle timeout the relay's. Facts about an attempt that has ended are ignored, so
/// they may cross with a cancel.
package struct Selection: Sendable {
    private let plan: SelectionPlan
    private let start: Instant
    private var targets: [Candidate]
    private var attempts: [Track] = []
    private var mayRetry = true
    private var mayHedge = true
    /// A verdict on the request has come: nothing more is started.
    private var isDecided = false
    /// The most telling error so far, and the attempt that it is from, if it is from one.
    private var shown: (error: ChatError, of: Int?, severity: Severity)?
    /// `win` or `giveUp`.
    private var outcome: Step?

    /// How much an error tells the caller: one that tells more is kept.
    private enum Severity: Int {
        /// No target had room.
        case noRoom
        /// An upstream was in trouble, or late.
        case trouble
        /// An upstream judged the request.
        case verdict
    }

    private struct Candidate {
        var target: SelectionTarget
        var backoff: Backoff
        var triesCount = 0
        /// From when on it may be tried again.
        var retryAt: Instant?
        /// It took a whole timeout: others come first, unless they rest.
        var isSlow = false
        /// Full, or it refused though it was the last resort.
        var isOut = false

        var isUntried: Bool { triesCount == 0 && !isOut }
    }

    private struct Track {
        enum State: Equatable { case starting, running, cancelling(Cancellation), ended }
        let attempt: PlannedAttempt
        /// The running attempt whose place it takes as soon as it has started.
        let replaced: Int?
        var state = State.starting
        /// When it started, as far as it has.
        var start: Instant

        var isActive: Bool { state == .starting || state == .running }
    }

    /// - Parameter targets: at least one, in the route's order.
    package init(_ targets: [SelectionTarget], _ plan: SelectionPlan, at start: Instant) {
        precondition(!targets.isEmpty, "a route has targets")
        self.plan = plan
        self.start = start
        self.targets = targets.map { Candidate(target: $0, backoff: plan.backoff) }
        attempts.reserveCapacity(2)
    }

    // MARK: Facts

    /// The attempt has been handed to the client, after its wait in the queue if any: its timers run from here.
    package mutating func started(_ id: Int, at now: Instant) {
        guard attempts[id].state == .starting else { return }
        attempts[id].state = .running
        attempts[id].start = now
        if let replaced = attempts[id].replaced, attempts[replaced].state == .running { timeOut(replaced, .firstToken) }
    }

    /// The attempt was not started. What follows from that, by the denial and by the attempt's reason:
    ///
    ///                               first, fallback              retry                           hedge
    ///     overBudget                its target is out            nothing is retried any more     nothing
    ///     full                      its target is out, and the error is shown if there is no better one    nothing
    ///     resting                   its target rests             the same, and it stays due      its target rests
    ///     resting, last resort      its target is out            its target is out               nothing
    package mutating func refused(_ id: Int, _ denial: Denial) {
        guard attempts[id].state == .starting else { return }
        attempts[id].state = .ended
        let attempt = attempts[id].attempt
        targets[attempt.target].triesCount -= 1
        switch denial {
        case .resting where !attempt.isLastResort:
            targets[attempt.target].target.isResting = true
            if attempt.reason == .retry { targets[attempt.target].retryAt = attempts[id].start }
        case .overBudget where attempt.reason == .retry: mayRetry = false
        case .full(let retryAfter) where attempt.reason != .hedge:
            targets[attempt.target].isOut = true
            show(.overloaded(retryAfter: retryAfter), of: nil, .noRoom)
        case .overBudget, .full, .resting: targets[attempt.target].isOut = attempt.reason != .hedge
        }
    }

    /// The attempt failed before it won.
    /// - Parameter targetRests: whether its target rests now, with this failure counted.
    package mutating func failed(
        _ id: Int, _ failure: AttemptFailure, targetRests: Bool, at now: Instant,
        using generator: inout some RandomNumberGenerator
    ) {
        guard attempts[id].isActive else { return }
        attempts[id].state = .ended
        let attempt = attempts[id].attempt
        if targetRests { targets[attempt.target].target.isResting = true }
        show(failure.error, of: id, failure.isVerdict ? .verdict : .trouble)
        switch failure.consequence {
        case .retry: allowRetry(of: attempt.target, after: failure.retryAfter, at: now, using: &generator)
        case .elsewhere:
            targets[attempt.target].isSlow = true
            allowRetry(of: attempt.target, after: failure.retryAfter, at: now, using: &generator)
        case .onlyElsewhere: break
        case .end where failure.status.map(plan.fallbackOn.contains) == true: break
        case .end where attempt.reason == .hedge && attempts.contains(where: { $0.isActive && $0.replaced != id }):
            // The attempt beside which it was started goes on. What another target thinks of Sluice's key does not concern it.
            if failure.isVerdict { isDecided = true }
        case .end:
            // Without its hedge the caller would have got this error, so the hedge does not matter any more.
            isDecided = true
            cancelAll()
        }
    }

    /// The attempt's first event with content, a tool call or a refusal has come, or something else of it but heartbeats has
    /// reached the caller.
    package mutating func won(_ id: Int) {
        guard attempts[id].isActive else { return }
        attempts[id].state = .ended
        outcome = .win(id)
        cancelAll()
    }

    // MARK: Steps

    /// What to do now.
    package mutating func next(at now: Instant, using generator: inout some RandomNumberGenerator) -> Step {
        for id in attempts.indices where attempts[id].isActive && now >= deadline(of: attempts[id].attempt.target) {
            timeOut(id, .total)
        }
        if plan.endsAtFirstToken {
            for id in attempts.indices where attempts[id].state == .running && now >= firstTokenDeadline(of: id) {
                timeOut(id, .firstToken)
                // It said nothing, so there is nothing of it to show.
                shown?.of = nil
                targets[attempts[id].attempt.target].isSlow = true
                allowRetry(of: attempts[id].attempt.target, at: now, using: &generator)
            }
        }
        for id in attempts.indices {
            guard case .cancelling(let reason) = attempts[id].state else { continue }
            attempts[id].state = .ended
            return .cancel(id, reason)
        }
        if let outcome { return outcome }
        let activeCount = attempts.count { $0.isActive }
        if activeCount == 0 { return nextAlone(at: now, using: &generator) }
        return startBeside(activeCount, at: now, using: &generator) ?? .wait(until: nextTimer(activeCount, at: now))
    }

    /// Nothing runs: a retry, another target, or the end.
    private mutating func nextAlone(at now: Instant, using generator: inout some RandomNumberGenerator) -> Step {
        if !isDecided {
            if let target = earliestRetry(isResting: false, evenIfSlow: false), let step = retry(of: target, at: now) {
                return step
            }
            // A target that rests is the last resort: it may be well again, and there is nothing to lose.
            for isResting in [false, true] {
                if let target = untried(isResting: isResting, at: now, using: &generator) {
                    return start(target, attempts.isEmpty ? .first : .fallback, at: now)
                }
                if let target = earliestRetry(isResting: isResting), let step = retry(of: target, at: now) { return step }
            }
        }
        let error = shown?.error ?? .upstreamTimedOut(.total, after: targets[0].target.total)
        outcome = .giveUp(error, of: shown?.of)
        return .giveUp(error, of: shown?.of)
    }

    /// Something runs, and is late: another target's turn in its place, or beside it.
    private mutating func startBeside(
        _ activeCount: Int, at now: Instant, using generator: inout some RandomNumberGenerator
    ) -> Step? {
        if isDecided { return nil }
        for id in attempts.indices where isReplaceable(id, at: now) && now >= firstTokenDeadline(of: id) {
            let isResting = !hasUntried(isResting: false, at: now)
            guard let target = untried(isResting: isResting, at: now, using: &generator) else { continue }
            return start(target, .fallback, replacing: id, at: now)
        }
        guard activeCount == 1, let time = hedgeTime(at: now), now >= time,
            let target = untried(isResting: false, needsRoom: true, at: now, using: &generator)
        else { return nil }
        mayHedge = false
        return start(target, .hedge, at: now)
    }

    private func nextTimer(_ activeCount: Int, at now: Instant) -> Instant {
        var time = Instant.distantFuture
        for id in attempts.indices where attempts[id].isActive {
            time = min(time, deadline(of: attempts[id].attempt.target))
            let endsAtFirstToken = plan.endsAtFirstToken && attempts[id].state == .running
            if !isDecided, endsAtFirstToken || isReplaceable(id, at: now) { time = min(time, firstTokenDeadline(of: id)) }
        }
        if !isDecided, activeCount == 1, let hedge = hedgeTime(at: now) { time = min(time, hedge) }
        return time
    }

    private mutating func start(_ target: Int, _ reason: PlannedAttempt.Reason, replacing: Int? = nil, at now: Instant) -> Step {
        let isLastResort = targets[target].target.isResting
        let attempt = PlannedAttempt(id: attempts.count, target: target, reason: reason, isLastResort: isLastResort)
        targets[target].triesCount += 1
        targets[target].retryAt = nil
        attempts.append(Track(attempt: attempt, replaced: replacing, start: now))
        return .start(attempt)
    }

    // MARK: Time

    private func deadline(of target: Int) -> Instant { start + targets[target].target.total }

    private func firstTokenDeadline(of id: Int) -> Instant {
        attempts[id].start + targets[attempts[id].attempt.target].target.firstToken
    }

    /// When the one that runs is due a hedge, if it may have one.
    private func hedgeTime(at now: Instant) -> Instant? {
        guard mayHedge, let track = attempts.first(where: \.isActive), track.state == .running,
            let delay = targets[track.attempt.target].target.hedgeAfter,
            hasUntried(isResting: false, needsRoom: true, at: now)
        else { return nil }
        return track.start + delay
    }

    /// Whether another target could take an attempt's place now; one starts at a time. The last is never cut off by its
    /// first-token timeout, and one that rests is no better than one that is slow.
    private func isReplaceable(_ id: Int, at now: Instant) -> Bool {
        guard attempts[id].state == .running, !attempts.contains(where: { $0.state == .starting }) else { return false }
        return hasUntried(isResting: false, at: now)
            || attempts[id].attempt.isLastResort && hasUntried(isResting: true, at: now)
    }

    private mutating func timeOut(_ id: Int, _ timeout: UpstreamTimeout) {
        let target = attempts[id].attempt.target
        attempts[id].state = .cancelling(.timedOut(timeout))
        let limit = timeout == .total ? targets[target].target.total : targets[target].target.firstToken
        show(.upstreamTimedOut(timeout, after: limit), of: id, .trouble)
    }

    private mutating func cancelAll() {
        for id in attempts.indices where attempts[id].isActive { attempts[id].state = .cancelling(.lost) }
    }

    // MARK: Targets

    private func isUntried(_ index: Int, isResting: Bool, needsRoom: Bool, at now: Instant) -> Bool {
        let candidate = targets[index]
        return candidate.isUntried && candidate.target.isResting == isResting && (candidate.target.hasRoom || !needsRoom)
            && now < deadline(of: index)
    }

    private func hasUntried(isResting: Bool, needsRoom: Bool = false, at now: Instant) -> Bool {
        targets.indices.contains { isUntried($0, isResting: isResting, needsRoom: needsRoom, at: now) }
    }

    /// The first in the order, or of those that share its load the least loaded, or the closest to the call.
    private func untried(
        isResting: Bool, needsRoom: Bool = false, at now: Instant, using generator: inout some RandomNumberGenerator
    ) -> Int? {
        var (spread, closest) = (LeastOutstanding(), Closest())
        for index in targets.indices {
            if (spread.choice ?? closest.choice) != nil && targets[index].target.weight == nil { break }
            guard isUntried(index, isResting: isResting, needsRoom: needsRoom, at: now) else { continue }
            if targets[index].target.weight == nil { return index }
            if targets[index].target.closeness != nil {
                closest.offer(targets[index].target, at: index)
            } else {
                spread.offer(targets[index].target, at: index, using: &generator)
            }
        }
        return closest.choice ?? spread.choice
    }

    // MARK: Retries

    private mutating func allowRetry(
        of index: Int, after retryAfter: Duration? = nil, at now: Instant, using generator: inout some RandomNumberGenerator
    ) {
        let retryAfter = retryAfter ?? .zero
        guard targets[index].triesCount <= plan.retriesMax, retryAfter <= plan.retryAfterMax else { return }
        let time = now + max(retryAfter, targets[index].backoff.next(using: &generator))
        if time < deadline(of: index) { targets[index].retryAt = time }
    }

    private func earliestRetry(isResting: Bool, evenIfSlow: Bool = true) -> Int? {
        var earliest: (index: Int, time: Instant)?
        for (index, candidate) in targets.enumerated() where candidate.target.isResting == isResting && !candidate.isOut {
            guard let time = candidate.retryAt, evenIfSlow || !candidate.isSlow else { continue }
            if earliest.map({ time < $0.time }) ?? true { earliest = (index, time) }
        }
        return earliest?.index
    }

    private mutating func retry(of index: Int, at now: Instant) -> Step? {
        guard mayRetry, let time = targets[index].retryAt, !targets[index].isOut, now < deadline(of: index) else { return nil }
        if now < time { return .wait(until: time) }
        return start(index, .retry, at: now)
    }

    // MARK: Errors

    /// Keeps the most telling error: a verdict on the request, else what an upstream did, else that none had room; of equals,
    /// the last.
    private mutating func show(_ error: ChatError, of id: Int?, _ severity: Severity) {
        if let shown, shown.severity.rawValue > severity.rawValue { return }
        shown = (error, id, severity)
    }
}
