// What Sluice itself adds to a caller's wait.

import Clock

/// How long a request has waited for nobody but this process: neither for an upstream nor in its queue.
struct OwnTime {
    /// Since when; nil while others are waited for.
    private var since: Instant?
    private(set) var total = Duration.zero

    /// - Parameter start: when the request was there.
    init(from start: Instant) { since = start }

    /// - Parameter isOthers: whether others are waited for from now on.
    mutating func waits(forOthers isOthers: Bool) {
        guard isOthers == (since != nil) else { return }
        // The loop's clock stands still while it works.
        let now = Instant.current
        if let start = since.take() { total += now - start } else { since = now }
    }
}
