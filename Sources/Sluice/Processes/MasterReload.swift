// Reloads: a process reads the settings, and all others take them.

import Clock
import EventLoop
import Glibc
import Settings

extension Master {
    /// How long a process may take to read the settings.
    private static let readingTime = Duration.seconds(10)

    /// What a reload may take, with one that began before: to find a reader, and another one, two that hang, and a process that starts
    /// meanwhile.
    static let longestTime = (readingTime * (2 + hangingMax) + watchdogTimeout) * 2
    /// How many processes that hang are waited for: two, one after the other, have the same reason.
    private static let hangingMax = 2

    private enum Outcome {
        /// The new settings are in force.
        ///
        /// - Parameters:
        ///   - replaced: a sentence for each process that could not follow.
        ///   - remarks: what else whoever asked is told.
        case inForce(replaced: [String], remarks: [String])
        /// The new settings are what processes start with from now on, but of those that are there none goes by them.
        case inForceForLater(replaced: [String])
        /// Nothing has changed.
        case failed([String])
        /// The end has begun meanwhile.
        case overtaken
    }

    /// Has a process read the settings, and all others take them. Returns when that has been tried.
    @discardableResult func reload() async -> ControlAnswer { await reloads.run { await self.beginReload() } }

    private func beginReload() async -> ControlAnswer {
        if isEnding { return Self.overtaken }
        manager?.reloading()
        let outcome = await tryReload()
        // Whatever else has come of it, nothing is served by it any more.
        if isEnding { return Self.overtaken }
        if hasBeenReady { manager?.ready() }
        switch outcome {
        case .inForce(let replaced, let remarks):
            lastReload = Status.Reload(time: secondsSince1970(), isInForce: true, problems: replaced)
            return ControlAnswer(.ok, replaced + remarks)
        case .inForceForLater(let replaced):
            let problems = ["no process goes by the settings yet: those that start from now on do"] + replaced
            logger.reloadFollowedByNobody()
            lastReload = Status.Reload(time: secondsSince1970(), isInForce: true, problems: problems)
            return ControlAnswer(.failed, problems)
        case .failed(let problems):
            lastReload = Status.Reload(time: secondsSince1970(), isInForce: false, problems: problems)
            return ControlAnswer(.failed, problems)
        case .overtaken: return Self.overtaken
        }
    }

    private static let overtaken = ControlAnswer(.refused, ["it is about to end"])

    private func tryReload() async -> Outcome {
        let limit = Instant.current + Self.readingTime * 2
        guard await someServe(until: .current + Self.readingTime) else {
            if isEnding { return .overtaken }
            logger.reloadHasNobody()
            return .failed(["no process serves: the log says why; a restart reads all settings anew"])
        }
        var (asked, hanging) = ([ServingProcess](), [ServingProcess]())
        while hanging.count < Self.hangingMax, asked.count <= places.count, let reader = reader(except: asked) {
            asked.append(reader)
            let next: MemoryFile
            let question: ProcessQuestion
            do throws(SystemError) {
                next = try MemoryFile("sluice settings")
                question = try reader.ask(.reload, next, within: Self.readingTime, on: loop)
            } catch { return .failed(["\(error)"]) }
            let outcome = await question.outcome()
            if isEnding { return .overtaken }
            switch outcome {
            case .answered(let answer):
                switch answer.verdict {
                case .ok: return await adopt(next, readBy: reader, former: asked.dropLast(), remarks: answer.lines)
                case .failed: return .failed(answer.lines)
                // It is told to end by somebody else, and has read nothing.
                case .refused: break
                }
            case .closed:
                // It has ended, or no descriptor finds room in it: it answers what it has, and its successor has what is in force.
                logger.cannotAnswer(reader)
                reader.end()
                replace(reader)
            case .late, .cancelled:
                // Whether it has taken them is not known; its successor has what is in force.
                logger.doesNotAnswer(reader)
                reader.end()
                killIfSilent(reader)
                replace(reader)
                hanging.append(reader)
            }
            // Who hangs has taken all the time that there is.
            if hanging.isEmpty, await !someServe(until: limit, except: asked), isEnding { return .overtaken }
        }
        let names = asked.map(\.name).joined(separator: ", ")
        return .failed(["not answered, and replaced: process \(names); the settings from before hold, see the log"])
    }

