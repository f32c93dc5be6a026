// The control socket: what the owner of the process may ask of it.

import EventLoop
import FastCGI
import Synchronization

/// What can be asked for, as the line that asks.
enum ControlCommand: String, CaseIterable {
    /// Reads the settings again, and answers with what came of it.
    case reload
    /// The same, and answers only when the last request that began before it is over.
    case reloadAndWait = "reload wait"
    /// How it does, for people.
    case status
    /// The same for machines, in one line.
    case statusJSON = "status json"
    /// Ends as by a signal; the connection stays open for as long as the process is there.
    case stop
}

/// What a command is answered with.
struct ControlAnswer: Sendable, Equatable {
    let isGood: Bool
    /// Without line breaks.
    let lines: [String]

    init(isGood: Bool, _ lines: [String] = []) { (self.isGood, self.lines) = (isGood, lines) }

    init(text: String) {
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
        self.init(isGood: lines.first?.elementsEqual("ok".utf8) ?? false, lines.dropFirst().compactMap { String($0) })
    }

    var text: String { ([isGood ? "ok" : "failed"] + lines).map { "\($0)\n" }.joined() }
}

/// Answers those who connect to the control socket. Each is read from and written to on threads of its own, since it may be slow.
final class ControlServer: Sendable {
    /// Answers a command, on the loop; nil when the connection is to stay open without a word.
    typealias Handler = @Sendable (ControlCommand) async -> ControlAnswer?

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
        for socket in sockets { try startThread { [self] in serve(socket, handler) } }
    }

    private func serve(_ socket: ListeningSocket, _ handler: @escaping Handler) {
        while let connection = socket.accept() {
            let stream = ControlStream(accepted: connection)
            guard unheard.load(ordering: .relaxed) < Self.unheardMax else { continue }
            unheard.add(1, ordering: .relaxed)
            do { try startThread { self.hear(stream, handler) } } catch { unheard.subtract(1, ordering: .relaxed) }
        }
    }

    private func hear(_ stream: ControlStream, _ handler: @escaping Handler) {
        let line = stream.line()
        unheard.subtract(1, ordering: .relaxed)
        guard let line else { return }
        guard let command = ControlCommand(rawValue: line) else {
            return stream.write(ControlAnswer(isGood: false, ["this Sluice does not know that command"]).text)
        }
        Task(executorPreference: loop) {
            guard let answer = await handler(command) else { return stream.stayOpen() }
            stream.writeElsewhere(answer.text)
        }
    }
}
