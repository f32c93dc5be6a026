// What the master's control socket is answered, for all processes together.

import Clock
import EventLoop
import Glibc

extension Master: Controllable {
    /// A process that says nothing of itself by then is told as such.
    private static let statusTime = Duration.seconds(2)

    func status(_ form: StatusForm) async -> [UInt8]? { await statusPages[form]?.ask().value() }

    /// All processes count in the master's memory.
    func metricsPage() async -> [UInt8]? {
        let table = metrics.table
        let made = await resultOnThread {
            let page = MetricsPage(table.series, as: .prometheus)
            return ControlAnswer(.ok, [String(decoding: page.bytes, as: UTF8.self)]).bytes
        }
        do { return try made.get() } catch { return ControlAnswer(.refused, ["\(error)"]).bytes }
    }

    /// What one process knows all know.
    func clients(isJSON: Bool) async -> ControlAnswer? {
        do throws(SystemError) {
            for process in places.serving {
                let question = try process.ask(.clients(isJSON: isJSON), within: Self.statusTime, on: loop)
                switch await question.outcome() {
                case .answered(let answer): return answer
                case .cancelled: return nil
                case .closed, .late, .tooLarge: continue
                }
            }
        } catch { return ControlAnswer(.refused, ["\(error)"]) }
        return ControlAnswer(.refused, ["no process says what clients have used"])
    }

    func reopenLog() async -> ControlAnswer { reopenLogs() ? await log.reopeningAnswer() : .logIsNoFile }

    func stopAtOnce() async {
        if !isEnding { end(by: SIGTERM) }
        endAtOnce(by: SIGTERM, isAsked: true)
    }

    func stop() async {
        if !isEnding { end(by: SIGTERM) }
        await ended.wait()
    }

    /// In all processes. One that has ended has no request any more; of one that is late it is not known which are from before.
    func formersEnd() async -> Bool {
        if let late = places.present.first(where: \.isLate) {
            logger.controlWaitUnknown(late)
            return false
        }
        do throws(SystemError) {
            var questions: [ProcessQuestion] = []
            let asked = places.all.filter(\.hasStarted)
            for process in asked { questions.append(try process.ask(.wait, on: loop)) }
            for (process, question) in zip(asked, questions) {
                guard await isOver(process, question) else {
                    if !Task.isCancelled { logger.controlWaitUnknown(process) }
                    return false
                }
            }
            return !Task.isCancelled
        } catch {
            logger.controlWaitFailed(error)
            return false
        }
    }

    /// - Returns: whether the process has said so, or has ended.
    private func isOver(_ process: ServingProcess, _ question: ProcessQuestion) async -> Bool {
        switch await question.outcome() {
        case .answered(let answer): answer.verdict == .ok
        case .closed: await hasEnded(process)
        case .tooLarge, .late, .cancelled: false
        }
    }

    /// Asks all processes.
    ///
    /// - Returns: the bytes of a `ControlAnswer`.
    func makeStatus(_ form: StatusForm) async -> [UInt8] {
        let asked = places.all.filter(\.hasStarted)
        // Of the same moment: each is in one of both, whatever becomes of it while the others answer.
        let starting = places.present.filter { !$0.hasStarted }
        var questions: [ProcessQuestion] = []
        do throws(SystemError) {
            for process in asked { questions.append(try process.ask(.status(form), within: Self.statusTime, on: loop)) }
        } catch {
            return ControlAnswer(.refused, ["\(error)"]).bytes
        }
        var members: [MasterStatus.Member] = []
        for (process, question) in zip(asked, questions) {
            let page = MasterStatus.Page(await question.outcome())
            members.append(
                MasterStatus.Member(
                    place: process.place + 1, pid: Int(process.pid), state: process.state, generation: process.generation,
                    page: page, age: .current - process.start))
        }
        let starts = starting.map { MasterStatus.Start(place: $0.place + 1, age: .current - $0.start) }
        return await page(form, members.sorted { $0.place < $1.place }, starts)
    }

    /// Puts together what the processes have said.
    private func page(
        _ form: StatusForm, _ members: [MasterStatus.Member], _ starts: [MasterStatus.Start]
    ) async -> [UInt8] {
        let now = Instant.current
        let vacancies = (isEnding ? [] : places.vacancies).map {
            MasterStatus.Vacancy(place: $0.place + 1, restart: max($0.end - now, .zero), reason: $0.reason)
        }
        let serves = members.contains { $0.state == .serving }
        let head = Status.Head(
            pid: Int(getpid()), isDraining: isEnding, startTime: start.time, uptime: now - start.moment,
            generation: generation, lastReload: lastReload, lostLogLines: log.lostCount,
            idleState: serves ? nil : vacancies.isEmpty ? "starting" : "down")
        let (places, restarts, active, sockets) = (places.count, places.restarts, counts.sum, sockets)
        let table = metrics.table
        do {
            // The kernel is asked of the sockets' queues there, and may have to load a module first.
            return try await runOnThread {
                let status = MasterStatus(
                    head: head, placesCount: places, restarts: restarts, active: active, listen: sockets.map(Status.Listen.init),
                    members: members, vacancies: vacancies, starts: starts, sums: ProcessSums(table.series), width: form.width)
                return ControlAnswer(.ok, [form.isJSON ? status.json : status.text]).bytes
            }
        } catch {
            return ControlAnswer(.refused, ["\(error)"]).bytes
        }
    }
}
