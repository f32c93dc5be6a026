// Reloads: a process reads the settings, and all others take them. What becomes of one that is late is in `MasterLate.swift`.

import Clock
import EventLoop
import Glibc
import Settings

extension Master {
    /// How long a process may take to read the settings, or to take them, before a reload goes on without it. It is longer than what a
    /// process gives its files (`FileAccess.reloadTime`).
    static let readingTime = Duration.seconds(10)

    /// What a reload may take, with one that began before: to find a reader, and another one, two that are late, and a process that starts
    /// meanwhile. It is longer only where the master is short of descriptors, and so asks one process after the other, and several are late.
    static let longestTime = (readingTime * (2 + lateMax) + watchdogTimeout) * 2
    /// How many processes that are late are waited for: two, one after the other, have the same reason.
    private static let lateMax = 2

    /// Has a process read the settings, and all others take them. Returns when that has been tried.
    ///
    /// - Returns: nil when the task was cancelled meanwhile, which ends no reload.
    @discardableResult func reload() async -> ControlAnswer? { await reloads.ask().value() }

    // MARK: A reload, step by step

    func reloadOnce() async -> ControlAnswer {
        if isEnding { return .isEnding }
        manager?.reloading()
        let outcome: Outcome
        do throws(SettingsError) { outcome = try await putInForce(haveSettingsRead()) } catch {
            outcome = .failed(error.problems)
        }
        // Whatever else has come of it, nothing is served by it any more.
        if isEnding { return .isEnding }
        if hasBeenReady { manager?.ready() }
        lastReload = outcome.status
        if case .inForceForLater = outcome { logger.reloadFollowedByNobody() }
        return outcome.answer
    }

    private static let endBegins = SettingsError(problems: ["it is about to end"])

    private enum Outcome {
        /// The new settings are in force.
        ///
        /// - Parameters:
        ///   - exceptions: a sentence for each process that could not follow, or is late.
        ///   - remarks: what else whoever asked is told.
        case inForce(exceptions: [String], remarks: [String])
        /// The new settings are what processes start with from now on, but of those that are there none goes by them.
        case inForceForLater(exceptions: [String])
        /// Nothing has changed.
        case failed([String])

        var status: Status.Reload {
            switch self {
            case .inForce(let exceptions, let remarks):
                Status.Reload(time: secondsSince1970(), isInForce: true, problems: exceptions, remarks: remarks)
            case .inForceForLater: Status.Reload(time: secondsSince1970(), isInForce: true, problems: answer.lines)
            case .failed(let problems): Status.Reload(time: secondsSince1970(), isInForce: false, problems: problems)
            }
        }

        var answer: ControlAnswer {
            switch self {
            case .inForce(let exceptions, let remarks): ControlAnswer(.ok, exceptions + remarks)
            case .inForceForLater(let exceptions):
                ControlAnswer(.failed, ["no process goes by the settings yet: those that start from now on do"] + exceptions)
            case .failed(let problems): ControlAnswer(.failed, problems)
            }
        }
    }

    /// Settings that a process has read anew, and goes by.
    private struct Reading {
        let record: MemoryFile
        let reader: ServingProcess
        /// Those that were asked, with it.
        let readers: [ServingProcess]
        /// A sentence for each that was asked before it.
        let exceptions: [String]
        /// What whoever asked is told.
        let remarks: [String]
        /// For the questions to the others.
        let spare: SpareDescriptors
    }

    /// Those that have been asked to read the settings.
    private struct Readers {
        var asked: [ServingProcess] = []
        /// A sentence for each that has not done it.
        var exceptions: [String] = []
        var lateCount = 0
    }

    /// Has a process read the settings.
    ///
    /// - Throws: `SettingsError` when none has: nothing has changed, but for those that are named.
    private func haveSettingsRead() async throws(SettingsError) -> Reading {
        let limit = Instant.current + Self.readingTime * 2
        guard await someServe(until: .current + Self.readingTime) else {
            if isEnding { throw Self.endBegins }
            throw haveNobody()
        }
        var readers = Readers()
        do throws(SettingsError) { return try await askInTurn(&readers, until: limit) } catch {
            throw SettingsError(problems: error.problems + readers.exceptions)
        }
    }

    /// Why no process can be asked.
    private func haveNobody() -> SettingsError {
        let late = places.serving.filter(\.isLate)
        guard !late.isEmpty else {
            logger.reloadHasNobody()
            return SettingsError(problems: ["no process serves: the log says why; a restart reads all settings anew"])
        }
        let problems = late.map { "process \($0.name) is late still: it has not come to the reload from before" }
        logger.reloadFailed(problems)
        return SettingsError(problems: problems)
    }

