// The control socket: what the owner of the process may ask of it.

import EventLoop
import FastCGI
import Synchronization

/// Answers those who connect to the control socket. Each is read from on a thread of its own, since it may be slow; what it is answered goes
/// out from the loop as far as there is room for it, and from a thread then.
final class ControlServer: Sendable {
    /// Answers a command, on the loop.
    typealias Handler = @Sendable (ControlCommand, ControlStream) async -> Void

    private let sockets: [ListeningSocket]
    private let loop: EventLoop
    /// Connections that have not said yet what they want.
    private let unread = Places(max: 16)
    /// Those who wait for requests from before a reload, which may go on for hours.
    private let waiting = Places(max: 16)

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
    func start(_ handler: @escaping Handler) throws(SystemError) {
        for socket in sockets { try startThread(named: "control") { [self] in serve(socket, handler) } }
    }

    private func serve(_ socket: ListeningSocket, _ handler: @escaping Handler) {
        while let connection = socket.accept() {
            let stream = ControlStream(accepted: connection)
            guard unread.take() else {
                stream.refuse("it is asked by too many at once")
                continue
            }
            do throws(SystemError) { try startThread(named: "control") { self.read(stream, handler) } } catch {
                unread.giveBack()
                stream.refuse("\(error)")
            }
        }
    }

    private func read(_ stream: ControlStream, _ handler: @escaping Handler) {
        let line = stream.line()
        unread.giveBack()
        guard let line else { return }
        guard let command = ControlCommand(line: line) else { return stream.refuse("this Sluice does not know that command") }
        Task(executorPreference: loop) { await self.answer(command, stream, handler) }
    }

    private func answer(_ command: ControlCommand, _ stream: ControlStream, _ handler: Handler) async {
        guard command == .reloadAndWait else { return await handler(command, stream) }
        guard waiting.take() else { return stream.refuse("\(waiting.max) wait already: reload without waiting") }
        await handler(command, stream)
        waiting.giveBack()
    }
}

/// How many there may be at once.
private final class Places: Sendable {
    let max: Int
    private let count = Atomic<Int>(0)

    init(max: Int) { self.max = max }

    /// - Returns: false when there is none.
    func take() -> Bool {
        if count.add(1, ordering: .relaxed).newValue <= max { return true }
        giveBack()
        return false
    }

    func giveBack() { count.subtract(1, ordering: .relaxed) }
}
