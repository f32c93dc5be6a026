// What all workers know together of the upstreams: how well each target does, and how much it is asked.

import Chat
import Choosing
import Clock
import EventLoop
import Settings

/// One for each generation. What it has of targets, upstreams and routes that were there before it shares with the boards
/// before it, so that a reload forgets nothing and what began before it counts.
///
/// Each call holds a lock or two for well under a microsecond. What an attempt gets here it has to give back, and what it
/// owes it has to tell: `Admission` and `QueuedPlace` see to that.
final class Board: Sendable {
    /// By the targets' numbers.
    private let targets: [TargetState]
    /// By the upstreams' order in the settings.
    let places: [UpstreamPlaces]
    /// Those of boards before that the settings do not have any more, for as long as one of these boards is there: their
    /// requests go on for long, and may still begin another attempt.
    private let formerPlaces: [FormerPlaces]
    /// By the routes' order in the settings.
    private let budgets: [RouteBudgets]
    /// What `targets` and `places` are to go by once this board is in force.
    private let plans: [RestPlan]
    private let upstreams: [UpstreamSettings]
    private let onChange: @Sendable (Target, TargetChange) -> Void

    /// - Parameters:
    ///   - former: the board that this one is to follow, if there is one.
    ///   - onChange: told of each rest and its end, once, on the thread that found it.
    init(
        _ settings: Settings, _ routes: Routes, replacing former: Board? = nil,
        onChange: @escaping @Sendable (Target, TargetChange) -> Void = { _, _ in }
    ) {
        plans = routes.targets.map { settings.upstreams[$0.upstream].rest }
        upstreams = settings.upstreams
        self.onChange = onChange
        var (knownTargets, knownBudgets) = (former?.targets ?? [], former?.budgets ?? [])
        var knownPlaces = (former?.places ?? []) + (former?.formerPlaces ?? []).compactMap(\.places)
        targets = routes.targets.map { knownTargets.takeKnown(TargetState($0, of: settings), by: \.identity) }
        places = settings.upstreams.map { knownPlaces.takeKnown(UpstreamPlaces($0), by: \.identity) }
        formerPlaces = knownPlaces.map(FormerPlaces.init)
        budgets = settings.models.map { knownBudgets.takeKnown(RouteBudgets($0), by: \.identity) }
    }

    /// What it shares with the boards before it is from now on as its own settings say.
    func takeEffect() {
        for (target, plan) in zip(targets, plans) { target.apply(plan) }
        for (places, upstream) in zip(places, upstreams) { places.apply(upstream) }
    }

    /// How many targets rest.
    func restingCount(at now: Instant) -> Int { targets.count { $0.isResting(at: now) } }

    /// How the upstreams do, in the settings' order, and behind them those of former settings of which there is anything still.
    var upstreamStatus: [Status.Upstream] {
        let present = zip(upstreams, places).map { upstream, places in
            let (open, queued) = places.counts
            return Status.Upstream(name: upstream.name, open: open, queued: queued, places: upstream.concurrentMax)
        }
        let former = formerPlaces.compactMap(\.places).filter(\.areTaken).map { places in
            let (open, queued) = places.counts
            return Status.Upstream(name: places.identity.name, open: open, queued: queued, places: nil, isFormer: true)
        }
        return present + former
    }

    /// How targets do.
    func status(of routes: Routes, at now: Instant) -> [Status.Target] {
        zip(routes.targets, targets).map { target, state in
            Status.Target(
                route: target.route, upstream: target.upstreamName, model: target.ownModel, state: state.snapshot(at: now))
        }
    }

    /// The attempts of one request, which is counted.
    ///
    /// - Parameters:
    ///   - call: what finds its target, where targets share out calls.
    ///   - continuation: of a request that has been counted, since its answer has broken off; nil for one that begins.
    func selection(
        _ route: Route, isStreaming: Bool, call: AffinityKey? = nil, for continuation: Continuation? = nil, at now: Instant
    ) -> Selection {
        if continuation == nil { budgets[route.index].noteRequest(mayHedge: route.hedgeAfter != nil, at: now) }
        let (start, endsAtFirstToken) = (continuation?.start ?? now, continuation != nil)
        return route.selection(isStreaming: isStreaming, endsAtFirstToken: endsAtFirstToken, at: start) { place, target in
            let own = route.targets[place]
            targets[own.number].addState(to: &target, isStreaming ? route.hedgeAfter : nil, at: now)
            places[own.upstream].addState(to: &target)
            // There may be no other.
            if continuation?.hasFailed(own) == true { target.isResting = true }
            if let call, let weight = own.weight { target.closeness = call.closeness(to: own.affinityKey, weight: weight) }
        }
    }

