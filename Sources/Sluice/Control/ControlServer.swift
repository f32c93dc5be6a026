// The control socket: what the owner of the process may ask of it.

import EventLoop
import FastCGI

/// Who can be asked by the control socket: a process that serves alone, or the master of several. Whoever has left is not waited for: the
/// task is cancelled then.
protocol Controllable: Sendable {
    /// How it does, as the bytes of a `ControlAnswer`; nil when the task was cancelled.
    func status(_ form: StatusForm) async -> [UInt8]?
    /// Reads the settings again, and tells what came of it; nil when the task was cancelled.
    func reload() async -> ControlAnswer?
    /// Comes back when the last request is over that began by settings from before, or the task is cancelled. Whether it is known to be.
    func formersEnd() async -> Bool
    /// Ends as by SIGTERM. Comes back when the last request is over, or the task is cancelled; never from an end that comes otherwise.
    func stop() async
}

/// Answers those who connect to the control socket, on a loop.
final class ControlServer: Sendable {
    private let sockets: [ListeningSocket]
    private let loop: EventLoop
    /// Connections that have not said yet what they want.
    private let unread = ControlPlaces()
    private let (statuses, reloads, stops) = (ControlPlaces(), ControlPlaces(), ControlPlaces())
    /// Those who wait for requests from before a reload, which may go on for hours.
    private let waiting = ControlPlaces()
    private let slowReaders = SlowReaders()

    private static let tooMany = "it is asked by too many at once"

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
    /// - Throws: `SystemError` when the machine has no more threads.
    func start(_ asked: some Controllable) throws(SystemError) {
        for socket in sockets { try startThread(named: "control") { [self] in serve(socket, asked) } }
    }

    private func serve(_ socket: ListeningSocket, _ asked: some Controllable) {
        while let descriptor = socket.accept() {
            guard let place = unread.take() else {
                _ = descriptor.sendAtOnce(ControlAnswer(.refused, [Self.tooMany]).bytes)
                continue
            }
            let connection = ControlConnection(descriptor, on: loop, slowReaders, unreadPlace: place)
            connection.start { await self.converse(connection, with: asked) }
        }
    }

    private func converse(_ connection: ControlConnection, with asked: some Controllable) async {
        guard let line = await connection.line() else { return }
        guard let command = ControlCommand(line: line) else {
            return await connection.refuse("this Sluice does not know that command")
        }
        let places = places(of: command)
        guard let place = places.take() else {
            let isWait = command == .reloadAndWait
            return await connection.refuse(isWait ? "\(places.max) wait already: reload without waiting" : Self.tooMany)
        }
        let end = await answer(command, connection, asked)
        // Whoever does not read takes no place from others who ask.
        _ = consume place
        if let end { await connection.send(end) }
    }

    private func places(of command: ControlCommand) -> ControlPlaces {
        switch command {
        case .status: statuses
        case .reload: reloads
        case .reloadAndWait: waiting
        case .stop: stops
        }
    }

    /// - Returns: the last that is to be said.
    private func answer(
        _ command: ControlCommand, _ connection: ControlConnection, _ asked: some Controllable
    ) async -> [UInt8]? {
        switch command {
        case .status(let form): return await asked.status(form)
        case .reload: return await asked.reload()?.bytes
        case .reloadAndWait:
            let answer = await asked.reload()
            guard let answer, answer.verdict == .ok else { return answer?.bytes }
            await connection.send(answer.bytes)
            return await asked.formersEnd() ? ControlAnswer.over : nil
        case .stop:
            await connection.send(ControlAnswer(.ok).bytes)
            await asked.stop()
            return ControlAnswer.over
        }
    }
}
