// What can be asked of a process that serves: by the control socket, or by its master for somebody there.

import Clock
import EventLoop
import Glibc
import Synchronization

extension Server: Controllable {
    func status(_ form: StatusForm) async -> [UInt8]? { await status(form, for: .controlSocket) }

    /// - Returns: the bytes of a `ControlAnswer`; nil when the task was cancelled, or the process does not run yet.
    func status(_ form: StatusForm, for asker: StatusPages.Asker) async -> [UInt8]? {
        switch await pages.withLock({ $0 })?.page(form, for: asker) {
        case .success(let bytes): bytes
        case .failure(let error): ControlAnswer(.refused, ["\(error)"]).bytes
        case nil: nil
        }
    }

    func metricsPage() async -> [UInt8]? {
        switch await pages.withLock({ $0 })?.metrics(as: .prometheus) {
        case .success(let bytes): ControlAnswer(.ok, [String(decoding: bytes.dropLast(), as: UTF8.self)]).bytes
        case .failure(let error): ControlAnswer(.refused, ["\(error)"]).bytes
        case nil: nil
        }
    }

    func clients(isJSON: Bool) async -> ControlAnswer? {
        let (counts, generation) = (counters.clients, await reloader.generation)
        guard let counts else { return nil }
        let made = await resultOnThread {
            let status = ClientStatus(counts, generation.clients, at: .now, store: generation.storeHealth?.address)
            return ControlAnswer(.ok, isJSON ? [status.json] : status.text)
        }
        do { return try made.get() } catch { return ControlAnswer(.refused, ["\(error)"]) }
    }

    @discardableResult func reload() async -> ControlAnswer? {
        if isDraining.load(ordering: .relaxed) { return .isEnding }
        return await reloads.ask().value()
    }

    /// The service manager is told what has come of it, too, whoever has left meanwhile.
    static func reloadOnce(_ reloader: Reloader, _ counters: Counters, _ manager: ServiceManager?) async -> ControlAnswer {
        // Nobody cancels this task.
        let outcome = await reloader.reload() ?? .overtaken
        manager?.status(await summary(reloader, counters))
        return outcome.answer
    }

    func formersEnd() async -> Bool {
        // What one that ends still answers began before whatever is waited for.
        if isDraining.load(ordering: .relaxed) { await ended.wait() } else { await reloader.formerEnds.wait() }
        return !Task.isCancelled
    }

    func reopenLog() async -> ControlAnswer { log.reopen() ? await log.reopeningAnswer() : .logIsNoFile }

    func stopAtOnce() async { endAtOnce(by: SIGTERM, isAsked: true) }

    func stop() async {
        if !isDraining.load(ordering: .relaxed) { end(by: SIGTERM) }
        await ended.wait()
    }
}

extension Reloader.Outcome {
    /// What whoever asked for it is told.
    var answer: ControlAnswer {
        switch self {
        case .reloaded(let unchanged, let warnings):
            ControlAnswer(.ok, Self.remarks(unchanged, warnings))
        case .failed(let problems): ControlAnswer(.failed, problems)
        case .overtaken: .isEnding
        }
    }

    /// A sentence for what has changed and is not in force, and one for each thing that may not work.
    ///
    /// - Parameter unchanged: the keys of what takes a restart.
    static func remarks(_ unchanged: [String], _ warnings: [String]) -> [String] {
        let restart =
            "\(unchanged.joined(separator: ", ")) \(unchanged.count == 1 ? "has" : "have") changed, which takes a restart"
        return (unchanged.isEmpty ? [] : [restart]) + warnings.map { "warning: \($0)" }
    }
}
