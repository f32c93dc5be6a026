// Reloads: a process reads the settings, and all others take them.

import Clock
import EventLoop
import Glibc
import Settings

extension Master {
    /// How long a process may take to read the settings.
    private static let readingTime = Duration.seconds(10)

    private enum Outcome {
        /// The new settings are in force.
        ///
        /// - Parameters:
        ///   - replaced: a sentence for each process that could not follow.
        ///   - remarks: what else whoever asked is told.
        case inForce(replaced: [String], remarks: [String])
        /// Nothing has changed.
        case failed([String])
    }

    /// Has a process read the settings, and all others take them. Returns when that has been tried.
    @discardableResult func reload() async -> ControlAnswer { await reloads.run { await self.beginReload() } }

    private func beginReload() async -> ControlAnswer {
        if isEnding { return ControlAnswer(.refused, ["it is about to end"]) }
        manager?.reloading()
        let outcome = await tryReload()
        if hasBeenReady { manager?.ready() }
        switch outcome {
        case .inForce(let replaced, let remarks):
            lastReload = Status.Reload(time: secondsSince1970(), isInForce: true, problems: replaced)
            return ControlAnswer(.ok, replaced + remarks)
        case .failed(let problems):
            lastReload = Status.Reload(time: secondsSince1970(), isInForce: false, problems: problems)
            return ControlAnswer(.failed, problems)
        }
    }

    private func tryReload() async -> Outcome {
        guard await someServe() else {
            logger.reloadHasNobody()
            return .failed(["no process serves: the log says why; a restart reads all settings anew"])
        }
        var asked: [ServingProcess] = []
        // Two that hang, one after the other, have the same reason.
        while asked.count < 2, let reader = reader(except: asked) {
            asked.append(reader)
            let next: MemoryFile
            let question: ProcessQuestion
            do throws(SystemError) {
                next = try MemoryFile("sluice settings")
                question = try reader.ask(.reload, next, within: Self.readingTime, on: loop)
            } catch { return .failed(["\(error)"]) }
            guard let answer = await question.answer() else {
                // Whether it has taken them is not known; its successor has what is in force.
                logger.doesNotAnswer(reader)
                reader.state = .ending
                reader.signal(SIGKILL)
                continue
            }
            guard answer.verdict == .ok else { return .failed(answer.lines) }
            return await adopt(next, readBy: reader, remarks: answer.lines)
        }
        let names = asked.map(\.name).joined(separator: ", ")
        return .failed(["not answered, and ended: process \(names); the settings from before hold, see the log"])
    }

    /// A process has read the settings anew: from now on all go by that.
    private func adopt(_ next: MemoryFile, readBy reader: ServingProcess, remarks: [String]) async -> Outcome {
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
        let replaced = await distribute(next)
        let isFollowed = places.present.contains { $0.record === next && $0.state != .ending }
        guard isFollowed else { return .failed(["no process could follow: those that start now have the settings"] + replaced) }
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
    private func someServe() async -> Bool {
        let wakeup = Wakeup(on: loop)
        let end = Instant.current + Self.readingTime
        for place in places.indices where reader() == nil && places[place] == nil {
            restartTimers[place]?.cancel()
            fill(place)
        }
        while reader() == nil {
            guard !isEnding, !places.present.isEmpty, .current < end else { return false }
            await wakeup.wait(until: .current + .milliseconds(20))
        }
        return true
    }

    /// Has all processes take the settings of the record in force that have others. One that cannot is ended: its successor has them.
    ///
    /// - Returns: a sentence for each of those.
    private func distribute(_ next: MemoryFile) async -> [String] {
        // One that is not there yet gets the record in force when it is.
        let others = places.present.filter { $0.hasStarted && $0.record !== next && $0.state != .ending }
        let questions = others.map { process in
            // One that starts has its watchdog alone to go by.
            let limit = process.state == .starting ? nil : Self.readingTime
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
        let answer: ControlAnswer?
        do throws(SystemError) { answer = await (try question.get()).answer() } catch { return "\(error)" }
        if answer?.verdict == .ok { return nil }
        if let answer { return answer.lines.joined(separator: "; ") }
        process.signal(SIGKILL)
        return "it has not answered"
    }
}
