// Where a caller's time goes until the first token.

import Chat
import Clock

/// Where the time went until the first token, or until nobody waited for it any more.
struct FirstTokenWait {
    /// Who was asked last, or in whose queue it waited last.
    let upstream: String?
    /// How often upstreams were asked. Waiting for a place is no asking.
    let attemptsCount: Int
    let total: Duration
    /// For the hook, ahead of all of them; nil where none was asked.
    var hook: Duration?
    /// For a place at upstreams that were asked as much as they may be.
    var queue = Duration.zero
    /// For the last attempt's connection.
    var connect = Duration.zero
    /// For the last attempt's upstream, from then on.
    var waiting = Duration.zero
    /// From the request to the last attempt, but for hook and queue: earlier attempts, and the pauses between them.
    var retries = Duration.zero
    /// Whether it waited for a place last, and got none.
    var isWithoutPlace = false
}

extension FirstTokenWait {
    /// The value of `Server-Timing` (W3C Server Timing §2). What earlier attempts took is in none of its parts.
    func serverTiming(added: Duration) -> String {
        var parts = [("queue", queue), ("connect", connect), ("upstream", waiting), ("sluice", added)]
        if let hook { parts.insert(("hook", hook), at: 0) }
        var bytes = LineBytes()
        for (index, (name, duration)) in parts.enumerated() {
            bytes.append(index == 0 ? "" : ", ")
            bytes.append(name)
            bytes.append(";dur=")
            bytes.append(milliseconds: duration)
        }
        return String(decoding: bytes.bytes, as: UTF8.self)
    }
}

/// Takes the times of one request's attempts, for a `FirstTokenWait`.
struct FirstTokenClock {
    private let start: Instant
    private let hookTime: Duration?
    private var queuedSince: Instant?
    /// Of all attempts.
    private var queueTime = Duration.zero
    /// The target in whose queue an attempt waits, or has waited without getting a place.
    private var queuedFor: Target?
    private var attemptsCount = 0
    /// The attempt that has won, else the last that asked a target, whatever has become of it.
    private var last: (target: Target, start: Instant, connectTime: Duration)?

    /// - Parameters:
    ///   - start: when the request came.
    ///   - hook: what the hook took from then on; nil where none was asked.
    init(from start: Instant, hook: Duration? = nil) { (self.start, hookTime) = (start, hook) }

    /// An attempt waits for its place from now on.
    mutating func queued(at now: Instant, for target: Target) { (queuedSince, queuedFor) = (now, target) }

    /// An attempt asks its upstream.
    mutating func hasPlace() { queuedFor = nil }

    /// It does not any more, with a place or without.
    ///
    /// - Returns: for how long it has waited.
    mutating func leftQueue(at now: Instant) -> Duration {
        guard let since = queuedSince.take() else { return .zero }
        queueTime += now - since
        return now - since
    }

    /// An attempt has ended, or has won: those that it has beaten do not count then.
    mutating func note(_ attempt: Attempt, hasWon: Bool = false) {
        attemptsCount += 1
        if hasWon { queuedFor = nil }
        guard hasWon || attempt.start >= last?.start ?? start else { return }
        last = (attempt.target, attempt.start, attempt.stream.connectTime)
    }

    /// How long it has taken until now, and what of that each step had.
    func wait(until now: Instant) -> FirstTokenWait {
        var wait = FirstTokenWait(
            upstream: (queuedFor ?? last?.target)?.upstreamName, attemptsCount: attemptsCount, total: now - start)
        (wait.hook, wait.queue) = (hookTime, queueTime)
        let ahead = queueTime + (hookTime ?? .zero)
        if queuedFor != nil {
            wait.isWithoutPlace = true
            wait.retries = max(.zero, wait.total - ahead)
        } else if let last {
            wait.connect = last.connectTime
            wait.waiting = max(.zero, now - last.start - last.connectTime)
            wait.retries = max(.zero, last.start - start - ahead)
        }
        return wait
    }
}
