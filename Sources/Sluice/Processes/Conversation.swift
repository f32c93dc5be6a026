// A process and its master: what it is told, what it is asked, and what it tells by itself.

import Clock
import EventLoop
import Glibc
import Settings
import Synchronization

extension Server {
    /// Hears the master, and tells it how this process does, for as long as the first worker's loop runs.
    ///
    /// - Throws: `SystemError` when the process is out of memory.
    func converse(with master: MasterLink) throws(SystemError) {
        var watch: Watch?
        watch = try Watch(master.socket.number, for: .readable, on: workers[0].loop) { [unowned self] _ in
            while true {
                switch master.socket.receive() {
                case .message(let text, let passed): hear(MasterMessage(text: text), passed)
                case .nothing: return
                case .end:
                    watch?.cancel()
                    if !isDraining.load(ordering: .relaxed) { logger.masterIsGone() }
                    return end(by: SIGTERM)
                }
            }
        }
        Task(executorPreference: workers[0].loop) { await self.report(to: master) }
    }

    private func hear(_ message: MasterMessage?, _ passed: [PassedDescriptor]) {
        switch message {
        case .end: end(by: SIGTERM)
        case .endAtOnce: endAtOnce(by: SIGTERM)
        case .ask(let command):
            // Without descriptors there is nobody to answer: the master finds its end of the stream closed.
            guard let first = passed.first else { return }
            let stream = ControlStream(accepted: first.take())
            let record = passed.dropFirst().first.map { MemoryFile($0.take()) }
            Task(executorPreference: workers[0].loop) { await self.answer(command, stream, record) }
        case .begin, nil: break
        }
    }

    private func answer(_ command: ProcessCommand, _ stream: ControlStream, _ record: MemoryFile?) async {
        switch command {
        case .status: await answer(.status, stream)
        case .statusJSON: await answer(.statusJSON, stream)
        case .statusFull: await answer(.statusFull, stream)
        case .statusFullJSON: await answer(.statusFullJSON, stream)
        case .wait:
            await reloader.waitForFormers()
            // What one that ends still answers began before whatever is waited for.
            if isDraining.load(ordering: .relaxed) { return stream.stayOpen() }
            stream.writeAtOnce(ControlAnswer(.ok).text)
        case .reload, .take:
            guard let record else { return }
            let load = load
            let outcome = await reloader.reload(isTold: command == .reload) { () throws(SettingsError) in
                command == .reload ? try recorded(by: load, in: record) : try settings(of: record, by: load)
            }
            switch outcome {
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
            for worker in workers { await worker.turnAndLook() }
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
