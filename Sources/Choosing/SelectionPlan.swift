// What a selection goes by: the settings of a route, and its targets as they stand when a request begins.

import Clock

/// How far one request may be tried again, and elsewhere.
package struct SelectionPlan: Sendable {
    /// Further attempts on the same target, beyond the first.
    package var retriesMax = 2
    /// How retries are spaced, for each target anew.
    var backoff = Backoff()
    /// A `retry-after` of at most this much is waited for; a longer one means the next target at once.
    package var retryAfterMax = Duration.seconds(2)
    /// Whether a first token that is late ends an attempt also where no other target could take its place: it is tried again, as any
    /// that has failed. For a route with one target, whose server may have stalled, and where an answer is gone on with.
    package var endsAtFirstToken = false
    /// Statuses that are a verdict on the request, or refuse Sluice's key, and go to the next target all the same.
    package var fallbackOn: [Int] = []

    /// The settings' defaults.
    package init() {}
}

/// Exponential back-off with jitter: each wait is random between a floor and a limit that doubles.
///
/// The first has full jitter: it is anything from nothing to its limit. A later one is longer than the one before it by at least as
/// much as its limit is, so that waits grow whatever the draw, and a target that is in trouble is never asked faster and faster:
///
///     limit     100 ms      200 ms        400 ms        800 ms    … 2 s
///     wait      0 … 100     100 … 200     300 … 400     700 … 800
struct Backoff: Sendable {
    private let max: Duration
    private var floor = Duration.zero
    private var limit: Duration

    /// - Parameter base: the limit of the first wait, unless `max`, the limit of all, is less. Neither is negative.
    init(base: Duration = .milliseconds(100), max: Duration = .seconds(2)) {
        self.max = max
        limit = min(base, max)
    }

    /// The next wait, of at least 0 s.
    mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let wait = Duration.nanoseconds(Int64.random(in: floor.nanoseconds...limit.nanoseconds, using: &generator))
        let nextLimit = min(limit * 2, max)
        (floor, limit) = (wait + (nextLimit - limit), nextLimit)
        return wait
    }
}

/// A target of the matched route, as it stands when the request begins.
package struct SelectionTarget: Sendable {
    /// From an attempt's start to its first event with content, a tool call or a refusal. For an answer that is not streamed,
    /// whose first sign is its last, it should be `total`.
    package var firstToken = Duration.seconds(15)
    /// From the request's start, whatever earlier attempts took of it.
    package var total = Duration.seconds(600)
    /// From an attempt's start to the start of another beside it; nil for never. A percentile is looked up before.
    package var hedgeAfter: Duration?
    /// Whether it is to be left alone while there is another. False for one whose probe is due, so that this request can be it.
    package var isResting = false
    /// At least 1; neighbours that have one share the load in proportion. Nil stands in the order alone.
    package var weight: Int?
    /// How close it is to the call, for neighbours with a weight that share calls and not requests; the closest is asked first. Nil for
    /// the least loaded.
    package var closeness: Double?
    /// Attempts that run on it now, of all workers.
    package var outstandingCount = 0
    /// Whether one more may start without a wait.
    package var hasRoom = true

    /// A target that works, has room and stands in the order alone, with the settings' default timeouts.
    package init() {}
}
