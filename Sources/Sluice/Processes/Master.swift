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
    /// The numbers of `socket.allowed_users`.
    private let allowedUsers: [UInt32]
    private let counts: SharedCounts
    private let firstRecord: MemoryFile
    /// What all processes have their settings from; or are to have.
    private var record: MemoryFile
    private var drain: Duration
    private var places: [Place]
    /// Those that end, while another one is in their place.
    private var leaving: [ServingProcess] = []
    /// Processes that have ended while some are on their way whose numbers are not known yet.
    private var unknownEnds: [pid_t: ProcessEnd] = [:]
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
    /// How many processes there may be for a place, with those that end.
    private static let slotsPerPlace = 16
    /// How long a process may take to read the settings.
    private static let readingSeconds = 10

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
        allowedUsers = try settings.socket.allowedUserIDs()
        let beginning = Self.beginning(place: 0, slot: 0, period: .zero, sockets, allowedUsers)
        // Two records and the counts go along with the sockets.
        guard sockets.count + 3 <= MessageSocket.descriptorsMax, beginning.text.utf8.count + 64 <= MessageSocket.bytesMax else {
            throw ListenError.tooMany
        }
        control = try settings.control.map { try ControlServer(at: $0, on: loop) }
        counts = try SharedCounts(count: Self.slotsPerPlace * settings.processes)
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
        for place in places.indices { fill(place) }
        tick()
    }

    // MARK: Processes

    private var processes: [ServingProcess] { places.compactMap(\.process) + leaving }

    private static func beginning(
        place: Int, slot: Int, period: Duration, _ sockets: [ListeningSocket], _ allowedUsers: [UInt32]
    ) -> MasterMessage {
        .begin(place: place, slot: slot, period: period, ownSockets: sockets.map(\.isOwn), allowedUsers: allowedUsers)
    }

    private func fill(_ place: Int) {
        places[place].restart = nil
        guard !isEnding else { return }
        let used = processes.map(\.slot)
        guard let slot = (0..<counts.count).first(where: { !used.contains($0) }) else {
            // The one that has had the longest time to end makes room.
            if let oldest = leaving.first {
                logger.processMakesRoom(oldest)
                oldest.signal(SIGKILL)
            }
            return restart(place, after: .milliseconds(100))
        }
        do throws(SystemError) {
            let process = try ServingProcess(place: place, slot: slot, silence: Silence(limit: Self.silenceMax))
            places[place].process = process
            Task(executorPreference: loop) { await self.beginProcess(at: place) }
        } catch { notStarted(place, error) }
    }

    /// Has the process of a place come to be, on a thread: whoever starts a program waits until it has begun, and that may take its time.
    private func beginProcess(at place: Int) async {
        guard let process = places[place].process, let (arguments, socket) = process.takeStart() else { return }
        do { process.number = try await runOnThread { try startProcess(arguments, with: socket) } } catch {
            let isInPlace = places[place].process === process
            leaving.removeAll { $0 === process }
            if isInPlace { places[place].process = nil }
            if isInPlace, !isEnding { notStarted(place, error) }
            return reap()
        }
        guard processes.contains(where: { $0 === process }) else { return process.signal(SIGKILL) }
        begin(process)
    }

    /// Tells a process that has come to be what it is, and hears it from now on.
    private func begin(_ process: ServingProcess) {
        logger.processStarted(process)
        let number = process.number
        process.onReport = { [unowned self] in heard($0, from: number) }
        let beginning = Self.beginning(place: process.place, slot: process.slot, period: period, sockets, allowedUsers)
        process.begin(beginning, record, firstRecord: firstRecord, [counts.number] + sockets.map(\.number), on: loop)
        if let end = unknownEnds.removeValue(forKey: process.number) { ended(process, end) }
        reap()
    }

    private func notStarted(_ place: Int, _ error: any Error) {
        let wait = max(places[place].plan.wait(afterLife: .zero), .milliseconds(100))
        logger.processNotStarted(place, error, again: wait)
        restart(place, after: wait)
    }

    private func restart(_ place: Int, after wait: Duration) {
        if wait == .zero { return fill(place) }
        let timer = Timer(on: loop) { [unowned self] in fill(place) }
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
            logger.processServes(process)
            if process.owesReopening { process.signal(ServerSignals.reopening) }
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

    /// Has another one take its place at once, while it comes to its end.
    private func replace(_ process: ServingProcess) {
        leaving.append(process)
        places[process.place].process = nil
        restarts += 1
        fill(process.place)
    }

    /// Sees to all that have ended.
    private func reap() {
        while let (number, end) = nextEndedProcess() {
            // Others may have been started by the same process before it became this program.
            if let process = processes.first(where: { $0.number == number }) {
                ended(process, end)
            } else {
                unknownEnds[number] = end
            }
        }
        if processes.allSatisfy(\.hasStarted) { unknownEnds = [:] }
        if isEnding, processes.isEmpty { loop.stop() }
    }

    private func ended(_ process: ServingProcess, _ end: ProcessEnd) {
        process.forget()
        process.isReaped = true
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
            for process in processes {
                // One that starts would end by the signal.
                if process.state == .starting { process.owesReopening = true } else { process.signal(number) }
            }
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
            // What does not even come to be is not waited for: it will find that there is nobody, and end.
            for place in places.indices where places[place].process?.hasStarted == false { places[place].process = nil }
            leaving.removeAll { !$0.hasStarted }
            reap()
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
            // The signal reaches it when it comes to be.
            if !process.hasStarted, !isEnding, places[process.place].process === process { replace(process) }
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
        return "\(counted(serving.count, "process", "processes")), "
            + loadWords(streams: streams, upstreams: upstreams, resting: resting) + (lastReload?.failureWords ?? "")
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
        guard await someServe() else {
            logger.reloadHasNobody()
            return ControlAnswer(.failed, ["no process serves: the log says why; a restart reads all settings anew"])
        }
        var asked: [ServingProcess] = []
        // Two that hang, one after the other, have the same reason.
        while asked.count < 2, let reader = reader(but: asked) {
            asked.append(reader)
            let next: MemoryFile
            let said: ControlAnswer?
            do throws(SystemError) {
                next = try MemoryFile("sluice settings")
                said = try await reader.ask(.reload, next, within: Self.readingSeconds, on: loop).value
            } catch { return ControlAnswer(.failed, ["\(error)"]) }
            guard let answer = said else {
                // Whether it has taken them is not known; its successor has what is in force.
                logger.doesNotAnswer(reader)
                reader.state = .ending
                reader.signal(SIGKILL)
                continue
            }
            guard answer.verdict == .ok else { return answer }
            guard take(next, of: reader) else {
                // It has others now than those in force.
                reader.end()
                if places[reader.place].process === reader, !isEnding { replace(reader) }
                return ControlAnswer(.failed, ["process \(reader.name) has left no record, and is ended"])
            }
            let problems = await spread()
            return ControlAnswer(problems.isEmpty ? .ok : .failed, problems + answer.lines)
        }
        let names = asked.map(\.name).joined(separator: ", ")
        return ControlAnswer(.failed, ["not answered, and ended: process \(names); the settings from before hold, see the log"])
    }

    /// One that serves, of which something was heard not long ago.
    private func reader(but asked: [ServingProcess]) -> ServingProcess? {
        places.compactMap(\.process)
            .filter { process in process.state == .serving && !asked.contains { $0 === process } }
            .min { $0.silence.length < $1.silence.length }
    }

    /// Where no process serves, has those start that wait for it, and waits for the first one.
    ///
    /// - Returns: whether one serves.
    private func someServe() async -> Bool {
        let wakeup = Wakeup(on: loop)
        let end = Instant.current + .seconds(Self.readingSeconds)
        for place in places.indices where reader(but: []) == nil && places[place].process == nil {
            places[place].restart?.cancel()
            fill(place)
        }
        while reader(but: []) == nil {
            guard !isEnding, places.contains(where: { $0.process != nil }), .current < end else { return false }
            await wakeup.wait(until: .current + .milliseconds(20))
        }
        return true
    }

    /// Has all processes take the settings of the record in force that have others. One that cannot is ended: its successor has them.
    ///
    /// - Returns: a sentence for each of those.
    private func spread() async -> [String] {
        let next = record
        // One that is not there yet gets the record in force when it is.
        let others = places.compactMap(\.process).filter { $0.hasStarted && $0.record !== next && $0.state != .ending }
        let questions = others.map { process in
            // One that starts has its silence alone to go by.
            let seconds = process.state == .starting ? 0 : Self.readingSeconds
            return Result { () throws(SystemError) in try process.ask(.take, next, within: seconds, on: loop) }
        }
        var sentences: [String] = []
        for (process, question) in zip(others, questions) {
            let problems: [String]
            switch question {
            case .success(let task):
                let answer = await task.value
                if answer?.verdict == .ok {
                    process.record = next
                    continue
                }
                problems = answer?.lines ?? ["it has not answered"]
                if answer == nil { process.signal(SIGKILL) }
            case .failure(let error): problems = ["\(error)"]
            }
            // One that is gone has a successor with the new settings.
            guard places[process.place].process === process, process.state != .ending, !isEnding else { continue }
            logger.processCannotFollow(process, problems.joined(separator: "; "))
            sentences.append(
                "process \(process.name) cannot take the settings, and is ended: \(problems.joined(separator: "; "))")
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
        case .status: await status(.status, stream, \.text)
        case .statusJSON: await status(.statusJSON, stream, \.json)
        case .statusFull: await status(.statusFull, stream, \.text)
        case .statusFullJSON: await status(.statusFullJSON, stream, \.json)
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
            let questions = processes.map { process in
                Result { () throws(SystemError) in try process.ask(.wait, on: loop) }
            }
            // Without an answer it is not known when they are over: the last line is missing then.
            for question in questions {
                guard case .success(let task) = question else { return }
                _ = await task.value
            }
            stream.writeAtOnce("\(ControlAnswer.over)\n")
        }
    }

    private func status(_ command: ProcessCommand, _ stream: ControlStream, _ form: KeyPath<MasterStatus, String>) async {
        do throws(SystemError) {
            stream.writeElsewhere(ControlAnswer(.ok, [try await status(command)[keyPath: form]]).text)
        } catch {
            stream.writeAtOnce(ControlAnswer(.refused, ["\(error)"]).text)
        }
    }

    /// Those who do not answer are told as such: they are not waited for.
    private func status(_ command: ProcessCommand) async throws(SystemError) -> MasterStatus {
        let asked = processes.filter(\.hasStarted)
        var questions: [Task<ControlAnswer?, Never>] = []
        for process in asked { questions.append(try process.ask(command, within: 2, on: loop)) }
        var members: [MasterStatus.Member] = []
        for (process, question) in zip(asked, questions) {
            let answer = await question.value
            members.append(
                MasterStatus.Member(
                    place: process.place + 1, process: Int(process.number), state: process.state,
                    own: answer.flatMap { $0.verdict == .ok ? $0.lines.joined(separator: "\n") : nil }))
        }
        return MasterStatus(
            process: Int(getpid()), isDraining: isEnding, startTime: start.time, uptime: .current - start.moment,
            placesCount: places.count, restarts: restarts, active: counts.sum, lastReload: lastReload,
            members: members.sorted { $0.place < $1.place })
    }
}

extension ServiceManager {
    /// Takes it out of this process's environment: no process that it starts is to speak for it.
    static func take() -> ServiceManager? {
        let manager = ServiceManager(environmentVariable)
        for name in ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"] { _ = unsafe unsetenv(name) }
        return manager
    }
}
