// When a process is started again.

/// How long a place waits for another process. It never gives up.
struct RestartPlan {
    /// A process that lived for so long is not what keeps dying.
    static let goodLife = Duration.seconds(10)
    private static let (waitMin, waitMax) = (Duration.milliseconds(100), Duration.seconds(30))

    /// How many have died one soon after the other.
    private var deaths = 0

    /// One has died.
    ///
    /// - Parameter life: how long it was there.
    /// - Returns: how long the next one is waited for: not at all for the first time.
    mutating func wait(afterLife life: Duration) -> Duration {
        if life >= Self.goodLife { deaths = 0 }
        defer { deaths += 1 }
        guard deaths > 0 else { return .zero }
        return min(Self.waitMin * (1 << min(deaths - 1, 20)), Self.waitMax)
    }
}
