// When a process is started again.

/// How long a place waits for another process. It never gives up.
struct RestartBackoff {
    /// A process that lived for so long is not what keeps dying.
    static let goodLife = Duration.seconds(10)
    /// The first delay after the one that is none, and the last.
    private static let (delayMin, delayMax) = (Duration.milliseconds(100), Duration.seconds(30))

    /// How many have died one soon after the other.
    private var deaths = 0

    /// One has died.
    ///
    /// - Parameter life: how long it was there.
    /// - Returns: how long the next one is waited for: not at all for the first time.
    mutating func delay(afterLife life: Duration) -> Duration {
        if life >= Self.goodLife { deaths = 0 }
        defer { deaths += 1 }
        guard deaths > 0 else { return .zero }
        return min(Self.delayMin * (1 << min(deaths - 1, 20)), Self.delayMax)
    }

    /// One could not even be started.
    ///
    /// - Returns: the same, but never zero.
    mutating func delayAfterFailure() -> Duration { max(delay(afterLife: .zero), Self.delayMin) }
}
