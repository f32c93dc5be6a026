// What the settings say, as choosing takes it.

import Choosing
import Clock
import Settings

extension Route {
    /// The attempts of one request.
    ///
    /// - Parameters:
    ///   - endsAtFirstToken: whether a first token that is late ends an attempt also where no other target is left.
    ///   - complete: adds to a target, by its place in the route, how it stands now: whether it rests, its load, whether
    ///   it has room, and `hedgeAfter` where that is a percentile.
    func selection(
        isStreaming: Bool, endsAtFirstToken: Bool = false, at start: Instant, _ addState: (Int, inout SelectionTarget) -> Void
    ) -> Selection {
        var targets = isStreaming ? streamedTargets : wholeTargets
        for index in targets.indices { addState(index, &targets[index]) }
        var plan = plan
        if endsAtFirstToken { plan.endsAtFirstToken = true }
        return Selection(targets, plan, at: start)
    }
}

extension SelectionPlan {
    init(_ model: ModelSettings) {
        self.init()
        retriesMax = model.attempts.retriesMax
        retryAfterMax = model.attempts.retryAfterMax
        fallbackOn = model.fallbackOn
        endsAtFirstToken = model.targets.count == 1
    }
}

extension SelectionTarget {
    init(_ target: Target, hedgeAfter: HedgeDelay?) {
        self.init()
        firstToken = target.timeouts.firstToken
        total = target.timeouts.total
        weight = target.weight
        if case .after(let duration) = hedgeAfter { self.hedgeAfter = duration }
    }

    /// A target that is to answer without a stream: its first sign is its last, so a late one is nothing to act upon.
    init(whole target: Target) {
        self.init(target, hedgeAfter: nil)
        firstToken = total
    }
}

extension RequestBudget {
    static func retries(of model: ModelSettings) -> RequestBudget { .retries(percent: model.attempts.retryPercentMax) }

    static func hedges(of model: ModelSettings) -> RequestBudget { .hedges(percent: model.attempts.hedgePercentMax) }
}

extension ConcurrencyLimit {
    init(_ upstream: UpstreamSettings) { self.init(upstream.concurrentMax, queueMax: upstream.queueMax) }
}
