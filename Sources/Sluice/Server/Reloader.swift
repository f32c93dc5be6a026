// Reading the settings again: off the loops, and into force in all workers or in none.

import Clock
import EventLoop
import Logging
import Settings

/// Puts one generation in the place of another while requests go on: those that run keep theirs, those that begin get the new one.
actor Reloader {
    /// What came of reading the settings.
    enum Outcome: Sendable {
        /// The new settings are in force.
        ///
        /// - Parameters:
        ///   - unchanged: the keys of what has changed too, and takes a restart.
        ///   - warnings: a sentence each.
        case reloaded(unchanged: [String], warnings: [String])
        /// Nothing has changed. Each line is one thing that is wrong, or says how many more there are.
        case failed([String])
        /// Nothing has changed, since the end has begun, or nobody waits for it any longer.
        case overtaken
    }

    /// Reads and checks all settings, on any thread.
    typealias Loading = @Sendable () throws(SettingsError) -> LoadedSettings

    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    /// What requests that begin now are served by.
    private(set) var generation: Generation
    /// What came of the last reload; nil when there was none.
    private(set) var lastReload: Status.Reload?
    private let workers: [Worker]
    private let counters: Counters
    private let load: Loading
    private let manager: ServiceManager?
    private let log: Log
    private let logger: Logger
    /// Those who want the settings read that `load` finds.
    private lazy var reloads = Coalescer(on: loop) { [unowned self, load] in await reload(isTold: true, by: load) }
    /// The reload that began last, or is about to.
    private var last: Task<Outcome, Never>?
    private var isEnding = false
    /// Of the generations that were in force once, and are not over as far as is known.
    private var formers: [OneTimeEvent] = []

    /// - Parameters:
    ///   - generation: what the workers serve by.
    ///   - workers: at least one; reloads are seen to on the first one's loop.
    ///   - manager: told when a reload begins and ends.
    init(
        _ generation: Generation, in workers: [Worker], counters: Counters, manager: ServiceManager?, log: Log,
        load: @escaping Loading
    ) {
        (self.generation, self.workers, self.counters) = (generation, workers, counters)
        (self.load, self.manager, self.log, logger) = (load, manager, log, log.logger)
        loop = workers[0].loop
    }

    /// Reads the settings, and returns when all workers serve by them, or none does. What comes of it is logged.
    ///
    /// - Returns: nil when the task was cancelled meanwhile, which ends no reload.
    func reload() async -> Outcome? { await reloads.ask().value() }

    /// The same in its turn, with settings from elsewhere, for this caller alone. When its task is cancelled before the settings are in
    /// force they do not come into force any more: whoever asked has gone on without them.
    ///
    /// - Parameter isTold: whether the log tells when it goes well; another process may have told it.
    func reload(isTold: Bool, by load: @escaping Loading) async -> Outcome {
        let task = Task(executorPreference: loop) { [last] in
            _ = await last?.value
            return await self.reloadOnce(by: load, isTold: isTold)
        }
        last = task
        return await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// The ends of those generations from before that some request may still have.
    var formerEnds: [OneTimeEvent] { formers }

    /// None is in force from now on, also one that is being read.
    func end() { isEnding = true }

    /// For the service manager's status, behind what else it says; empty when the last reload is in force.
    var failureWords: String { lastReload?.failureWords ?? "" }

    // MARK: A reload, step by step

    /// As many mistakes are logged: the log has room for others' lines beside them.
    private static let loggedMax = 100

    private func reloadOnce(by load: @escaping Loading, isTold: Bool) async -> Outcome {
        // It may have waited for its turn.
        guard isWanted else { return .overtaken }
        if isTold { logger.reloading() }
        manager?.reloading()
        defer { manager?.ready() }
        do {
            let reading = try await read(load)
            try await putInForce(reading.generation)
            lastReload = Status.Reload(
                time: secondsSince1970(), isInForce: true, remarks: Outcome.remarks(reading.unchanged, reading.warnings))
            if isTold { logger.reloaded(reading) }
            return .reloaded(unchanged: reading.unchanged, warnings: reading.warnings)
        } catch {
            let failure = Self.failure(error)
            logger.reloadFailed(failure.lines(for: Self.loggedMax))
            guard isWanted else { return .overtaken }
            lastReload = Status.Reload(time: secondsSince1970(), isInForce: false, problems: failure.lines)
            return .failed(failure.lines)
        }
    }

    /// What reading the settings has given.
    struct Reading {
        let generation: Generation
        /// The keys of what has changed, and takes a restart.
        let unchanged: [String]
        /// A sentence each.
        let warnings: [String]
    }

    /// Files may be slow.
    private func read(_ load: @escaping Loading) async throws -> Reading {
        try await runOnThread { [generation, logger] in try Self.read(load, replacing: generation, logger) }
    }

    /// - Throws: `SettingsError`, and `HTTPError` when a file that TLS needs cannot be used, though it could a moment before.
    private static func read(_ load: Loading, replacing former: Generation, _ logger: Logger) throws -> Reading {
        let loaded = try load()
        var settings = loaded.settings
        // At a start it is a welcome; here a file has lost its content, or is being written.
        if loaded.isDemoForWant, former.settings.upstreams.contains(where: { $0.kind != .demo }) {
            throw SettingsError(problems: ["no upstream is named any more: is the settings file empty?"])
        }
        let unchanged = settings.restoreStartOnlySettings(of: former.settings)
        let generation = try Generation(settings, replacing: former, logger)
        return Reading(generation: generation, unchanged: unchanged, warnings: loaded.warnings)
    }

    /// Has all workers serve by the next generation.
    ///
    /// - Throws: `SettingsError` that says why none does: all is as it was.
    private func putInForce(_ next: Generation) async throws(SettingsError) {
        let settings = next.settings
        let descriptors: DescriptorBudget
        do {
            try checkIsWanted()
            try checkFileSizeLimit(for: settings)
            descriptors = try DescriptorBudget(settings)
            try await changeLog(to: settings.log)
            for worker in workers { try await worker.prepare(next) }
            // Also after all that has taken its time.
            try checkIsWanted()
        } catch {
            var failure = Self.failure(error)
            for worker in workers { await worker.discard() }
            do { try await changeLog(to: generation.settings.log) } catch { failure.problems += Self.failure(error).problems }
            throw failure
        }
        next.board.takeEffect()
        counters.apply(settings.limits)
        if next.clients != nil { counters.keeper?.start() }
        if !descriptors.isEnough {
            logger.fewDescriptors(descriptors.limit, needed: descriptors.needed, requests: settings.limits.requests)
        }
        for worker in workers { await worker.adopt() }
        formers.append(exchange(&generation, with: next).end)
        formers.removeAll(where: \.hasCome)
    }

    private var isWanted: Bool { !isEnding && !Task.isCancelled }

    private func checkIsWanted() throws(SettingsError) {
        if isEnding { throw SettingsError(problems: ["it is about to end"]) }
        if Task.isCancelled { throw SettingsError(problems: ["it is late: the master has gone on without it"]) }
    }

    private static func failure(_ error: any Error) -> SettingsError {
        (error as? SettingsError) ?? SettingsError(problems: ["\(error)"])
    }

    /// Has the log go by other settings. It may have to wait for where it has gone so far.
    private func changeLog(to settings: Settings.Log) async throws {
        do { try await log.reconfigureElsewhere(settings) } catch {
            throw SettingsError(problems: ["log.to: the log cannot be written: \(error)"])
        }
    }
}
