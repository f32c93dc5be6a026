// The master: it holds the sockets, and has processes serve.

import Clock
import EventLoop
import FastCGI
import Glibc
import Logging
import Settings
import Synchronization

/// Starts the processes, starts another in the place of one that has ended, hands on what it is told, and ends when all of them have.
///
/// It answers no request, speaks to no upstream, and reads no settings: a process does that, and leaves a record. So there is little by
/// which it could end. `MasterProcesses.swift` has what becomes of processes, `MasterReload.swift` reloads, `MasterControl.swift` what the
/// control socket is answered.
actor Master {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    let log: Log
    let logger: Logger
    let manager: ServiceManager?
    private let control: ControlServer?
    /// Those that web servers connect to; none any more when all ends.
    private(set) var sockets: [ListeningSocket]
    let counts: SharedCounts
    let clients: ClientCounts
    let metrics: Metrics
    /// What all processes have their settings from; or are to have.
    var record: MemoryFile
    /// The number of those settings: 1 for those of the start, and one more with each reload.
    var generation = 1
    var drain: Duration
    var places: ProcessPlaces
    /// Of the places that wait for another process.
    var restartTimers: [Int: Timer] = [:]
    let start = (time: secondsSince1970(), moment: Instant.current)
    var lastReload: Status.Reload?
    private(set) lazy var reloads = Coalescer(on: loop) { [unowned self] in await reloadOnce() }
    private(set) lazy var statusPages = Dictionary(
        uniqueKeysWithValues: StatusForm.all.map { form in
            (form, Coalescer(on: loop) { [unowned self] in await makeStatus(form) })
        })
    private var signals: SignalWatch?
    private(set) var isEnding = false
    /// Whether a process has ended, after the end began, that had requests still.
    var hasBrokenOff = false
    /// When all requests of all processes are over, at the end; it does not come when some were broken off.
    let ended = OneTimeEvent()
    /// 0, or what the program ends with after a second signal.
    private nonisolated let exitStatus = Atomic<Int32>(0)
    private var endTimer: Timer?
    private var ticker: Timer?
    private var lastTick = Instant.current
    var hasBeenReady = false
    /// Woken when a process begins to serve, or has ended, and when all is to end.
    private var watchers: [Wakeup] = []

    /// After which silence a process counts as hanging, when nobody says anything else.
    static let watchdogTimeout = Duration.seconds(30)
    /// The same of one that starts, of which nothing is heard until it serves: on a busy machine many may start at once.
    static let startTimeout = Duration.seconds(120)

    // MARK: Start

    /// Has processes serve; returns when all have ended after a signal.
    ///
    /// - Parameter makeRecord: called once, for the record of what the settings were made of. Nobody else is to have it: after a reload it is
    ///   to be gone.
    /// - Returns: the status to end with.
    /// - Throws: `ListenError` when an address cannot be used, `SystemError` when the machine has no more threads or descriptors.
    static func run(_ settings: Settings, _ log: Log, makeRecord: () throws -> MemoryFile) throws -> Int32 {
        // Before there is a socket to connect to: a signal that comes early waits until it is watched for.
        _ = signal(SIGCHLD, SIG_DFL)
        try SignalWatch.block(ServerSignals.all + [SIGCHLD])
        try raiseDescriptors(for: settings, log.logger)
        let master = try Master(settings, log, record: makeRecord())
        releaseCode()
        Task(executorPreference: master.loop) { await master.begin(settings) }
        master.loop.run()
        let status = master.exitStatus.load(ordering: .relaxed)
        if status == 0 { log.logger.drained() }
        log.flush(within: .seconds(1))
        return status
    }

    private init(_ settings: Settings, _ log: Log, record: MemoryFile) throws {
        let loop = try EventLoop()
        (self.loop, self.log, self.record, logger) = (loop, log, record, log.logger)
        loop.onDefect = { [logger = log.logger] in logger.loopDefect($0) }
        manager = ServiceManager.take()
        sockets = try openSockets(settings, logger)
        places = ProcessPlaces(count: settings.processes)
        let message = MasterMessage.begin(ProcessStart(place: 0, slot: 0, generation: 1, period: .zero, sockets: sockets))
        // The record, the counts, those of clients and the metrics go along with the sockets.
        let descriptorsCount = sockets.count + MasterLink.othersCount
        guard descriptorsCount <= MessageSocket.descriptorsMax, message.text.utf8.count + 64 <= MessageSocket.bytesMax else {
            throw ListenError.tooManySockets
        }
        // From now on, since the kernel may have to load what answers.
        ListeningSocket.prepareQueues(of: sockets)
        control = try settings.control.map { try ControlServer(at: $0, on: loop) }
        counts = try SharedCounts(count: places.slotsCount)
        clients = try ClientCounts(slotsCount: places.slotsCount)
        metrics = Metrics(try MetricTable(passedOn: places.slotsCount))
        drain = settings.timeouts.drain
    }

    private func begin(_ settings: Settings) {
        do {
            signals = try SignalWatch(ServerSignals.all + [SIGCHLD], on: loop) { [unowned self] in received(signal: $0) }
            try control?.start(self)
        } catch {
            logger.masterFailed("\(error)")
            exitStatus.store(1, ordering: .relaxed)
            return loop.stop()
        }
        logger.serving(settings)
        // All at once, however many: one that does not come to be, or takes its time, is to keep no other from serving.
        for place in places.indices { fill(place) }
        tick()
    }

    /// What the process in a place is told of itself.
    func processStart(place: Int, slot: Int) -> ProcessStart {
        ProcessStart(place: place, slot: slot, generation: generation, period: period, sockets: sockets)
    }

    // MARK: Signals and the end

    private func received(signal: Int32) {
        if signal == SIGCHLD { return reap() }
        if ServerSignals.ending.contains(signal) { return end(by: signal) }
        if signal == ServerSignals.reopening, reopenLogs() { return }
        guard ServerSignals.reloading.contains(signal), !isEnding else { return logger.ignored(signal: signal) }
        Task(executorPreference: loop) { await self.reload() }
    }

    /// - Returns: whether they are to go to a file.
    func reopenLogs() -> Bool {
        // Where its own log is to go, those of the processes are, wherever each of them goes now.
        guard log.reopen() else { return false }
        for process in places.all { process.reopenLog() }
        return true
    }

    func end(by signal: Int32) {
        guard !isEnding else { return endAtOnce(by: signal) }
        isEnding = true
        changed()
        for socket in sockets { socket.removePath() }
        // Nobody accepts by these but the processes, and each until it has taken what waits.
        sockets = []
        control?.removePath()
        manager?.stopping()
        logger.draining(drain)
        for timer in restartTimers.values { timer.cancel() }
        restartTimers = [:]
        for process in places.all { process.end() }
        // They keep to the limit by themselves, and have some time to break off what is left.
        killAll(after: drain + .seconds(10))
        reap()
    }

    /// All processes have ended.
    func finish() {
        // A second signal has broken requests off, or whatever has killed a process.
        if exitStatus.load(ordering: .relaxed) == 0, !hasBrokenOff { ended.come() }
        loop.stop()
    }

    /// - Parameter isAsked: whether the control socket was asked for that.
    func endAtOnce(by signal: Int32, isAsked: Bool = false) {
        let isThird = exitStatus.exchange(128 + signal, ordering: .relaxed) != 0
        if !isThird { isAsked ? logger.endingAtOnceAsAsked() : logger.endingAtOnce() }
        for process in places.all { isThird ? process.signal(SIGKILL) : process.end(atOnce: true) }
        killAll(after: .seconds(1))
    }

    private func killAll(after delay: Duration) {
        endTimer?.cancel()
        let timer = Timer(on: loop) { [unowned self] in
            for process in places.all { process.signal(SIGKILL) }
            // What does not even come to be is not waited for: it will find that there is nobody, and end.
            places.removeUnstarted()
            reap()
        }
        timer.set(at: .current + delay)
        endTimer = timer
    }

    // MARK: Watching

    /// Waits for something that comes of processes, or of the end.
    ///
    /// - Returns: whether it has come.
    func wait(until limit: Instant, for condition: () -> Bool) async -> Bool {
        let wakeup = Wakeup(on: loop)
        watchers.append(wakeup)
        defer { watchers.removeAll { $0 === wakeup } }
        while !condition(), .current < limit { await wakeup.wait(until: limit) }
        return condition()
    }

    /// Has those look again who wait for something.
    func changed() { for watcher in watchers { watcher.wake() } }

    /// After which silence a process that serves counts as hanging: before a service manager would take the whole for dead. A machine
    /// that is busy may take its time.
    var watchdogTimeout: Duration {
        min(Self.watchdogTimeout, manager?.watchdog.map { max($0 / 2, .seconds(1)) } ?? Self.watchdogTimeout)
    }

    /// How often processes tell of themselves, and this one looks.
    private var period: Duration { min(watchdogTimeout / 4, manager?.watchdog.map { $0 / 3 } ?? .seconds(1), .seconds(1)) }

    private func tick() {
        let now = Instant.current
        let time = now - exchange(&lastTick, with: now)
        for process in places.all where process.watchdog.tick(after: time, period: period) { killHanging(process) }
        metrics.linesLost(total: log.lostCount)
        manager?.alive()
        manager?.tellAgain()
        manager?.status(summary)
        let timer = ticker ?? Timer(on: loop) { [unowned self] in tick() }
        ticker = timer
        timer.set(at: .current + period)
    }

    private var summary: String {
        let serving = places.serving
        let streams = places.all.reduce(0) { $0 + $1.load.streams }
        let resting = serving.map(\.load.resting).max() ?? 0
        let upstreams = serving.first?.load.upstreams ?? 0
        return "\(counted(serving.count, "process", "processes")), "
            + loadWords(streams: streams, upstreams: upstreams, resting: resting) + (lastReload?.failureWords ?? "")
    }
}

extension ProcessStart {
    fileprivate init(place: Int, slot: Int, generation: Int, period: Duration, sockets: [ListeningSocket]) {
        self.init(
            place: place, slot: slot, generation: generation, period: period,
            sockets: sockets.map { Socket(isOwn: $0.isOwn, name: $0.name) })
    }
}

extension ServiceManager {
    /// Takes it out of this process's environment: no process that it starts is to speak for it.
    fileprivate static func take() -> ServiceManager? {
        let manager = ServiceManager(environmentVariable)
        for name in ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"] { _ = unsafe unsetenv(name) }
        return manager
    }
}
