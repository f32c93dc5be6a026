// The process: its workers, the sockets that they share, and the signals that it gets.

import Clock
import EventLoop
import FastCGI
import Glibc
import Logging
import Settings
import Synchronization

/// Reads and checks all settings, whose files are to be had in this way, on any thread.
typealias SettingsLoading = @Sendable (FileAccess) throws(SettingsError) -> LoadedSettings

/// The signals that have a meaning for a process that serves, or for its master.
enum ServerSignals {
    static let ending = [SIGTERM, SIGINT, SIGQUIT]
    static let reloading = [SIGHUP, SIGUSR2]
    static let reopening = SIGUSR1
    /// The kernel would end the process for each.
    private static let ignored = [SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR]
    /// Those that wait while a process starts. The others end a start, however slow it is.
    static let waiting = reloading + [reopening] + ignored
    static let all = ending + waiting
}

/// Raises the limit of descriptors as far as allowed, and tells when that is too low.
func raiseDescriptors(for settings: Settings, _ logger: Logger) throws(SystemError) {
    try raiseDescriptorLimit()
    let budget = try DescriptorBudget(settings)
    if !budget.isEnough { logger.fewDescriptors(budget.limit, needed: budget.needed, requests: settings.limits.requests) }
}

/// Opens the sockets that settings name, and tells what of the settings does not hold for them.
///
/// - Throws: as `ListeningSocket`.
func openSockets(_ settings: Settings, _ logger: Logger) throws -> [ListeningSocket] {
    let activation = SocketActivation.take()
    let sockets = try ListeningSocket.open(settings.listen, access: settings.socket, activation: activation)
    logger.listens(settings, sockets, unserved: activation.unserved(by: sockets))
    return sockets
}

/// Begins with `run`, which returns when a signal has ended it.
final class Server: Sendable {
    let log: Log
    let logger: Logger
    private let sockets: Mutex<[ListeningSocket]>
    /// None any more when it ends.
    var listeningSockets: [ListeningSocket] { sockets.withLock { $0 } }
    let workers: [Worker]
    let counters: Counters
    let manager = ServiceManager(environmentVariable)
    let reloader: Reloader
    /// Those that the control socket or a signal asks for.
    let reloads: Coalescer<ControlAnswer>
    private let control: ControlServer?
    /// Nil where this process is the only one.
    private let master: MasterLink?
    let load: SettingsLoading
    let isDraining = Atomic<Bool>(false)
    /// When all requests are over, at the end.
    let ended = OneTimeEvent()
    /// What is told of this process, from when it runs.
    let pages = Mutex<StatusPages?>(nil)
    private let start = (time: secondsSince1970(), moment: Instant.current)
    /// How this process does, for the metrics.
    let gauges: MetricGauges

    /// Serves on the calling thread and on one more per further worker; returns when all streams have ended after a signal.
    ///
    /// - Parameters:
    ///   - master: what has started this process to serve beside others, if it is not the only one.
    ///   - load: reads the settings again.
    /// - Throws: `ListenError` when an address cannot be used, `SystemError` when the machine has no more threads or descriptors,
    ///   `HTTPError` when a file that TLS needs cannot be used.
    static func run(_ settings: Settings, _ log: Log, for master: MasterLink? = nil, load: @escaping SettingsLoading) throws {
        let logger = log.logger
        // Before there is a socket to connect to: a signal that comes early waits until it is watched for.
        try SignalWatch.block(ServerSignals.all)
        returnLargeMemory()
        if master == nil { try raiseDescriptors(for: settings, logger) }
        releaseCode()
        Rehearsal.run(logger)
        let metrics = try master?.metrics ?? Metrics(try MetricTable())
        metrics.processStarted()
        let server = try Server(
            Generation(settings, number: master?.generation ?? 1, logger, metrics), metrics, log: log, master: master, load: load)
        try server.run(settings)
    }

    private init(
        _ generation: Generation, _ metrics: Metrics, log: Log, master: MasterLink?, load: @escaping SettingsLoading
    ) throws {
        let logger = log.logger
        (self.log, self.logger, self.master, self.load) = (log, logger, master, load)
        let settings = generation.settings
        let sockets = try master?.sockets(settings.socket) ?? openSockets(settings, logger)
        self.sockets = Mutex(sockets)
        ListeningSocket.prepareQueues(of: sockets)
        // libfcgi installs signal handlers when the first worker initializes it; ours come after that.
        let clients = try master?.clients ?? ClientCounts()
        let keeper = settings.budgetsFile.map { BudgetKeeper($0, clients, logger) }
        let counters = Counters(settings.limits, master?.requests, clients, keptBy: keeper, metrics)
        if generation.clients != nil { keeper?.start(waits: true) }
        self.counters = counters
        workers = try (0..<settings.workers).map { _ in
            try Worker(generation, logger: logger, log: RequestLog(log), counters: counters)
        }
        let loop = workers[0].loop
        control =
            try master == nil ? settings.control.flatMap { try Self.controlServer(at: $0, on: loop, settings, logger) } : nil
        reloader = Reloader(generation, in: workers, counters: counters, manager: manager, log: log) {
            () throws(SettingsError) in try FileAccess.load(load)
        }
        gauges = MetricGauges(metrics: metrics, counters: counters, reloader: reloader) { [log] in log.lostCount }
        reloads = Coalescer(on: loop) { [reloader, counters, manager] in await Self.reloadOnce(reloader, counters, manager) }
    }

