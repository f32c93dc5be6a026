// Somebody who asks the control socket for a reload, and for its end.

import TestSupport
import Testing

/// A connection that has asked, and has the first lines of its answer.
struct ReloadWaiter: Sendable {
    /// What it was answered so far: `ok` with nothing more to say, or why it is refused.
    let answer: String
    private let socket: Socket

    init(at path: String) throws {
        socket = try .connected(path: path)
        try socket.write(Array("reload wait\n".utf8))
        answer = String(decoding: try socket.read(), as: UTF8.self)
    }

    /// It does not wait any more.
    func leave() { socket.close() }

    /// What it is told at last.
    func rest() throws -> String { String(decoding: try socket.read(), as: UTF8.self) }

    /// That those who leave leave nothing, and that only so many may wait at once, however many processes there are.
    ///
    /// - Parameters:
    ///   - directory: with the socket and the settings, by which a request began that is not over.
    ///   - processes: all that answer together, which may dump core.
    ///   - end: ends that request.
    static func checkLeaving(
        in directory: TemporaryDirectory, _ processes: [Int32], end: () async throws -> Void
    ) async throws {
        let path = directory.path("control.sock")
        #expect(try await SluiceRun(["reload", "--control", "unix:control.sock"], in: directory).exit == .code(0))
        let before = try processes.map(ProcessHoldings.init)
        for _ in 0..<40 {
            try await eventually("a place to wait") {
                let waiter = try ReloadWaiter(at: path)
                waiter.leave()
                return waiter.answer == "ok 0\n"
            }
        }
        try await eventually("nothing to be left of those who have left") {
            try zip(processes.map(ProcessHoldings.init), before).allSatisfy {
                // The log may have begun to count what repeats, on a thread of its own, which is woken by a descriptor.
                $0.descriptors <= $1.descriptors + 1 && $0.threads <= $1.threads + 1
            }
        }
        var waiting: [ReloadWaiter] = []
        for _ in 0..<64 {
            let waiter = try ReloadWaiter(at: path)
            guard waiter.answer == "ok 0\n" else { break }
            waiting.append(waiter)
        }
        #expect(waiting.count == 16)
        let refused = try await SluiceRun(["reload", "--wait", "--control", "unix:control.sock"], in: directory)
        #expect(refused.exit == .code(69))
        #expect(refused.errors.contains("refuses: 16 wait already: reload without waiting"), "\(refused.errors)")
        #expect(try await SluiceRun(["reload", "--control", "unix:control.sock"], in: directory).exit == .code(0))
        try await end()
        for waiter in waiting { #expect(try waiter.rest() == "over\n") }
    }
}
