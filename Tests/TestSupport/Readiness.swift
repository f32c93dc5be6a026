// How tests wait for a server, and for their turn to start one.

extension ChildProcess {
    /// Waits until a server accepts a connection.
    ///
    /// - Throws: ``NotListening`` when it exits or the time is up.
    package func accepts(within limit: Duration = .seconds(30), _ connect: () throws -> Socket) async throws {
        let deadline = ContinuousClock.now + limit
        while true {
            do {
                _ = try connect()
                return
            } catch {
                guard exit.value == nil, ContinuousClock.now < deadline else {
                    throw NotListening(program: name, exit: exit.value, errors: errors.value.text)
                }
            }
            // No event tells that another process has begun to listen.
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    package struct NotListening: Error {
        package let program: String
        package let exit: Exit?
        package let errors: String
    }
}

/// At most so many at once: each site is four processes, and the machine may have two cores.
actor Slots {
    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) {
        free = count
    }

    func take() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func giveBack() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
