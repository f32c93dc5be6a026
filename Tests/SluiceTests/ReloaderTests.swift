import Dispatch
import EventLoop
import FastCGI
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Settings
@testable import Sluice

/// What comes of a reload when something else happens meanwhile.
@Suite(.timeLimit(.minutes(1))) struct ReloaderTests {
    @Test func `settings are not put in force once the end has begun, and the log stays as it was`() async throws {
        let onLogChange = Hook()
        var environment = LogPipe().environment
        environment.variable = { _ in
            onLogChange.run()
            return nil
        }
        let rig = try Rig(environment)
        defer { rig.end() }
        var next = rig.settings
        next.log.level = .debug
        let loaded = LoadedSettings(settings: next, file: nil, included: [], isDemoForWant: false, warnings: [])
        let reloader = rig.reloader { () throws(SettingsError) in loaded }
        onLogChange.set {
            let hasEnded = DispatchSemaphore(value: 0)
            Task {
                await reloader.end()
                hasEnded.signal()
            }
            hasEnded.wait()
        }
        let outcome = await reloader.reload()
        guard case .overtaken = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(await reloader.generation === rig.generation)
        #expect(rig.log.level == rig.settings.log.level)
    }
}

/// Settings that come from elsewhere.
@Suite(.timeLimit(.minutes(1))) struct `Settings that a reload is given` {
    @Test func `are read in their turn, each for whoever asked`() async throws {
        let rig = try Rig()
        defer { rig.end() }
        let reloader = rig.reloader { () throws(SettingsError) in throw SettingsError(problems: ["nobody asked for these"]) }
        let (steps, mayEnd) = (Observed<[String]>([]), DispatchSemaphore(value: 0))
        let first = Task(executorPreference: rig.worker.loop) {
            await reloader.reload(isTold: false) { () throws(SettingsError) in
                steps.update { $0.append("the first begins") }
                mayEnd.wait()
                steps.update { $0.append("the first ends") }
                throw SettingsError(problems: ["the first"])
            }
        }
        try await steps.wait(for: "the first") { !$0.isEmpty }
        let second = Task(executorPreference: rig.worker.loop) {
            await reloader.reload(isTold: false) { () throws(SettingsError) in
                steps.update { $0.append("the second") }
                throw SettingsError(problems: ["the second"])
            }
        }
        // The loop comes to this when the second has asked.
        _ = await Task(executorPreference: rig.worker.loop) { await reloader.generation }.value
        mayEnd.signal()
        #expect(await first.value.answer.lines == ["the first"])
        #expect(await second.value.answer.lines == ["the second"])
        #expect(steps.value == ["the first begins", "the first ends", "the second"])
    }
}

/// A reload that waits for the one before it.
@Suite(.timeLimit(.minutes(1))) struct `A reload in line` {
    @Test func `is not tried once the end has begun`() async throws {
        let rig = try Rig()
        defer { rig.end() }
        let (begun, mayEnd) = (Observed(0), DispatchSemaphore(value: 0))
        let reloader = rig.reloader { () throws(SettingsError) in
            begun.update { $0 += 1 }
            mayEnd.wait()
            throw SettingsError(problems: ["none"])
        }
        let first = Task(executorPreference: rig.worker.loop) { await reloader.reload() }
        try await begun.wait(for: "the first") { $0 == 1 }
        let second = Task(executorPreference: rig.worker.loop) { await reloader.reload() }
        // The loop comes to this when the second has asked.
        _ = await Task(executorPreference: rig.worker.loop) { await reloader.generation }.value
        await reloader.end()
        for _ in 0..<2 { mayEnd.signal() }
        for outcome in [await first.value, await second.value] {
            guard case .overtaken = outcome else {
                Issue.record("\(String(describing: outcome))")
                continue
            }
        }
        #expect(begun.value == 1)
    }
}

/// A reload that a master does not wait for any longer.
@Suite(.timeLimit(.minutes(1))) struct `A reload that comes too late` {
    @Test func `does not come into force, and those behind it do`() async throws {
        let rig = try Rig()
        defer { rig.end() }
        let loaded = LoadedSettings(settings: rig.settings, file: nil, included: [], isDemoForWant: false, warnings: [])
        let reloader = rig.reloader { () throws(SettingsError) in loaded }
        let (begun, mayEnd) = (Observed(false), DispatchSemaphore(value: 0))
        let late = Task(executorPreference: rig.worker.loop) {
            await reloader.reload(isTold: true) { () throws(SettingsError) in
                begun.update { $0 = true }
                mayEnd.wait()
                return loaded
            }
        }
        try await begun.wait(for: "it to begin") { $0 }
        late.cancel()
        mayEnd.signal()
        guard case .overtaken = await late.value else {
            Issue.record("it came into force")
            return
        }
        #expect(await reloader.generation === rig.generation)
        let next = await reloader.reload(isTold: false) { () throws(SettingsError) in loaded }
        guard case .reloaded = next else {
            Issue.record("the next one did not")
            return
        }
        #expect(await reloader.generation !== rig.generation)
    }
}

/// What is told of settings with very many mistakes.
@Suite(.timeLimit(.minutes(1))) struct `Very many mistakes` {
    @Test func `are told in part, in the log in a smaller one, and each time with the number of the others`() async throws {
        let rig = try Rig()
        defer { rig.end() }
        let failure = SettingsError(problems: (1...1_000).map { "mistake \($0)" }, moreCount: 5)
        let reloader = rig.reloader { () throws(SettingsError) in throw failure }
        #expect(await reloader.reload()?.answer.lines == failure.problems + ["… and 5 more"])
        #expect(await reloader.lastReload?.problems == failure.problems + ["… and 5 more"])
        let logged = rig.pipe.read().split(separator: "\n").filter { $0.contains("were not reloaded") }
        #expect(logged.count == 101)
        #expect(logged.dropLast().last?.contains("mistake 100") == true && logged.last?.contains("… and 905 more") == true)
    }
}

/// A worker that serves, and what a reloader needs beside it.
private struct Rig {
    let settings = Settings(
        listen: [.inherited(0)], workers: 1, upstreams: [UpstreamSettings(name: "a", kind: .demo)],
        models: [ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: "a")])])
    let pipe = LogPipe()
    let log: Log
    let generation: Generation
    let worker: Worker
    private let counters: Counters

    /// - Parameter environment: of the log; one whose lines can be read from the pipe otherwise.
    init(_ environment: Log.Environment? = nil) throws {
        log = try Log(settings.log, in: environment ?? pipe.environment)
        (generation, counters) = (try Generation(settings), Counters(settings.limits))
        worker = try Worker(generation, logger: log.logger, log: RequestLog(nil), counters: counters)
        try startThread(named: "worker") { [worker] in worker.loop.run() }
    }

    func end() { worker.loop.stop() }

    func reloader(_ load: @escaping Reloader.Loading) -> Reloader {
        Reloader(generation, in: [worker], counters: counters, manager: nil, log: log, load: load)
    }
}

/// Something that is done once.
private final class Hook: Sendable {
    private let action = Mutex<(@Sendable () -> Void)?>(nil)

    func set(_ action: @escaping @Sendable () -> Void) { self.action.withLock { $0 = action } }

    func run() { action.withLock { $0.take() }?() }
}
