// How tests wait for what threads find.

import Clock
import Dispatch
import Synchronization

/// A value that threads change and tests await: no test sleeps and looks again.
package final class Observed<Value: Sendable>: Sendable {
    private struct State {
        var value: Value
        var waiters: [UInt64: Waiter] = [:]
        var waitersEver: UInt64 = 0
    }

    private struct Waiter: Sendable {
        /// Resumes the waiting test when the value satisfies it, and says whether it did.
        let look: @Sendable (Value) -> Bool
        let giveUp: @Sendable (Value) -> Void
    }

    private let state: Mutex<State>

    package init(_ value: Value) {
        state = Mutex(State(value: value))
    }

    package var value: Value { state.withLock { $0.value } }

    @discardableResult
    package func update<Result: Sendable>(_ change: (inout Value) -> Result) -> Result {
        state.withLock { state in
            let result = change(&state.value)
            for (key, waiter) in state.waiters where waiter.look(state.value) { state.waiters[key] = nil }
            return result
        }
    }

    /// Waits until `condition` returns something, and returns that.
    ///
    /// - Parameters:
    ///   - what: names the awaited thing in the error.
    ///   - limit: a generous deadline that fails the test; it is no measurement.
    /// - Throws: ``DeadlinePassed``, or what `condition` throws (it can then never be satisfied).
    package func wait<Result: Sendable>(
        for what: String, within limit: Duration = .seconds(120),
        until condition: @escaping @Sendable (Value) throws -> Result?
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let waiter = Waiter(
                look: { value in
                    do {
                        guard let result = try condition(value) else { return false }
                        continuation.resume(returning: result)
                    } catch {
                        continuation.resume(throwing: error)
                    }
                    return true
                },
                giveUp: { value in
                    continuation.resume(throwing: DeadlinePassed(what: what, limit: limit, last: describe(value)))
                })
            add(waiter, limit: limit)
        }
    }

    /// Waits until the value satisfies `condition`.
    package func wait(
        for what: String, within limit: Duration = .seconds(120), where condition: @escaping @Sendable (Value) throws -> Bool
    ) async throws {
        try await wait(for: what, within: limit) { try condition($0) ? () : nil }
    }

    private func add(_ waiter: Waiter, limit: Duration) {
        let key: UInt64? = state.withLock { state in
            if waiter.look(state.value) { return nil }
            state.waitersEver += 1
            state.waiters[state.waitersEver] = waiter
            return state.waitersEver
        }
        guard let key else { return }
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(limit.milliseconds)) { [weak self] in
            self?.expire(key)
        }
    }

    private func expire(_ key: UInt64) {
        state.withLock { state in
            guard let waiter = state.waiters.removeValue(forKey: key) else { return }
            waiter.giveUp(state.value)
        }
    }
}

/// What a test waited for did not happen.
package struct DeadlinePassed: Error, CustomStringConvertible {
    package let what: String
    package let limit: Duration
    package let last: String

    package var description: String { "waited \(limit) for \(what); the last state was \(last)" }
}

private func describe(_ value: some Sendable) -> String {
    let text = String(describing: value)
    return text.utf8.count <= 2_000 ? text : "\(text.prefix(1_000)) … \(text.suffix(1_000))"
}

extension Duration {
    package var milliseconds: Int {
        let (seconds, attoseconds) = components
        return Int(seconds) * 1_000 + Int(attoseconds / 1_000_000_000_000_000)
    }
}
