// A process and its master: what it is told, what it is asked, and what it tells by itself.

import Clock
import EventLoop
import Glibc
import Settings
import Synchronization

extension Server {
    /// Does what the master says, and tells it how this process does, for as long as the first worker's loop runs.
    ///
    /// - Throws: `SystemError` when the process is out of memory.
    func serve(under master: MasterLink) throws(SystemError) {
        var watch: Watch?
        watch = try Watch(master.socket.number, for: .readable, on: workers[0].loop) { [unowned self] _ in
            let isThere = master.socket.receive { text, passed in receive(MasterMessage(text: text), passed, from: master) }
            guard !isThere else { return }
            watch?.cancel()
            if !isDraining.load(ordering: .relaxed) { logger.masterIsGone() }
            end(by: SIGTERM)
        }
        Task(executorPreference: workers[0].loop) { await self.report(to: master) }
        Task(executorPreference: workers[0].loop) { await self.tellGauges(each: master.period) }
    }

    /// Whoever wants the metrics may ask another process.
    private func tellGauges(each period: Duration) async {
        let wakeup = Wakeup(on: workers[0].loop)
        while true {
            await gauges.tell()
            await wakeup.wait(until: .current + period)
        }
    }

    private func receive(_ message: MasterMessage?, _ passed: [PassedDescriptor], from master: MasterLink) {
        switch message {
        case .end: end(by: SIGTERM)
        case .endAtOnce: endAtOnce(by: SIGTERM)
        case .ask(let command):
            // Without descriptors there is nobody to answer: the master finds its end of the stream closed.
            guard let first = passed.first else { return }
            let connection = ControlConnection(first.take(), on: workers[0].loop)
            let record = passed.dropFirst().first.map { MemoryFile($0.take()) }
            connection.start {
                if let answer = await self.answer(command, record, for: master) { await connection.send(answer) }
            }
        case .begin, nil: break
        }
    }

    /// - Returns: the bytes of a `ControlAnswer`; nil for nothing.
    private func answer(_ command: ProcessCommand, _ record: MemoryFile?, for master: MasterLink) async -> [UInt8]? {
        switch command {
        case .status(let form): return await status(form, for: .master)
        case .clients(let isJSON): return await clients(isJSON: isJSON)?.bytes
        case .wait: return await formersEnd() ? ControlAnswer(.ok).bytes : nil
        case .reload, .take:
            guard let record else { return nil }
            let (load, startOnly) = (load, master.startOnly)
            return await reloader.reload(isTold: command == .reload) { () throws(SettingsError) in
                command == .reload
                    ? try loadRecorded(by: load, to: record, startOnly: startOnly)
                    : try load(SettingsRecord(reading: record).access)
            }.answer.bytes
        }
    }

    /// It holds no generation: somebody may wait for the end of that.
    private var processLoad: ProcessLoad {
        get async {
            let generation = await reloader.generation
            return ProcessLoad(
                streams: counters.active.now, resting: generation.board.restingCount(at: .current),
                upstreams: generation.settings.upstreams.count)
        }
    }

    /// Tells that all loops turn. One that hangs keeps it from coming back.
    private func report(to master: MasterLink) async {
        let wakeup = Wakeup(on: workers[0].loop)
        var isReady = false
        while true {
            for worker in workers { await worker.turn(acceptsPending: true) }
            if !isReady { master.report(.ready) }
            isReady = true
            master.report(.alive(await processLoad))
            await wakeup.wait(until: .current + master.period)
        }
    }
}
