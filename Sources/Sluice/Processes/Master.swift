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
/// which it could end.
actor Master {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    /// Where there is to be a process.
    private struct Place {
        var process: ServingProcess?
        var plan = RestartPlan()
        /// Set while the next one is waited for.
        var restart: Timer?
    }

    private let log: Log
    let logger: Logger
    private let control: ControlServer?
    let manager: ServiceManager?
    private var sockets: [ListeningSocket]
    private let counts: SharedCounts
    private let firstRecord: MemoryFile
    /// What all processes have their settings from; or are to have.
    private var record: MemoryFile
    /// Whether the next process that starts reads the files anew, since none could be asked to.
    private var isRecordStale = false
    private var drain: Duration
    private var places: [Place]
    /// Those that end, while another one is in their place.
    private var leaving: [ServingProcess] = []
    private var restarts = 0
    private let start = (time: secondsSince1970(), moment: Instant.current)
    private var lastReload: Status.Reload?
    /// The reload that began last, or is about to.
    private var last: Task<ControlAnswer, Never>?
    /// One that has not begun: it will read what is there then, and so serves all who ask meanwhile.
    private var waiting: Task<ControlAnswer, Never>?
    private var signals: SignalWatch?
    private var isEnding = false
    /// 0, or what the program ends with after a second signal.
    private nonisolated let exitStatus = Atomic<Int32>(0)
    private var endTimer: Timer?
    private var ticker: Timer?
    private var lastTick = Instant.current
    private var hasBeenReady = false

    /// After which silence a process counts as hanging, when nobody says anything else, and while it starts.
    private static let silenceMax = Duration.seconds(30)

    // MARK: Start

    /// Has processes serve; returns when all have ended after a signal.
    ///
    /// - Parameter record: of the files that the settings were made of.
    /// - Returns: the status to end with.
    /// - Throws: `ListenError` when an address cannot be used, `SystemError` when the machine has no more threads or descriptors.
    static func run(_ settings: Settings, _ log: Log, _ record: SettingsRecord) throws -> Int32 {
        // Before there is a socket to connect to: a signal that comes early waits until it is watched for.
        _ = signal(SIGCHLD, SIG_DFL)
        try SignalWatch.block(ServerSignals.all + [SIGCHLD])
        try raiseDescriptors(for: settings, log.logger)
        let master = try Master(settings, log, record)
        releaseCode()
        Task(executorPreference: master.loop) { await master.begin(settings) }
        master.loop.run()
        let status = master.exitStatus.load(ordering: .relaxed)
        if status == 0 { log.logger.drained() }
        log.flush(within: .seconds(1))
        return status
    }

    private init(_ settings: Settings, _ log: Log, _ settingsRecord: SettingsRecord) throws {
        let loop = try EventLoop()
        (self.loop, self.log, logger) = (loop, log, log.logger)
        loop.onDefect = { [logger = log.logger] in logger.loopDefect($0) }
        manager = ServiceManager.take()
        sockets = try openSockets(settings, logger)
        control = try settings.control.map { try ControlServer(at: $0, on: loop) }
        // As many again as there are places: those that end, while others are in theirs.
        counts = try SharedCounts(count: 2 * settings.processes)
        let record = try MemoryFile("sluice settings")
        try record.write(settingsRecord.bytes)
        (firstRecord, self.record, drain) = (record, record, settings.timeouts.drain)
        places = (0..<settings.processes).map { _ in Place() }
    }

    private func begin(_ settings: Settings) {
        do {
            signals = try SignalWatch(ServerSignals.all + [SIGCHLD], on: loop) { [unowned self] in signalled($0) }
            try control?.start { [self] in await answer($0, $1) }
        } catch {
            logger.masterFailed("\(error)")
            exitStatus.store(1, ordering: .relaxed)
            return loop.stop()
        }
        logger.serving(settings)
        for place in places.indices { startProcess(at: place) }
        tick()
    }

    // MARK: Processes

    private var processes: [ServingProcess] { places.compactMap(\.process) + leaving }

    private func startProcess(at place: Int) {
        places[place].restart = nil
        guard !isEnding else { return }
        let used = processes.map(\.slot)
        do throws(SystemError) {
            guard let slot = (0..<counts.count).first(where: { !used.contains($0) }) else {
                // So many end by themselves that the next one has to wait for them.
                throw SystemError("a place", code: EAGAIN)
            }
            let record = isRecordStale ? try MemoryFile("sluice settings") : record
            let process = try ServingProcess(
                .begin(place: place, slot: slot, period: period, ownSockets: sockets.map(\.isOwn)), place: place, slot: slot,
                record: record, firstRecord: firstRecord, [counts.number] + sockets.map(\.number),
                silence: Silence(limit: Self.silenceMax), on: loop)
            let number = process.number
            process.onReport = { [unowned self] in heard($0, from: number) }
            isRecordStale = false
            places[place].process = process
            logger.processStarted(process)
        } catch {
            let wait = places[place].plan.wait(afterLife: .zero)
            logger.processNotStarted(place, error, again: wait)
            restart(place, after: max(wait, .milliseconds(100)))
        }
    }

    private func restart(_ place: Int, after wait: Duration) {
        if wait == .zero { return startProcess(at: place) }
        let timer = Timer(on: loop) { [unowned self] in startProcess(at: place) }
        places[place].restart = timer
        timer.set(at: .current + wait)
    }

    private func heard(_ report: ProcessReport, from number: pid_t) {
        guard let process = processes.first(where: { $0.number == number }) else { return }
        process.silence.end()
        switch report {
        case .alive(let load): process.load = load
        case .ready where process.state == .starting:
            process.state = .serving
            process.silence = Silence(limit: silenceLimit)
            if process.readsAnew, take(process.record, of: process) {
                lastReload = Status.Reload(time: secondsSince1970(), problems: [])
                Task(executorPreference: loop) { await self.spread() }
            }
            logger.processServes(process)
            if !hasBeenReady, places.allSatisfy({ $0.process?.state == .serving }) {
                hasBeenReady = true
                manager?.ready()
            }
        case .ready: break
        case .stopping:
            process.state = .ending
            guard !isEnding, places[process.place].process === process else { return }
            logger.processLeaves(process)
            replace(process)
        }
    }

    /// Has another one take its place, while it comes to its end.
    private func replace(_ process: ServingProcess) {
        leaving.append(process)
        places[process.place].process = nil
        restarts += 1
        restart(process.place, after: places[process.place].plan.wait(afterLife: .current - process.start))
    }

    /// Sees to all that have ended.
    private func reap() {
        while let (number, end) = nextEndedProcess() {
            // Others may have been started by the same process before it became this program.
            if let process = processes.first(where: { $0.number == number }) { ended(process, end) }
        }
        if isEnding, processes.isEmpty { loop.stop() }
    }

    private func ended(_ process: ServingProcess, _ end: ProcessEnd) {
        process.forget()
        let streams = counts.clear(process.slot)
        let life = Instant.current - process.start
        let isInPlace = places[process.place].process === process
        leaving.removeAll { $0 === process }
        guard isInPlace, !isEnding else {
            if isInPlace { places[process.place].process = nil }
            return logger.processEnded(process, end, streams: streams, life, again: nil)
        }
        places[process.place].process = nil
        restarts += 1
        let wait = places[process.place].plan.wait(afterLife: life)
        logger.processEnded(process, end, streams: streams, life, again: wait)
        restart(process.place, after: wait)
    }

    // MARK: Signals and the end

    private func signalled(_ number: Int32) {
        if number == SIGCHLD { return reap() }
        if ServerSignals.ending.contains(number) { return end(by: number) }
        if number == ServerSignals.reopening, log.reopen() {
            // One that starts opens the file anyway, and would end by the signal.
            for process in processes where process.state != .starting { process.signal(number) }
            return
        }
        guard ServerSignals.reloading.contains(number), !isEnding else { return logger.ignored(signal: number) }
        Task(executorPreference: loop) { await self.reload() }
    }

    private func end(by signal: Int32) {
        guard !isEnding else { return endAtOnce(by: signal) }
        isEnding = true
        for socket in sockets { socket.removePath() }
        // Nobody accepts by these but the processes, and each until it has taken what waits.
        sockets = []
        control?.removePath()
        manager?.stopping()
        logger.draining(drain)
        for place in places.indices {
            places[place].restart?.cancel()
            places[place].restart = nil
        }
        for process in processes { process.end() }
        // They keep to the limit by themselves, and have some time to break off what is left.
        killAll(after: drain + .seconds(10))
        reap()
    }

    private func endAtOnce(by signal: Int32) {
        let isThird = exitStatus.exchange(128 + signal, ordering: .relaxed) != 0
        if !isThird { logger.endingAtOnce() }
        for process in processes { isThird ? process.signal(SIGKILL) : process.end(atOnce: true) }
        killAll(after: .seconds(1))
    }

    private func killAll(after wait: Duration) {
        endTimer?.cancel()
        let timer = Timer(on: loop) { [unowned self] in
            for process in processes { process.signal(SIGKILL) }
        }
        timer.set(at: .current + wait)
        endTimer = timer
    }

    // MARK: Watching

    /// After which silence a process that serves counts as hanging: before a service manager would take the whole for dead. A machine
    /// that is busy may take its time.
    private var silenceLimit: Duration {
        min(Self.silenceMax, manager?.watchdog.map { max($0 / 2, .seconds(1)) } ?? Self.silenceMax)
    }

    /// How often processes tell of themselves, and this one looks.
    private var period: Duration { min(silenceLimit / 4, manager?.watchdog.map { $0 / 3 } ?? .seconds(1), .seconds(1)) }

    private func tick() {
        let now = Instant.current
        let time = now - exchange(&lastTick, with: now)
        for process in processes where process.silence.tick(after: time, period: period) {
            process.silence.end()
            logger.processHangs(process)
            process.signal(SIGKILL)
        }
        manager?.alive()
        manager?.tellAgain()
        manager?.status(summary)
        let timer = ticker ?? Timer(on: loop) { [unowned self] in tick() }
        ticker = timer
        timer.set(at: .current + period)
    }

    private var summary: String {
        let serving = places.compactMap(\.process).filter { $0.state == .serving }
        let streams = processes.reduce(0) { $0 + $1.load.streams }
        let resting = serving.map(\.load.resting).max() ?? 0
        let upstreams = serving.first?.load.upstreams ?? 0
        return "\(counted(serving.count, "process", "processes")), \(counted(streams, "stream", "streams")), "
            + counted(upstreams, "upstream", "upstreams") + (resting == 0 ? "" : ", \(resting) resting")
            + (lastReload?.failureWords ?? "")
    }

    // MARK: Reload

    /// Has a process read the settings, and all others take them. Returns when that has been tried.
    @discardableResult private func reload() async -> ControlAnswer {
        if let waiting { return await waiting.value }
        let task = Task(executorPreference: loop) { [last] in
            _ = await last?.value
            return await self.beginReload()
        }
        (last, waiting) = (task, task)
        return await task.value
    }

    private func beginReload() async -> ControlAnswer {
        waiting = nil
        if isEnding { return ControlAnswer(.refused, ["it is about to end"]) }
        manager?.reloading()
        let answer = await reloaded()
        if hasBeenReady { manager?.ready() }
        if answer.verdict != .refused {
            lastReload = Status.Reload(time: secondsSince1970(), problems: answer.verdict == .ok ? [] : answer.lines)
        }
        return answer
    }

    private func reloaded() async -> ControlAnswer {
        let candidates = places.compactMap(\.process).filter { $0.state != .ending }
        guard let reader = candidates.first(where: { $0.state == .serving }) ?? candidates.first else {
            isRecordStale = true
            logger.reloadWaits()
            return ControlAnswer(.refused, ["no process is there: the next one that starts reads the settings"])
        }
        let next: MemoryFile
        do throws(SystemError) { next = try MemoryFile("sluice settings") } catch { return ControlAnswer(.failed, ["\(error)"]) }
        guard let answer = await reader.ask(.reload, next, on: loop).value else {
            logger.reloadBroken(reader)
            return ControlAnswer(.failed, ["process \(reader.name) has not answered: it may have ended, see the log"])
        }
        guard answer.verdict == .ok else { return answer }
        guard take(next, of: reader) else { return ControlAnswer(.failed, ["process \(reader.name) has left no record"]) }
        let problems = await spread()
        return ControlAnswer(problems.isEmpty ? .ok : .failed, problems + answer.lines)
    }

    /// Has all processes take the settings of the record in force that have others. One that cannot is ended: its successor has them.
    ///
    /// - Returns: a sentence for each of those.
    private func spread() async -> [String] {
        let next = record
        let others = places.compactMap(\.process).filter { $0.record !== next && $0.state != .ending }
        let questions = others.map { $0.ask(.take, next, on: loop) }
        var sentences: [String] = []
        for (process, question) in zip(others, questions) {
            let answer = await question.value
            if answer?.verdict == .ok {
                process.record = next
                continue
            }
            // One that is gone has a successor with the new settings.
            guard places[process.place].process === process, process.state != .ending else { continue }
            let problems = (answer?.lines ?? ["it has not answered"]).joined(separator: "; ")
            logger.processCannotFollow(process, problems)
            sentences.append("process \(process.name) cannot take the settings, and is ended: \(problems)")
            process.end()
            replace(process)
        }
        return sentences
    }

    /// A process has read the settings anew: from now on all go by that.
    ///
    /// - Returns: whether there is a record of it.
    @discardableResult private func take(_ next: MemoryFile, of process: ServingProcess) -> Bool {
        guard next.isSealed, let bytes = try? next.bytes(), let record = SettingsRecord(bytes: bytes) else {
            logger.reloadBroken(process)
            return false
        }
        (self.record, process.record, drain) = (next, next, record.drain)
        let log = log
        Task(executorPreference: loop) { try? await runOnThread { try log.reconfigure(record.log) } }
        return true
    }

    // MARK: The control socket

    private func answer(_ command: ControlCommand, _ stream: ControlStream) async {
        switch command {
        case .status: stream.writeElsewhere(ControlAnswer(.ok, [await status(.status).text]).text)
        case .statusJSON: stream.writeElsewhere(ControlAnswer(.ok, [await status(.statusJSON).json]).text)
        case .statusFull: stream.writeElsewhere(ControlAnswer(.ok, [await status(.statusFull).text]).text)
        case .statusFullJSON: stream.writeElsewhere(ControlAnswer(.ok, [await status(.statusFullJSON).json]).text)
        case .stop:
            stream.writeAtOnce(ControlAnswer(.ok).text)
            stream.stayOpen()
            if !isEnding { end(by: SIGTERM) }
        case .reload: stream.writeElsewhere(await reload().text)
        case .reloadAndWait:
            let answer = await reload()
            guard answer.verdict == .ok else { return stream.writeElsewhere(answer.text) }
            stream.writeAtOnce(answer.text)
            // A process that ends meanwhile has no request from before either.
            let questions = processes.map { $0.ask(.wait, on: loop) }
            for question in questions { _ = await question.value }
            stream.writeAtOnce("\(ControlAnswer.over)\n")
        }
    }

    /// Those who do not answer are told as such: they are not waited for.
    private func status(_ command: ProcessCommand) async -> MasterStatus {
        let asked = processes
        let questions = asked.map { $0.ask(command, within: 2, on: loop) }
        var members: [MasterStatus.Member] = []
        for (process, question) in zip(asked, questions) {
            let answer = await question.value
            members.append(
                MasterStatus.Member(
                    place: process.place + 1, process: Int(process.number), state: process.state,
                    own: answer?.lines.joined(separator: "\n")))
        }
        return MasterStatus(
            process: Int(getpid()), isDraining: isEnding, startTime: start.time, uptime: .current - start.moment,
            placesCount: places.count, restarts: restarts, active: counts.sum, lastReload: lastReload,
            members: members.sorted { $0.place < $1.place })
    }
}

/// `1 stream`, `2 streams`
func counted(_ count: Int, _ one: String, _ many: String) -> String { "\(count) \(count == 1 ? one : many)" }

extension ServiceManager {
    /// Takes it out of this process's environment: no process that it starts is to speak for it.
    static func take() -> ServiceManager? {
        let manager = ServiceManager(environmentVariable)
        for name in ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"] { _ = unsafe unsetenv(name) }
        return manager
    }
}
