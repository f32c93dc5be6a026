// What becomes of the master's processes.

import Clock
import EventLoop
import FastCGI
import Glibc

extension Master {
    /// Has a process come to be in a place that is empty.
    func fill(_ place: Int) {
        restartTimers[place] = nil
        guard !isEnding else { return }
        guard let slot = places.freeSlot else {
            // The one that has had the longest time to end makes room; one that the kernel holds may take its time for that.
            if let oldest = places.leaving.first(where: { !$0.isToBeKilled }) {
                logger.processMakesRoom(oldest)
                oldest.signal(SIGKILL)
            }
            return restart(place, after: .milliseconds(100), "those before it have not come to their ends yet")
        }
        do throws(SystemError) {
            let watchdog = Watchdog(timeout: Self.startTimeout)
            places.put(try ServingProcess(place: place, slot: slot, watchdog: watchdog))
            Task(executorPreference: loop) { await self.launch(slot: slot) }
        } catch { notStarted(place, error) }
    }

    /// Starts a process on a thread: whoever starts a program waits until it has begun, and that may take its time.
    private func launch(slot: Int) async {
        guard let process = places.process(slot: slot), let (arguments, socket) = process.takeStart() else { return }
        let launch = process.launch
        do {
            process.pid = try await runOnThread {
                try launch.run { () throws(SystemError) in try startProcess(arguments, with: socket) }
            }
        } catch {
            if places.remove(process), !isEnding { notStarted(process.place, error) }
            changed()
            return reap()
        }
        guard places.process(slot: slot) === process else { return process.signal(SIGKILL) }
        begin(process)
    }

    /// Tells a process that has come to be what it is, and takes its reports from now on.
    private func begin(_ process: ServingProcess) {
        logger.processStarted(process)
        let (pid, start) = (process.pid, processStart(place: process.place, slot: process.slot))
        process.generation = generation
        process.onReport = { [unowned self] in received($0, from: pid) }
        do throws(SystemError) {
            let others = [counts.number, clients.number, metrics.table.number]
            try process.begin(start, record: record, others: others + sockets.map(\.number), on: loop)
        } catch {
            // The end of one that is gone already is told anyway.
            if error.code != EPIPE { logger.processCannotBegin(process, error) }
            process.signal(SIGKILL)
        }
        if let end = places.takeEnd(of: process) { ended(process, end) }
        reap()
    }

    private func notStarted(_ place: Int, _ error: any Error) {
        let delay = places.delayAfterFailure(of: place)
        logger.processNotStarted(place, error, again: delay)
        restart(place, after: delay, "could not be started: \(error)")
    }

    private func restart(_ place: Int, after delay: Duration, _ reason: String) {
        if delay == .zero { return fill(place) }
        places.wait(ProcessPlaces.Vacancy(place: place, reason: reason, end: .current + delay))
        let timer = Timer(on: loop) { [unowned self] in fill(place) }
        restartTimers[place] = timer
        timer.set(at: .current + delay)
    }

    private func received(_ report: ProcessReport, from pid: pid_t) {
        guard let process = places.process(pid: pid) else { return }
        process.watchdog.reset()
        switch report {
        case .alive(let load): process.load = load
        case .ready where process.state == .starting:
            process.serves(Watchdog(timeout: watchdogTimeout))
            changed()
            logger.processServes(process)
            if !hasBeenReady, places.allServe {
                hasBeenReady = true
                manager?.ready()
            }
        case .ready: break
        case .stopping:
            process.state = .ending
            guard !isEnding, places.isInPlace(process) else { return }
            logger.processLeaves(process)
            replace(process)
        }
    }

    /// Has another one take its place at once, while it comes to its end.
    func replace(_ process: ServingProcess) {
        guard !isEnding, places.isInPlace(process) else { return }
        places.retire(process)
        // What it has its settings from is not kept for it: a reload may take away what is in there.
        process.record = nil
        fill(process.place)
    }

    func killHanging(_ process: ServingProcess) {
        process.watchdog.reset()
        logger.processHangs(process)
        process.signal(SIGKILL)
        // What the kernel holds takes the signal when it comes to be.
        if !process.hasStarted { replace(process) }
    }

    /// Sees to all that have ended.
    func reap() {
        while let (pid, end) = nextEndedProcess() { if let process = places.ended(pid, end) { ended(process, end) } }
        places.forgetUnknownEnds()
        if isEnding, places.all.isEmpty { finish() }
    }

    private func ended(_ process: ServingProcess, _ end: ProcessEnd) {
        process.forget()
        process.isReaped = true
        defer { changed() }
        let streams = counts.clear(process.slot)
        clients.clear(slot: process.slot)
        metrics.table.clear(slot: process.slot)
        if isEnding, streams > 0 { hasBrokenOff = true }
        let life = Instant.current - process.start
        guard places.remove(process), !isEnding else {
            return logger.processEnded(process, end, streams: streams, life, again: nil)
        }
        // One that dies before it serves keeps dying, however long that takes it.
        let delay = places.delay(of: process.place, afterLife: process.hasServed ? life : nil)
        logger.processEnded(process, end, streams: streams, life, again: delay)
        restart(process.place, after: delay, "\(process.pid) \(end.words)")
    }
}
