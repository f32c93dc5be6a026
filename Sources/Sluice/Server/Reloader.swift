// Reading the settings again: off the loops, and into force in all workers or in none.

import EventLoop
import HTTPClient
import Logging
import Settings

/// Puts one generation in the place of another while requests go on: those that run keep theirs, those that begin get the new one.
actor Reloader {
    /// What came of reading the settings.
    enum Outcome: Sendable {
        /// The new settings are in force, but for these keys, which only a start can change.
        ///
        /// - Parameter former: the end of the generation from before.
        case reloaded(unchanged: [String], former: GenerationEnd)
        /// Nothing has changed. Each sentence is one thing that is wrong.
        case failed([String])
    }

    /// Reads and checks all settings, on any thread.
    typealias Loading = @Sendable () throws(SettingsError) -> Settings

    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    /// What requests that begin now are served by.
    private(set) var generation: Generation
    private let workers: [Worker]
    private let counters: Counters
    private let load: Loading
    private let manager: ServiceManager?
    private let log: Log
    private let logger: Logger
    /// The reload that began last, or is about to.
    private var last: Task<Outcome, Never>?
    /// One that has not begun: it will read what is there then, and so serves all who ask meanwhile.
    private var waiting: Task<Outcome, Never>?

    /// - Parameters:
    ///   - generation: what the workers serve by.
    ///   - workers: at least one; reloads are seen to on the first one's loop.
    ///   - manager: told when a reload begins and ends.
    init(
        _ generation: Generation, in workers: [Worker], _ counters: Counters, _ manager: ServiceManager?, _ log: Log,
        load: @escaping Loading
    ) {
        (self.generation, self.workers, self.counters) = (generation, workers, counters)
        (self.load, self.manager, self.log, logger) = (load, manager, log, log.logger)
        loop = workers[0].loop
    }

    /// Reads the settings, and returns when all workers serve by them, or none does. What comes of it is logged.
    func reload() async -> Outcome {
        if let waiting { return await waiting.value }
        let task = Task(executorPreference: loop) { [last] in
            _ = await last?.value
            return await self.begin()
        }
        (last, waiting) = (task, task)
        return await task.value
    }

    private func begin() async -> Outcome {
        waiting = nil
        logger.reloading()
        manager?.reloading()
        defer { manager?.ready() }
        let outcome = await reloaded()
        switch outcome {
        case .reloaded(let unchanged, _): logger.reloaded(generation, unchanged: unchanged)
        case .failed(let problems): logger.reloadFailed(problems)
        }
        return outcome
    }

    private func reloaded() async -> Outcome {
        let next: Reading
        switch await read(following: generation) {
        case .success(let reading): next = reading
        case .failure(let error): return .failed(error.problems)
        }
        do {
            for worker in workers { try await worker.prepare(next.generation) }
            // It may have to wait for where it has gone so far.
            try await elsewhere { [log] in Result { try log.reconfigure(next.generation.settings.log) } }.get()
        } catch {
            for worker in workers { await worker.discard() }
            return .failed(["\(error)"])
        }
        next.generation.board.takeEffect()
        counters.follow(next.generation.settings.limits)
        for worker in workers { await worker.adopt() }
        let former = exchange(&generation, with: next.generation).end
        return .reloaded(unchanged: next.unchanged, former: former)
    }

    private typealias Reading = (generation: Generation, unchanged: [String])

    /// Files may be slow.
    private func read(following former: Generation) async -> Result<Reading, SettingsError> {
        do throws(SystemError) {
            return try await elsewhere { [load, logger] in Self.read(load, following: former, logger) }
        } catch {
            return .failure(SettingsError(problems: ["\(error)"]))
        }
    }

    /// Does something that may take its time on a thread of its own.
    ///
    /// - Throws: `SystemError` when the machine has no more threads.
    private func elsewhere<Made: Sendable>(_ make: @escaping @Sendable () -> Made) async throws(SystemError) -> Made {
        let made: Result<Made, SystemError> = await withCheckedContinuation { continuation in
            do throws(SystemError) {
                try startThread { continuation.resume(returning: .success(make())) }
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        return try made.get()
    }

    private static func read(_ load: Loading, following former: Generation, _ logger: Logger) -> Result<Reading, SettingsError> {
        var settings: Settings
        do throws(SettingsError) { settings = try load() } catch { return .failure(error) }
        let unchanged = settings.restoreStartOnlySettings(of: former.settings)
        do throws(HTTPError) {
            return .success((try Generation(settings, following: former, logger), unchanged))
        } catch {
            return .failure(SettingsError(problems: ["\(error)"]))
        }
    }
}
