// How a loop's task is cancelled: at once, on the loop's own thread.

extension EventLoop {
    /// Runs `operation`; when its task is or becomes cancelled, `onCancel` runs at once, on this loop's thread.
    ///
    /// - Precondition: tasks that run on a loop are cancelled on that loop.
    package func withCancellation<Result>(
        _ operation: nonisolated(nonsending) () async throws -> Result, onCancel: @escaping () -> Void
    ) async rethrows -> Result {
        let handler = LoopBound(action: onCancel)
        return try await withTaskCancellationHandler(operation: operation) {
            checkIsolated()
            handler.action()
        }
    }
}

/// An action that was made on a loop's thread and is run there only, however it travels.
private struct LoopBound: @unchecked Sendable {
    let action: () -> Void
}
