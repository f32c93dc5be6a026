// How long an attempt may go on alone.

/// When another target is asked beside one that has sent no first token (`hedge_after`).
package enum HedgeDelay: Equatable, Sendable {
    /// A time from the attempt's start.
    case after(Duration)
    /// A percentile of the target's recent first-token times, in 1...99.
    case percentile(Int)

    /// - Parameter times: the target's; looked at for a percentile alone.
    /// - Returns: nil while they are too few for a percentile: nothing is hedged yet.
    package func duration(by times: FirstTokenTimes) -> Duration? {
        switch self {
        case .after(let duration): duration
        case .percentile(let percent): times.percentile(percent)
        }
    }
}
