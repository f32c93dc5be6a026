// What many ask for is done once for all of them.

import EventLoop

/// Does a thing again and again, one time after the other. What has not begun yet will find what is there then, and so serves all who ask
/// meanwhile: however many they are, it is done for the first of them, and once more for all the others.
actor Coalescer<Value: Sendable> {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    /// The time that began last, or is about to.
    private var last: Task<Value, Never>?
    /// One that has not begun, for whoever asks.
    private var next: Task<Value, Never>?

    /// - Parameter loop: on which all is done.
    init(on loop: EventLoop) { self.loop = loop }

    /// What comes of the next time.
    ///
    /// - Parameter work: the same for all who ask.
    func run(_ work: @escaping @Sendable () async -> Value) async -> Value {
        if let next { return await next.value }
        let task = Task(executorPreference: loop) { [last] in
            _ = await last?.value
            await self.begins()
            return await work()
        }
        (last, next) = (task, task)
        return await task.value
    }

    /// What comes of something else, which is done in its turn, for this caller alone.
    func runAlone(_ work: @escaping @Sendable () async -> Value) async -> Value {
        let task = Task(executorPreference: loop) { [last] in
            _ = await last?.value
            return await work()
        }
        last = task
        return await task.value
    }

    private func begins() { next = nil }
}