    /// Asks one process after the other to read the settings, until one has done it.
    private func askInTurn(_ readers: inout Readers, until limit: Instant) async throws(SettingsError) -> Reading {
        while readers.lateCount < Self.lateMax, readers.asked.count <= places.count,
            let reader = reader(except: readers.asked)
        {
            readers.asked.append(reader)
            let (next, spare, question) = try askToRead(reader)
            let outcome = await question.outcome()
            // Of one that has ended the log tells, and it is no fault of its own descriptors.
            var isGone = false
            if outcome == .closed { isGone = await hasEnded(reader) }
            if isEnding { throw Self.endBegins }
            if !isGone, let remarks = try step(after: outcome, of: reader, &readers) {
                return Reading(
                    record: next, reader: reader, readers: readers.asked, exceptions: readers.exceptions, remarks: remarks,
                    spare: spare)
            }
            // Who is late has taken all the time that there is.
            if readers.lateCount == 0, await !someServe(until: limit, except: readers.asked), isEnding { throw Self.endBegins }
        }
        throw SettingsError(problems: ["no process has read the settings: those from before hold, see the log"])
    }

    /// Sees to a process that was asked to read the settings.
    ///
    /// - Returns: what whoever asked for the reload is told, when it has read them; nil when another one is to be asked.
    /// - Throws: `SettingsError` when no other one would do better.
    private func step(
        after outcome: ProcessQuestion.Outcome, of reader: ServingProcess, _ readers: inout Readers
    ) throws(SettingsError) -> [String]? {
        switch outcome {
        case .answered(let answer):
            switch answer.verdict {
            case .ok: return answer.lines
            case .failed: throw SettingsError(problems: answer.lines)
            // It is told to end by somebody else, and has read nothing.
            case .refused: return nil
            }
        case .closed:
            // It has ended, or no descriptor finds room in it: it answers what it has.
            logger.cannotAnswer(reader)
            endReader(reader, &readers)
            return nil
        case .tooLarge:
            let reason = "it has more to say of them than \(ProcessQuestion.limitWords)"
            logger.reloadBroken(reader, reason)
            endReader(reader, &readers)
            throw SettingsError(problems: ["process \(reader.name) was asked, but \(reason)"])
        case .late, .cancelled:
            // It has what is in force before it is asked anything else, also where it puts in force what it reads at this very moment.
            follow(reader)
            readers.exceptions.append(
                "process \(reader.name) has not read the settings within \(Self.readingTime.setting): \(Self.untilThen)")
            readers.lateCount += 1
            return nil
        }
    }

    /// Has another one take the place of a process of which it is not known whether it goes by the new settings: its successor has those
    /// that are in force.
    private func endReader(_ reader: ServingProcess, _ readers: inout Readers) {
        reader.end()
        replace(reader)
        readers.exceptions.append("process \(reader.name) has not read the settings, and is replaced")
    }

    /// Begins only with all that the rest of the reload needs.
    private func askToRead(
        _ reader: ServingProcess
    ) throws(SettingsError) -> (record: MemoryFile, spare: SpareDescriptors, question: ProcessQuestion) {
        do throws(SystemError) {
            let (next, spare) = (try SettingsRecord.emptyFile(), try SpareDescriptors(questions: places.count))
            let question = try reader.ask(.reload, record: next, over: spare.take(), within: Self.readingTime, on: loop)
            return (next, spare, question)
        } catch {
            let problem = "the master cannot ask a process: \(error); raise LimitNOFILE or ulimit -n"
            logger.reloadFailed([problem])
            throw SettingsError(problems: [problem])
        }
    }

    /// One that serves, of which something was heard not long ago.
    private func reader(except asked: [ServingProcess] = []) -> ServingProcess? {
        places.serving.filter { process in !process.isLate && !asked.contains { $0 === process } }
            .min { $0.watchdog.silence < $1.watchdog.silence }
    }

    /// Where no process serves, has those start that wait for it, and waits for the first one.
    ///
    /// - Returns: whether one serves.
    private func someServe(until limit: Instant, except asked: [ServingProcess] = []) async -> Bool {
        for place in places.indices where reader(except: asked) == nil && places[place] == nil {
            restartTimers[place]?.cancel()
            fill(place)
        }
        _ = await wait(until: limit) { isEnding || places.present.isEmpty || reader(except: asked) != nil }
        return !isEnding && reader(except: asked) != nil
    }

