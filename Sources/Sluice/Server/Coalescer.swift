// What many ask for is done once for all of them.

import EventLoop

/// Does a thing again and again, one time after the other. What has not begun yet will find what is there then, and so serves all who ask
/// meanwhile: however many they are, it is done for the first of them, and once more for all the others.
actor Coalescer<Value: Sendable> {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private let work: @Sendable () async -> Value
    /// The time that began last, or is about to.
    private var last: Task<Void, Never>?
    /// What comes of one that has not begun, for whoever asks.
    private var next: Awaited<Value>?

    /// - Parameters:
    ///   - loop: on which all is done.
    ///   - work: what is done.
    init(on loop: EventLoop, _ work: @escaping @Sendable () async -> Value) { (self.loop, self.work) = (loop, work) }

    /// Has it done once more, whether or not anybody waits for what comes of it.
    ///
    /// - Returns: what comes of it.
    func ask() -> Awaited<Value> {
        if let next { return next }
        let value = Awaited<Value>()
        last = Task(executorPreference: loop) { [last, work] in
            await last?.value
            await self.begins()
            value.come(await work())
        }
        next = value
        return value
    }

    private func begins() { next = nil }
}
