// How many extra attempts the recent requests pay for.

package import Clock

/// A share of the requests of a sliding window, for what goes beyond one attempt per request: retries, or hedges.
///
///     budget.noteRequest(at: now)                  // once for each request
///     if budget.take(at: now) { … }                // once for each extra attempt
///
/// Both cost a few nanoseconds and do not depend on the number of requests. The window moves in tenths of its length. Times may
/// come a little out of order, as they do from several workers.
package struct RequestBudget: Sendable {
    /// The share of the window's requests, in percent.
    private let percent: Int
    /// Extra attempts in a window that are granted in any case, so that a server with few requests has some.
    private let minimum: Int
    private let slotNanoseconds: Int64

    private var requests = Counts(repeating: 0)
    private var extras = Counts(repeating: 0)
    private var requestsSum = 0
    private var extrasSum = 0
    /// The slot of the last time that was told, counted from the clock's start.
    private var current: Int64 = 0

    private typealias Counts = [10 of Int]

    init(percent: Int, minimum: Int, window: Duration) {
        self.percent = percent
        self.minimum = minimum
        slotNanoseconds = max(window.nanoseconds / 10, 1)
    }

    /// For retries: a share of the last 10 seconds' requests, and 3 in any case.
    ///
    /// - Parameter percent: the share; 0 allows none.
    package static func retries(percent: Int = 20) -> RequestBudget {
        RequestBudget(percent: percent, minimum: percent > 0 ? 3 : 0, window: .seconds(10))
    }

    /// For hedges: a share of the last minute's requests, and 1 in any case. In a shorter window a share of a few requests would be
    /// no whole hedge.
    ///
    /// - Parameter percent: the share; 0 allows none.
    package static func hedges(percent: Int = 10) -> RequestBudget {
        RequestBudget(percent: percent, minimum: percent > 0 ? 1 : 0, window: .seconds(60))
    }

    /// Counts a request, once, however many attempts it takes.
    package mutating func noteRequest(at now: Instant) {
        advance(to: now)
        requests[slot] += 1
        requestsSum += 1
    }

    /// Whether one more attempt may be made; then it is counted.
    package mutating func take(at now: Instant) -> Bool {
        advance(to: now)
        guard extrasSum < max(minimum, requestsSum * percent / 100) else { return false }
        extras[slot] += 1
        extrasSum += 1
        return true
    }

    private var slot: Int { Int(current % 10) }

    /// Forgets what the window has left behind.
    private mutating func advance(to now: Instant) {
        let target = now.nanoseconds / slotNanoseconds
        guard target > current else { return }
        current = max(current, target - 10)
        while current < target {
            current += 1
            requestsSum -= exchange(&requests[slot], with: 0)
            extrasSum -= exchange(&extras[slot], with: 0)
        }
    }
}
