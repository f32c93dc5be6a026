// What can be asked of a process that serves: by the control socket, or by its master for somebody there.

import Glibc
import Synchronization

extension Server: Controllable {
    func status(_ form: StatusForm) async -> ControlAnswer? { await status(form, tellsSockets: true) }

    /// - Parameter tellsSockets: as `StatusPages` has it.
    func status(_ form: StatusForm, tellsSockets: Bool) async -> ControlAnswer? {
        guard let page = await pages.withLock({ $0 })?.page(form, tellsSockets: tellsSockets) else {
            return Task.isCancelled ? nil : ControlAnswer(.refused, ["the machine has no more threads"])
        }
        return ControlAnswer(.ok, [String(decoding: page.dropLast(), as: UTF8.self)])
    }

    /// The service manager is told what has come of it, too.
    @discardableResult func reload() async -> ControlAnswer? {
        if isDraining.load(ordering: .relaxed) { return .isEnding }
        let outcome = await reloader.reload()
        manager?.status(await summary)
        return outcome?.answer
    }

    func formersEnd() async -> Bool {
        // What one that ends still answers began before whatever is waited for.
        if isDraining.load(ordering: .relaxed) { await ended.wait() } else { await reloader.formerEnds.wait() }
        return !Task.isCancelled
    }

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
            ControlAnswer(
                .ok, unchanged.map { "\($0) has changed, which only a start can change" } + warnings.map { "warning: \($0)" })
        case .failed(let problems): ControlAnswer(.failed, problems.first(Status.Reload.problemsMax))
        case .overtaken: .isEnding
        }
    }
}
