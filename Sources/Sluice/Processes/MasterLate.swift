// What becomes of a process that has not answered a reload in time: it is waited for.

import Clock
import EventLoop

/// A disk that is slow, or a machine that is busy, makes a process late; it answers its requests meanwhile, and is not ended for that. It
/// has the settings from before until it comes to those in force, and the log says when that is. One that says nothing of itself any more
/// is the watchdog's.
extension Master {
    /// What a process that is late does, behind what it has not done.
    static let untilThen = "it goes on by those that it has, until it comes to those in force; the log says when"

    /// Has a process that is late take the settings in force when it comes to it.
    ///
    /// - Parameters:
    ///   - question: what it was asked last; nil when it is to be asked anew.
    ///   - asked: what it is to take by that.
    func follow(_ process: ServingProcess, _ question: ProcessQuestion? = nil, _ asked: MemoryFile? = nil) {
        logger.processIsLate(process)
        // What it has its settings from is not kept for it: a reload may have taken away what is in there.
        process.record = nil
        question?.waitWithoutLimit()
        process.late = ServingProcess.LateTaking(question: question, record: asked)
        let slot = process.slot
        Task(executorPreference: loop) { await self.catchUp(slot: slot) }
    }

    /// Whether a process is one that can have other settings.
    func canFollow(_ process: ServingProcess) -> Bool { places.isInPlace(process) && process.state != .ending && !isEnding }

    /// Whether one that has let go of a question has ended. The kernel closes what an ended process had a moment before it tells of the end.
    func hasEnded(_ process: ServingProcess) async -> Bool {
        await wait(until: .current + .seconds(1)) { process.isReaped }
    }

    /// Waits for those that are late from before to take what has come in force.
    ///
    /// - Returns: a sentence for each that has not.
    func sentences(onLate late: [ServingProcess], until limit: Instant) async -> [String] {
        _ = await wait(until: limit) { late.allSatisfy { !$0.isLate || !canFollow($0) } }
        return late.filter { $0.isLate && canFollow($0) }.map { "process \($0.name) is late still: \(Self.untilThen)" }
    }

    /// Asks again as long as other settings have come in force meanwhile.
    private func catchUp(slot: Int) async {
        guard let process = places.process(slot: slot) else { return }
        var (question, asked) = (process.late?.question, process.late?.record)
        while canFollow(process) {
            if question == nil { (question, asked) = (askAnew(process), record) }
            switch await exchange(&question, with: nil)?.outcome() {
            // It cannot be asked now.
            case .late, .cancelled, nil: _ = await wait(until: .current + .seconds(1)) { !canFollow(process) }
            case let outcome?:
                if outcome == .closed { _ = await hasEnded(process) }
                guard canFollow(process) else { return }
                if let reason = outcome.refusal {
                    _ = replaceRefusing(process, reason)
                } else if asked === record {
                    (process.record, process.generation, process.late) = (record, generation, nil)
                    logger.processHasCaughtUp(process)
                    return changed()
                }
            }
        }
    }

    private func askAnew(_ process: ServingProcess) -> ProcessQuestion? {
        do throws(SystemError) { return try process.ask(.take, record: record, on: loop) } catch { return nil }
    }

    /// Ends a process that cannot take settings: its successor has them.
    ///
    /// - Returns: a sentence that says so.
    func replaceRefusing(_ process: ServingProcess, _ reason: String) -> String {
        logger.processCannotFollow(process, reason)
        process.end()
        replace(process)
        return "process \(process.name) could not take the settings, and is replaced by one that has them: \(reason)"
    }
}

extension ProcessQuestion.Outcome {
    /// Why a process has not taken settings; nil when it has.
    var refusal: String? {
        switch self {
        case .answered(let answer): answer.verdict == .ok ? nil : answer.lines.joined(separator: "; ")
        case .closed: "no descriptor finds room in it, or it ends"
        case .tooLarge: "it has more to say of them than \(ProcessQuestion.limitWords)"
        case .late, .cancelled: "it has not answered"
        }
    }
}
