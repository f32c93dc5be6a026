// How long a process has said nothing.

/// Counts how long nothing was heard of a process, in the master's own ticks: a machine or a master that stood still for a while has
/// heard nothing, and that is nobody's fault.
struct Silence {
    /// After which it counts as hanging.
    let limit: Duration
    private(set) var length = Duration.zero

    init(limit: Duration) { self.limit = limit }

    /// Something was heard.
    mutating func end() { length = .zero }

    /// A tick has come.
    ///
    /// - Parameters:
    ///   - time: since the last one.
    ///   - period: of the ticks, which is the most that one counts.
    /// - Returns: whether it is over the limit.
    mutating func tick(after time: Duration, period: Duration) -> Bool {
        length += min(time, period)
        return length > limit
    }
}