    /// For one that has not answered in time. One whose disk is slow answers all that it has before it ends; one that hangs takes
    /// connections from the others, and answers nobody.
    private func killIfSilent(_ process: ServingProcess) {
        if process.watchdog.silence >= Self.readingTime / 2, !isEnding { process.signal(SIGKILL) }
    }

    /// A process has read the settings anew: from now on all go by that.
    ///
    /// - Parameter former: those that were asked before, and are replaced.
    private func adopt(
        _ next: MemoryFile, readBy reader: ServingProcess, former: ArraySlice<ServingProcess>, remarks: [String]
    ) async -> Outcome {
        let head: SettingsRecord.Head
        do throws(SettingsError) { head = try SettingsRecord.Head(reading: next) } catch {
            logger.reloadBroken(reader, "\(error)")
            // It has others now than those in force.
            reader.end()
            replace(reader)
            return .failed(["process \(reader.name) has left no record, and is ended: \(error)"])
        }
        (record, reader.record, drain) = (next, next, head.drain)
        var remarks = remarks
        // Before the next reload can change it again.
        do { try await runOnThread { [log] in try log.reconfigure(head.log) } } catch {
            logger.masterKeepsLog(error)
            remarks.append("log.to: the master's own log cannot be written, and goes where it went: \(error)")
        }
        let replaced = former.map { "process \($0.name) has not read the settings, and is replaced" } + (await distribute(next))
        let isFollowed = places.present.contains { $0.record === next && $0.state != .ending }
        guard isFollowed else { return .inForceForLater(replaced: replaced) }
        return .inForce(replaced: replaced, remarks: remarks)
    }

    /// One that serves, of which something was heard not long ago.
    private func reader(except asked: [ServingProcess] = []) -> ServingProcess? {
        places.serving.filter { process in !asked.contains { $0 === process } }
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

    /// Has all processes take the settings of the record in force that have others. One that cannot is ended: its successor has them.
    ///
    /// - Returns: a sentence for each of those.
    private func distribute(_ next: MemoryFile) async -> [String] {
        // One that is not there yet gets the record in force when it is.
        let others = places.present.filter { $0.hasStarted && $0.record !== next && $0.state != .ending }
        let questions = others.map { process in
            // One that starts has the time for that besides: without a limit it would hold up all reloads when it does not get on.
            let limit = process.state == .starting ? Self.watchdogTimeout + Self.readingTime : Self.readingTime
            return Result { () throws(SystemError) in try process.ask(.take, next, within: limit, on: loop) }
        }
        var sentences: [String] = []
        for (process, question) in zip(others, questions) {
            guard let reason = await refusal(of: process, question) else {
                process.record = next
                continue
            }
            // One that is gone has a successor with the new settings.
            guard places.isInPlace(process), process.state != .ending, !isEnding else { continue }
            logger.processCannotFollow(process, reason)
            sentences.append(
                "process \(process.name) could not take the settings, and is replaced by one that has them: \(reason)")
            process.end()
            replace(process)
        }
        return sentences
    }

    /// - Returns: why a process has not taken settings; nil when it has.
    private func refusal(of process: ServingProcess, _ question: Result<ProcessQuestion, SystemError>) async -> String? {
        let outcome: ProcessQuestion.Outcome
        do throws(SystemError) { outcome = await (try question.get()).outcome() } catch { return "\(error)" }
        switch outcome {
        case .answered(let answer): return answer.verdict == .ok ? nil : answer.lines.joined(separator: "; ")
        case .closed: return "no descriptor finds room in it, or it ends"
        case .late, .cancelled:
            killIfSilent(process)
            return "it has not answered"
        }
    }
}
