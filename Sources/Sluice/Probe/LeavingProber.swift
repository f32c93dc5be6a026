// How a call is left, and how the status is asked what has come of it.

import Clock
import EventLoop
import HTTPClient

extension Prober {
    /// How often the status is asked at first; then less often.
    private static let noticeStep = Duration.milliseconds(100)
    /// A machine that stands still may see a heartbeat that comes soon ahead of what came before it.
    private static let (leavingsMax, heartbeatSoon) = (3, Duration.seconds(3))
    /// Until the process that is meant tells of itself, where several answer in turn.
    private static let statusTriesMax = 8
    /// How much longer that may take than the patience.
    private static let statusGrace = Duration.seconds(3)

    /// Leaves a model that is silent.
    func leave(_ client: ProbeClient, heartbeat: Duration?) async -> LeavingChecks.Leaving {
        let first = await askForStatus(client)
        guard !first.answer.isTooLarge else { return .tooLarge }
        guard first.status != nil else { return .hidden(first.answer.words) }
        var leaving = LeavingChecks.Leaving.unlisted
        for time in 1...Self.leavingsMax {
            onProgress(time == 1 ? "leaving" : "leaving, once more")
            leaving = await leaveOnce(client, heartbeat: heartbeat)
            let isSure = !LeavingChecks.isLate(leaving, heartbeat: heartbeat)
            if isSure || isOver || heartbeat ?? LeavingChecks.usualHeartbeat >= Self.heartbeatSoon { break }
        }
        return leaving
    }

    private func leaveOnce(_ client: ProbeClient, heartbeat: Duration?) async -> LeavingChecks.Leaving {
        let patience = LeavingChecks.patience(heartbeat: heartbeat)
        var question = chat(ProbeModel.message(silence: patience + .seconds(5)))
        question.until = .silence
        let asked = await client.begin(question)
        let silent = loop.now
        guard asked.answer.status == 200, let id = asked.answer.head?["x-request-id"] else {
            asked.leave()
            return asked.answer.status == 200 ? .unlisted : .refused(asked.answer.words)
        }
        let before = await status(client) { $0.isOpen(id) == true }
        asked.leave()
        guard let before else { return .unlisted }
        let left = loop.now
        var wasSilent = false
        while true {
            let status = await status(client) { $0.isOfSameProcess(as: before) && $0.isOpen(id) != nil }
            let moment = LeavingChecks.Moment(left: loop.now - left, silent: loop.now - silent)
            guard let isOpen = status?.isOpen(id) else {
                guard moment.left < patience + Self.statusGrace, !isOver else { return .untold }
                wasSilent = true
                await pause(client, after: moment)
                continue
            }
            guard isOpen else {
                // It may have been gone for long.
                return wasSilent && LeavingChecks.isLate(.gone(moment), heartbeat: heartbeat) ? .untold : .gone(moment)
            }
            guard moment.left < patience, !isOver else { return .stays(moment) }
            wasSilent = false
            await pause(client, after: moment)
        }
    }

    private func pause(_ client: ProbeClient, after moment: LeavingChecks.Moment) async {
        await client.sleep(for: min(max(moment.left / 10, Self.noticeStep), .seconds(1)))
    }

    /// The status of a process that is meant; nil where others answer, or none.
    private func status(_ client: ProbeClient, where isMeant: (ProbeStatus) -> Bool) async -> ProbeStatus? {
        for _ in 1...Self.statusTriesMax where !isOver {
            let status = (await askForStatus(client)).status
            guard let status else { return nil }
            if isMeant(status) { return status }
        }
        return nil
    }

    private func askForStatus(_ client: ProbeClient) async -> (answer: ProbeAnswer, status: ProbeStatus?) {
        let asked = loop.now
        let answer = await ask(.init(method: .get, url: target.status, credentials: .none), client)
        guard answer.status == 200 else { return (answer, nil) }
        return (answer, ProbeStatus(answer.body, asked: asked, received: .current))
    }
}
