// How long nothing was heard of a process.

/// Counts how long nothing was heard of a process, in the master's own ticks: a machine or a master that stood still for a while has
/// heard nothing, and that is nobody's fault.
struct Watchdog {
    /// After which silence a process counts as hanging.
    let timeout: Duration
    private(set) var silence = Duration.zero

    init(timeout: Duration) { self.timeout = timeout }

    /// Something was heard.
    mutating func reset() { silence = .zero }

    /// A tick has come.
    ///
    /// - Parameters:
    ///   - time: since the last one.
    ///   - period: of the ticks, which is the most that one counts.
    /// - Returns: whether the process hangs.
    mutating func tick(after time: Duration, period: Duration) -> Bool {
        silence += min(time, period)
        return silence > timeout
    }
}
