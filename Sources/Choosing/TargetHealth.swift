// Whether a target is worth asking: one that fails repeatedly rests, and one request finds out whether it is well again.

package import Clock

/// When a target rests, and for how long.
package struct RestPlan: Equatable, Sendable {
    /// Failures in a row (`rest_after`).
    package var failuresMax: Int
    /// Failures among the last 20 outcomes, in percent.
    package var failedPercentMax: Int
    /// The first rest; each probe that fails doubles it. Without any, no target rests.
    package var restFor: Duration
    /// The longest rest, however many probes have failed.
    package var restMax: Duration

    /// - Parameters:
    ///   - failuresMax: failures in a row.
    ///   - failedPercentMax: failures among the last 20 outcomes, in percent.
    ///   - restFor: the first rest; zero for none.
    ///   - restMax: the longest rest, at least `restFor`.
    package init(
        failuresMax: Int = 5, failedPercentMax: Int = 50, restFor: Duration = .seconds(10), restMax: Duration = .seconds(300)
    ) {
        self.failuresMax = failuresMax
        self.failedPercentMax = failedPercentMax
        self.restFor = restFor
        self.restMax = restMax
    }
}

/// What is known of one target's health. All workers share it, so whoever holds it locks it.
///
///     switch health.enter(at: now, isLastResort: attempt.isLastResort) {
///     case nil: selection.refused(attempt.id, .resting)
///     case let permit?: …; health.succeeded(permit)             // or failed, or abandoned: exactly one of them
///     }
///
/// What attempts from before a rest have to say does not count after it began.
package struct TargetHealth: Sendable {
    /// An attempt's leave to ask the target, to be handed back with its outcome.
    package struct Permit: Equatable, Sendable {
        fileprivate let period: UInt32
        /// Whether this attempt is the one that finds out if the target is well again.
        package let isProbe: Bool
    }

    /// What an outcome changes for all requests.
    package enum Change: Equatable, Sendable {
        case rests(for: Duration)
        /// A probe found it well.
        case isBack
    }

    private enum State {
        case working
        case resting(until: Instant, for: Duration)
        /// A probe is on its way, since `start`. When it comes before its time, as a last resort, its failure prolongs nothing.
        case probing(start: Instant, until: Instant, for: Duration)
    }

    /// When it rests, and for how long. A rest that has begun keeps its length when this changes.
    package var plan: RestPlan
    private var state = State.working
    /// Counts rests, recoveries and probes, to tell outcomes that are out of date.
    private var period: UInt32 = 0
    private var failuresInRow = 0
    /// The last outcomes, the newest in the lowest bit; 1 is a failure.
    private var outcomes: UInt32 = 0
    private var outcomesCount = 0

    private static let outcomesMax = 20

    /// A target that works, as far as is known.
    package init(_ plan: RestPlan = RestPlan()) { self.plan = plan }

    /// Whether requests that have another target leave this one alone. False when its probe is due.
    package func isResting(at now: Instant) -> Bool {
        switch state {
        case .working: false
        case .resting(let end, _): now < end
        // A probe that hangs does not keep all others away for ever.
        case .probing(let start, _, _): now < start + plan.restFor
        }
    }

    /// How long requests that have another target still leave this one alone; nil when they do not.
    package func restLeft(at now: Instant) -> Duration? {
        guard isResting(at: now) else { return nil }
        switch state {
        case .working: return nil
        case .resting(let end, _): return end - now
        case .probing(let start, _, _): return start + plan.restFor - now
        }
    }

    /// Asks for leave before an attempt.
    /// - Parameter isLastResort: there is no other target, so it is tried though it rests, and is the probe if there is none.
    /// - Returns: nil when the target is to be left alone.
    package mutating func enter(at now: Instant, isLastResort: Bool = false) -> Permit? {
        let isResting = isResting(at: now)
        if isResting && !isLastResort { return nil }
        switch state {
        case .working: return Permit(period: period, isProbe: false)
        // Another one is the probe, so this one's outcome says nothing.
        case .probing where isResting: return Permit(period: period &- 1, isProbe: false)
        case .resting(let end, let rest), .probing(_, let end, let rest):
            period &+= 1
            state = .probing(start: now, until: end, for: rest)
            return Permit(period: period, isProbe: true)
        }
    }

    /// The attempt got its first token, or a verdict on its request: the target works.
    @discardableResult
    package mutating func succeeded(_ permit: Permit) -> Change? {
        guard permit.period == period else { return nil }
        if permit.isProbe { begin(.working) }
        failuresInRow = 0
        note(failed: false)
        return permit.isProbe ? .isBack : nil
    }

    /// The attempt failed by the target's fault (`AttemptFailure.countsAgainstTarget`), or was cut off by a timeout.
    ///
    /// - Returns: what begins; a rest that only goes on is no change.
    @discardableResult
    package mutating func failed(_ permit: Permit, at now: Instant) -> Change? {
        guard permit.period == period else { return nil }
        switch state {
        case .resting: break
        // Last resorts come as fast as requests: doubling the rest for each would end in the longest at once.
        case .probing(let start, let end, let rest) where start < end: begin(.resting(until: end, for: rest))
        case .probing(_, _, let rest):
            let longer = min(rest + rest, plan.restMax)
            begin(.resting(until: now + longer, for: longer))
        case .working:
            failuresInRow += 1
            note(failed: true)
            guard plan.restFor > .zero, failuresInRow >= plan.failuresMax || isMostlyFailing else { break }
            begin(.resting(until: now + plan.restFor, for: plan.restFor))
            return .rests(for: plan.restFor)
        }
        return nil
    }

    /// The attempt ended without telling anything: cancelled, because another won or the caller left, or never started.
    package mutating func abandoned(_ permit: Permit) {
        guard permit.period == period, case .probing(_, let end, let rest) = state else { return }
        begin(.resting(until: end, for: rest))
    }

    private mutating func begin(_ state: State) {
        self.state = state
        period &+= 1
        (failuresInRow, outcomes, outcomesCount) = (0, 0, 0)
    }

    private mutating func note(failed: Bool) {
        outcomes = (outcomes << 1 | (failed ? 1 : 0)) & (1 << Self.outcomesMax - 1)
        outcomesCount = min(outcomesCount + 1, Self.outcomesMax)
    }

    private var isMostlyFailing: Bool {
        outcomesCount == Self.outcomesMax && outcomes.nonzeroBitCount * 100 >= plan.failedPercentMax * Self.outcomesMax
    }
}