    /// What becomes of an attempt that asks for leave to start.
    enum Decision {
        /// It has a place at the upstream, to be given back by `leave`, and owes the target's health a word.
        case admitted(TargetHealth.Permit)
        case refused(Selection.Denial)
        /// It is in the upstream's queue; `turn` tells what comes of that.
        case queued(ConcurrencyLimit.Ticket)
    }

    /// Decides about an attempt that is to start.
    ///
    /// - Parameter wakeup: woken when a queued attempt has its place.
    func decide(
        _ attempt: Selection.PlannedAttempt, on target: Target, of route: Route, at now: Instant, waking wakeup: Wakeup
    ) -> Decision {
        guard budgets[route.index].pay(for: attempt.reason, at: now) else { return .refused(.overBudget) }
        switch places[target.upstream].enter(mayWait: attempt.reason != .hedge, waking: wakeup) {
        case .full: return .refused(.full(retryAfter: .seconds(1)))
        case .queued(let ticket): return .queued(ticket)
        case .entered: return admit(attempt, to: target, at: now)
        }
    }

    /// What has become of a queued attempt; nil while it waits.
    ///
    /// - Parameter isLate: it has waited for as long as it may.
    func turn(
        of ticket: ConcurrencyLimit.Ticket, _ attempt: Selection.PlannedAttempt, on target: Target, at now: Instant, isLate: Bool
    ) -> Decision? {
        if places[target.upstream].take(ticket) { return admit(attempt, to: target, at: now) }
        guard isLate else { return nil }
        withdraw(ticket, from: target)
        return .refused(.full(retryAfter: .seconds(1)))
    }

    private func admit(_ attempt: Selection.PlannedAttempt, to target: Target, at now: Instant) -> Decision {
        if let permit = targets[target.number].enter(at: now, isLastResort: attempt.isLastResort) { return .admitted(permit) }
        leave(target)
        return .refused(.resting)
    }

    /// What an attempt says about its target.
    enum Outcome {
        /// It got its first token.
        case token(after: Duration)
        /// The target works, whatever became of the request.
        case works
        /// - Parameter reason: in one word, where it is known.
        case failed(_ reason: String? = nil)
        /// Cancelled, after a while without a token.
        case lost(after: Duration)
    }

    /// - Returns: whether the target rests now.
    func note(_ outcome: Outcome, by permit: TargetHealth.Permit, on target: Target, at now: Instant) -> Bool {
        let (rests, change) = targets[target.number].note(outcome, by: permit, at: now)
        if let change { onChange(target, TargetChange(change, after: outcome)) }
        return rests
    }

    /// An answer has broken off; counted where that is the target's own fault.
    func note(_ error: ChatError, inAnswerOf target: Target) {
        if AttemptFailure(error).countsAgainstTarget { targets[target.number].noteCut() }
    }

    /// An attempt ended without telling anything about its target.
    func abandon(_ permit: TargetHealth.Permit, on target: Target) { targets[target.number].abandon(permit) }

    /// Gives an attempt's place back.
    func leave(_ target: Target) { places[target.upstream].leave() }

    /// Takes an attempt out of the queue that nobody waits for any more.
    func withdraw(_ ticket: ConcurrencyLimit.Ticket, from target: Target) { places[target.upstream].withdraw(ticket) }
}

/// Places that a board before has; nil when none has them any more, and so nobody can come to hold one.
private struct FormerPlaces: Sendable {
    weak let places: UpstreamPlaces?

    init(_ places: UpstreamPlaces) { self.places = places }
}

extension Array {
    /// Takes out the first element with the same identity: each thing once, though several of its kind may be alike.
    ///
    /// - Returns: it, or `new` when there is none.
    fileprivate mutating func takeKnown(_ new: Element, by identity: (Element) -> some Equatable) -> Element {
        let sought = identity(new)
        guard let place = firstIndex(where: { identity($0) == sought }) else { return new }
        return remove(at: place)
    }
}

/// What has become of a target for all requests.
enum TargetChange: Equatable {
    /// - Parameter reason: of the last failure, in one word, where it is known.
    case rests(for: Duration, reason: String?)
    case isBack

    fileprivate init(_ change: TargetHealth.Change, after outcome: Board.Outcome) {
        switch change {
        case .rests(let duration):
            let reason: String? = if case .failed(let reason) = outcome { reason } else { nil }
            self = .rests(for: duration, reason: reason)
        case .isBack: self = .isBack
        }
    }
}
