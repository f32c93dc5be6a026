// The control socket: what the owner of the process may ask of it.

import Clock
import EventLoop
import FastCGI

/// Who can be asked by the control socket: a process that serves alone, or the master of several. Whoever has left is not waited for: the
/// task is cancelled then.
protocol Controllable: Sendable {
    /// How it does, as the bytes of a `ControlAnswer`; nil when the task was cancelled.
    func status(_ form: StatusForm) async -> [UInt8]?
    /// The metrics in Prometheus' text format, likewise.
    func metricsPage() async -> [UInt8]?
    /// What clients have used; nil when the task was cancelled.
    func clients(isJSON: Bool) async -> ControlAnswer?
    /// Reads the settings again, and tells what came of it; nil when the task was cancelled.
    func reload() async -> ControlAnswer?
    /// Comes back when the last request is over that began by settings from before, or the task is cancelled. Whether it is known to be.
    func formersEnd() async -> Bool
    /// Opens the log's file again.
    func reopenLog() async -> ControlAnswer
    /// Ends as by SIGTERM. Comes back when the last request is over, or the task is cancelled; never from an end that comes otherwise.
    func stop() async
    /// Ends as by a second one, which waits for no request.
    func stopAtOnce() async
}

/// Answers those who connect to the control socket, on a loop.
final class ControlServer: Sendable {
    private let sockets: [ListeningSocket]
    private let loop: EventLoop
    /// Connections that have not said yet what they want.
    private let unread = ControlRoom()
    /// Those who wait for a reload.
    private let reloads = ControlRoom()
    private let statuses = ControlPlaces()
    /// Those who wait for requests from before a reload, which may go on for hours.
    private let waiting = ControlPlaces()
    private let slowReaders = ControlRoom()

    /// - Parameter path: of the socket, which is its owner's alone.
    /// - Throws: as `ListeningSocket`.
    init(at path: String, on loop: EventLoop) throws {
        sockets = try ListeningSocket.open([.unix(path)], access: SocketAccess(mode: 0o600))
        self.loop = loop
    }

    /// Takes the socket's path away: its thread ends with the process.
    func removePath() { for socket in sockets { socket.removePath() } }

    /// Begins to answer, as long as the process is there.
    ///
    /// - Throws: `SystemError` when the machine has no more threads or descriptors.
    func start(_ asked: some Controllable) throws(SystemError) {
        for socket in sockets {
            let isSeenTo = try WaitEvent()
            try startThread(named: "control") { [self] in serve(socket, asked, isSeenTo) }
        }
    }

    /// Accepts one when the loop has seen to the one before: however many connect, they wait in the kernel.
    private func serve(_ socket: ListeningSocket, _ asked: some Controllable, _ isSeenTo: WaitEvent) {
        while let descriptor = socket.accept() {
            let connection = ControlConnection(descriptor, on: loop, slowReaders)
            let oldest = unread.add(connection)
            connection.start { await self.converse(connection, with: asked) }
            Task(executorPreference: loop) {
                await oldest?.endWaitForLine()
                isSeenTo.signal()
            }
            isSeenTo.wait(orUntilWritable: -1, until: .distantFuture)
        }
    }

    private func converse(_ connection: ControlConnection, with asked: some Controllable) async {
        let line = await connection.line()
        unread.remove(connection)
        guard let line else { return }
        guard let command = ControlCommand(line: line) else {
            return await connection.refuse("this Sluice does not know that command")
        }
        if let end = await answer(command, connection, asked) { await connection.send(end) }
    }

    /// - Returns: the last that is to be said.
    private func answer(
        _ command: ControlCommand, _ connection: ControlConnection, _ asked: some Controllable
    ) async -> [UInt8]? {
        switch command {
        case .status(let form):
            guard let place = statuses.take() else { return ControlAnswer.tooMany.bytes }
            let page = await asked.status(form)
            // Whoever does not read takes no place from others who ask.
            _ = consume place
            return page
        case .metrics:
            guard let place = statuses.take() else { return ControlAnswer.tooMany.bytes }
            let page = await asked.metricsPage()
            _ = consume place
            return page
        case .clients(let isJSON):
            guard let place = statuses.take() else { return ControlAnswer.tooMany.bytes }
            let answer = await asked.clients(isJSON: isJSON)
            _ = consume place
            return answer?.bytes
        case .reload: return await reload(connection, asked)?.bytes
        case .reloadAndWait:
            guard let place = waiting.take() else {
                return ControlAnswer(.refused, ["\(waiting.max) wait already: reload without waiting"]).bytes
            }
            let end = await reloadAndWait(connection, asked)
            _ = consume place
            return end
        case .reopenLog: return await asked.reopenLog().bytes
        case .stop:
            await connection.send(ControlAnswer(.ok).bytes)
            await asked.stop()
            await connection.send(ControlAnswer.over)
            await connection.waitForEnd()
            return nil
        case .stopAtOnce:
            await connection.send(ControlAnswer(.ok).bytes)
            await asked.stopAtOnce()
            await connection.waitForEnd()
            return nil
        }
    }

    private func reload(_ connection: ControlConnection, _ asked: some Controllable) async -> ControlAnswer? {
        if let oldest = reloads.add(connection) {
            let reason = "\(ControlPlaces.usualMax) others wait for a reload: it goes on, and the log will say what came of it"
            await oldest.dismiss(ControlAnswer(.refused, [reason]))
        }
        defer { reloads.remove(connection) }
        return await asked.reload()
    }

    /// - Returns: the last that is to be said.
    private func reloadAndWait(_ connection: ControlConnection, _ asked: some Controllable) async -> [UInt8]? {
        let answer = await asked.reload()
        guard let answer, answer.verdict == .ok else { return answer?.bytes }
        await connection.send(answer.bytes)
        return await asked.formersEnd() ? ControlAnswer.over : nil
    }
}
