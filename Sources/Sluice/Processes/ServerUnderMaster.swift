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
    }

    private func receive(_ message: MasterMessage?, _ passed: [PassedDescriptor], from master: MasterLink) {
        switch message {
        case .end: end(by: SIGTERM)
        case .endAtOnce: endAtOnce(by: SIGTERM)
        case .ask(let command):
            // Without descriptors there is nobody to answer: the master finds its end of the stream closed.
            guard let first = passed.first else { return }
            let stream = ControlStream(accepted: first.take())
            let record = passed.dropFirst().first.map { MemoryFile($0.take()) }
            Task(executorPreference: workers[0].loop) { await self.answer(command, stream, record, from: master) }
        case .begin, nil: break
        }
    }

    private func answer(
        _ command: ProcessCommand, _ stream: ControlStream, _ record: MemoryFile?, from master: MasterLink
    ) async {
        switch command {
        case .status(let form): await tell(form, to: stream, tellsSockets: false)
        case .wait:
            // What one that ends still answers began before whatever is waited for.
            if isDraining.load(ordering: .relaxed) { return await stream.stayOpen(on: workers[0].loop) }
            await finish(stream, ControlAnswer(.ok).text, after: await reloader.formerEnds)
        case .reload, .take:
            guard let record else { return }
            let (load, startOnly) = (load, master.startOnly)
            let outcome = await reloader.reload(isTold: command == .reload) { () throws(SettingsError) in
                command == .reload
                    ? try loadRecorded(by: load, to: record, startOnly: startOnly)
                    : try load(SettingsRecord(reading: record).access)
            }
            switch outcome {
            case .overtaken: stream.refuse("it is about to end")
            case .failed(let problems): stream.writeElsewhere(ControlAnswer(.failed, problems).text)
            case .reloaded(let unchanged, _): stream.writeElsewhere(ControlAnswer(.ok, unchanged.map(unchangedWords)).text)
            }
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
            let generation = await reloader.generation
            let load = ProcessLoad(
                streams: counters.active.now, resting: generation.board.restingCount(at: .current),
                upstreams: generation.settings.upstreams.count)
            master.report(.alive(load))
            await wakeup.wait(until: .current + master.period)
        }
    }
}