    /// Has all processes go by what one has read: those that are there, and those that start from now on.
    ///
    /// - Throws: `SettingsError` when the record of it is none: nothing has changed.
    private func putInForce(_ reading: Reading) async throws(SettingsError) -> Outcome {
        let (next, reader) = (reading.record, reading.reader)
        let head: SettingsRecord.Head
        do throws(SettingsError) { head = try SettingsRecord.Head(reading: next) } catch {
            logger.reloadBroken(reader, "\(error)")
            // It has others now than those in force.
            reader.end()
            replace(reader)
            throw SettingsError(
                problems: ["process \(reader.name) has left no record, and is ended: \(error)"] + reading.exceptions)
        }
        (record, reader.record, drain) = (next, next, head.drain)
        generation += 1
        reader.generation = generation
        var remarks = reading.remarks
        // Before the next reload can change it again.
        do { try await log.reconfigureElsewhere(head.log) } catch {
            logger.masterKeepsLog(error)
            remarks.append("log.to: the master's own log cannot be written, and goes where it went: \(error)")
        }
        let exceptions = reading.exceptions + (await handOut(next, readBy: reading.readers, with: reading.spare))
        // One that has ended may have been heard before its end is, and may have a successor that starts with the same settings.
        let isFollowed = places.serving.contains { $0.record === next && !isZombie($0.pid) }
        return isFollowed ? .inForce(exceptions: exceptions, remarks: remarks) : .inForceForLater(exceptions: exceptions)
    }

    /// A process that was asked to take settings, or could not be asked.
    private typealias Asked = (process: ServingProcess, question: Result<ProcessQuestion, SystemError>)

    /// Has all processes take the settings of the record in force that have others: all at once, or as many as there are descriptors for.
    ///
    /// - Parameter readers: those that were asked to read them.
    /// - Returns: a sentence for each that does not have them.
    private func handOut(
        _ next: MemoryFile, readBy readers: [ServingProcess], with spare: SpareDescriptors
    ) async -> [String] {
        let limit = Instant.current + Self.readingTime
        // Of those that are late with this one there is a sentence already.
        let late = places.present.filter { process in process.isLate && !readers.contains { $0 === process } }
        var (sentences, asked): ([String], [Asked]) = ([], [])
        // One that is not there yet gets the record in force when it is.
        for process in places.present
        where process.hasStarted && process.record !== next && process.state != .ending && !process.isLate {
            var question = askToTake(process, next, with: spare)
            while case .failure = question, !asked.isEmpty {
                // With an answer a descriptor is free again.
                sentences += await hearAnswer(of: asked.removeFirst(), next)
                question = askToTake(process, next, with: spare)
            }
            asked.append((process, question))
        }
        while !asked.isEmpty { sentences += await hearAnswer(of: asked.removeFirst(), next) }
        return sentences + (await self.sentences(onLate: late, until: limit))
    }

    private func askToTake(
        _ process: ServingProcess, _ next: MemoryFile, with spare: SpareDescriptors
    ) -> Result<ProcessQuestion, SystemError> {
        // One that starts has the time for that besides: without a limit it would hold up all reloads when it does not get on.
        let limit = process.state == .starting ? Self.watchdogTimeout + Self.readingTime : Self.readingTime
        defer { spare.refill() }
        return Result { () throws(SystemError) in
            try process.ask(.take, record: next, over: spare.take(), within: limit, on: loop)
        }
    }

    /// Waits for one that was asked to take the settings. One that cannot is ended: its successor has them. One that is late is not.
    ///
    /// - Returns: a sentence for one that does not have them.
    private func hearAnswer(of asked: Asked, _ next: MemoryFile) async -> [String] {
        let process = asked.process
        let question: ProcessQuestion
        do throws(SystemError) { question = try asked.question.get() } catch {
            guard canFollow(process) else { return [] }
            follow(process)
            return ["process \(process.name) could not be asked to take the settings: \(error); \(Self.untilThen)"]
        }
        let outcome = await question.outcome()
        guard let reason = outcome.refusal else {
            (process.record, process.generation) = (next, generation)
            return []
        }
        if outcome == .closed { _ = await hasEnded(process) }
        // One that is gone has a successor with the new settings.
        guard canFollow(process) else { return [] }
        if outcome == .late {
            follow(process, question, next)
            return ["process \(process.name) is late: \(Self.untilThen)"]
        }
        return [replaceRefusing(process, reason)]
    }
}
