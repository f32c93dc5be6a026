// The control socket: what the owner of the process may ask of it.

import EventLoop
import FastCGI
import Synchronization

/// Answers those who connect to the control socket. Each is read from and written to on threads of its own, since it may be slow.
final class ControlServer: Sendable {
    /// Answers a command, on the loop.
    typealias Handler = @Sendable (ControlCommand, ControlStream) async -> Void

    private let sockets: [ListeningSocket]
    private let loop: EventLoop
    /// How many connections have not said yet what they want.
    private let unheard = Atomic<Int>(0)

    /// More than anybody needs at once.
    private static let unheardMax = 16

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
            guard unheard.load(ordering: .relaxed) < Self.unheardMax else {
                stream.writeAtOnce(ControlAnswer(.refused, ["it is asked by too many at once"]).text)
                continue
            }
            unheard.add(1, ordering: .relaxed)
            do throws(SystemError) { try startThread(named: "control") { self.hear(stream, handler) } } catch {
                unheard.subtract(1, ordering: .relaxed)
                stream.writeAtOnce(ControlAnswer(.refused, ["\(error)"]).text)
            }
        }
    }

    private func hear(_ stream: ControlStream, _ handler: @escaping Handler) {
        let line = stream.line()
        unheard.subtract(1, ordering: .relaxed)
        guard let line else { return }
        guard let command = ControlCommand(rawValue: line) else {
            return stream.write(ControlAnswer(.refused, ["this Sluice does not know that command"]).text)
        }
        Task(executorPreference: loop) { await handler(command, stream) }
    }
}
