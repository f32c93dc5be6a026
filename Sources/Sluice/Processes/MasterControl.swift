// What the master's control socket is answered, for all processes together.

import Clock
import EventLoop
import Glibc

extension Master {
    /// A process that says nothing of itself by then is told as such.
    private static let statusTime = Duration.seconds(2)

    /// Answers what was asked by the control socket.
    func answer(_ command: ControlCommand, _ stream: ControlStream) async {
        switch command {
        case .status(let form):
            guard let page = statusPages[form] else { return }
            stream.writeElsewhere(await page.run { await self.status(form) }.text)
        case .stop:
            stream.writeAtOnce(ControlAnswer(.ok).text)
            if !isEnding { end(by: SIGTERM) }
            await stream.stayOpen(on: loop)
        case .reload: stream.writeElsewhere(await reload().text)
        case .reloadAndWait:
            let answer = await reload()
            guard answer.verdict == .ok else { return stream.writeElsewhere(answer.text) }
            stream.writeAtOnce(answer.text)
            do throws(SystemError) { try await stream.whileConnected(on: loop) { await self.waitForFormers(stream) } } catch {
                logger.controlWaitFailed(error)
            }
        }
    }

    /// Says when the last request from before is over, in all processes. One that has ended has none any more. Of one that cannot say
    /// it, it is not known: the last line is missing then.
    private func waitForFormers(_ stream: ControlStream) async {
        do throws(SystemError) {
            var questions: [ProcessQuestion] = []
            let asked = places.all.filter(\.hasStarted)
            for process in asked { questions.append(try process.ask(.wait, on: loop)) }
            for (process, question) in zip(asked, questions) {
                guard await isOver(process, question) else {
                    if !Task.isCancelled { logger.controlWaitUnknown(process) }
                    return
                }
            }
            if !Task.isCancelled { stream.writeAtOnce(ControlAnswer.over) }
        } catch {
            logger.controlWaitFailed(error)
        }
    }

    /// - Returns: whether the process has said so, or has ended.
    private func isOver(_ process: ServingProcess, _ question: ProcessQuestion) async -> Bool {
        switch await question.outcome() {
        case .answered(let answer): answer.verdict == .ok
        // The kernel closes what an ended process had a moment before it tells of the end.
        case .closed: await wait(until: .current + .seconds(1)) { process.isReaped }
        case .late, .cancelled: false
        }
    }

    private func status(_ form: StatusForm) async -> ControlAnswer {
        let asked = places.all.filter(\.hasStarted)
        var questions: [ProcessQuestion] = []
        do throws(SystemError) {
            for process in asked { questions.append(try process.ask(.status(form), within: Self.statusTime, on: loop)) }
        } catch {
            return ControlAnswer(.refused, ["\(error)"])
        }
        var members: [MasterStatus.Member] = []
        for (process, question) in zip(asked, questions) {
            var page: String?
            if case .answered(let answer) = await question.outcome(), answer.verdict == .ok {
                page = answer.lines.joined(separator: "\n")
            }
            members.append(
                MasterStatus.Member(place: process.place + 1, pid: Int(process.pid), state: process.state, page: page))
        }
        return await page(form, members.sorted { $0.place < $1.place })
    }

    /// Puts together what the processes have said.
    private func page(_ form: StatusForm, _ members: [MasterStatus.Member]) async -> ControlAnswer {
        let head = Status.Head(
            pid: Int(getpid()), isDraining: isEnding, startTime: start.time, uptime: .current - start.moment,
            lastReload: lastReload)
        let (places, restarts, active, sockets) = (places.count, places.restarts, counts.sum, sockets)
        do {
            // The kernel is asked of the sockets' queues there, and may have to load a module first.
            return try await runOnThread {
                let status = MasterStatus(
                    head: head, placesCount: places, restarts: restarts, active: active, listen: sockets.map(Status.Listen.init),
                    members: members)
                return ControlAnswer(.ok, [form.isJSON ? status.json : status.text])
            }
        } catch {
            return ControlAnswer(.refused, ["\(error)"])
        }
    }
}