    /// - Returns: nil where another one has its path that a web server has started with the same settings: it starts as many as it needs.
    private static func controlServer(
        at path: String, on loop: EventLoop, _ settings: Settings, _ logger: Logger
    ) throws -> ControlServer? {
        do { return try ControlServer(at: path, on: loop) } catch let error as ListenError {
            guard case .inUse = error, case [.inherited(0)] = settings.listen else { throw error }
            logger.controlIsTaken(error)
            return nil
        }
    }

    private func run(_ settings: Settings) throws {
        let first = workers[0]
        let signals = try SignalWatch(ServerSignals.all, on: first.loop) { [unowned self] in signalled($0) }
        let pages = StatusPages(
            StatusSource(
                workers: workers, counters: counters, reloader: reloader, start: start,
                sockets: { [unowned self] in listeningSockets },
                isDraining: { [unowned self] in isDraining.load(ordering: .relaxed) },
                lostLogLines: { [log] in log.lostCount },
                part: master.map { (place: $0.place + 1, count: settings.processes) }),
            gauges, on: first.loop)
        self.pages.withLock { $0 = pages }
        for worker in workers {
            worker.start(listeningSockets, pages)
            if worker !== first { try startThread(named: "worker") { worker.loop.run() } }
        }
        try control?.start(self)
        if let master { try serve(under: master) } else { logger.serving(settings) }
        if let manager {
            manager.ready(mayWait: true)
            Task(executorPreference: first.loop) { await self.report(to: manager) }
        }
        if settings.idleExit > .zero {
            Task(executorPreference: first.loop) { await self.endWhenIdle(for: settings.idleExit) }
        }
        first.loop.run()
        signals.cancel()
        counters.keeper?.end()
        if master == nil { logger.drained() }
        log.flush(within: .seconds(1))
    }

    private func signalled(_ number: Int32) {
        if ServerSignals.ending.contains(number) { return end(by: number) }
        if number == ServerSignals.reopening, log.reopen() { return }
        // All processes of a master have the same settings: it is the master that is told to read them again.
        guard ServerSignals.reloading.contains(number), master == nil, !isDraining.load(ordering: .relaxed) else {
            return logger.ignored(signal: number)
        }
        Task(executorPreference: workers[0].loop) { await self.reload() }
    }

    /// Where there is a master, it says when all is to end at once: a service manager may send its signals to it and to this one.
    func end(by signal: Int32) {
        guard !isDraining.exchange(true, ordering: .relaxed) else { return master == nil ? endAtOnce(by: signal) : () }
        closeSockets()
        manager?.stopping()
        master?.report(.stopping)
        Task(executorPreference: workers[0].loop) {
            await self.reloader.end()
            let limit = await self.reloader.generation.settings.timeouts.drain
            if self.master == nil { self.logger.draining(limit) }
            await withTaskGroup(of: Void.self) { group in
                for worker in self.workers {
                    group.addTask(executorPreference: worker.loop) { await worker.drain(within: limit) }
                }
            }
            self.ended.come()
            for worker in self.workers { worker.loop.stop() }
        }
    }

    /// - Parameter isAsked: whether the control socket was asked for that.
    func endAtOnce(by signal: Int32, isAsked: Bool = false) {
        if master == nil { isAsked ? logger.endingAtOnceAsAsked() : logger.endingAtOnce() }
        closeSockets()
        counters.keeper?.end()
        log.flush(within: .seconds(1))
        exit(128 + signal)
    }

    /// Tells how it does now and then, for as long as all loops turn. One that hangs keeps it from coming back.
    private func report(to manager: ServiceManager) async {
        let wakeup = Wakeup(on: workers[0].loop)
        // In time for the watchdog also when a turn is long.
        let period = manager.watchdog.map { $0 / 3 } ?? .seconds(10)
        while true {
            for worker in workers { await worker.turn() }
            manager.alive()
            manager.tellAgain()
            manager.status(await Self.summary(reloader, counters))
            await wakeup.wait(until: .current + period)
        }
    }

    /// For the service manager.
    static func summary(_ reloader: Reloader, _ counters: Counters) async -> String {
        let generation = await reloader.generation
        let resting = generation.board.restingCount(at: .current)
        let upstreams = generation.settings.upstreams.count
        return loadWords(streams: counters.active.now, upstreams: upstreams, resting: resting)
            + (await reloader.failureWords)
    }

    /// Nobody connects any more; the workers accept whoever has.
    private func closeSockets() {
        for socket in sockets.withLock({ exchange(&$0, with: []) }) { socket.removePath() }
        control?.removePath()
    }
}
