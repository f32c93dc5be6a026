// A caller's request without a web server.

import Chat
import Clock
import EventLoop
import FastCGI
import Logging
import Settings
import Testing

@testable import Sluice

/// A request on a connection of the test's own: what reads it is the test, what it is answered reaches `received`.
final class Call {
    let request: Request
    private let caller: LocalSocket
    private let connection: Connection
    private var bytes: [UInt8] = []
    private var watch: Watch?

    /// On a loop that runs.
    ///
    /// - Parameter reads: whether it reads its answer from the start.
    init(on loop: EventLoop, reads: Bool = true) async throws {
        let (caller, server) = try LocalSocket.pair()
        self.caller = caller
        connection = try Connection(
            server.takeDescriptor(), on: loop, sharing: SharedBuffers(), limits: .init(), timeouts: .init())
        caller.send(Rehearsal.request)
        request = try #require(await connection.nextRequest())
        if reads { try read(on: loop) }
    }

    /// Reads its answer from now on.
    func read(on loop: EventLoop) throws {
        watch = try Watch(caller.number, for: .readable, on: loop) { [unowned self] _ in bytes += caller.receive() }
    }

    deinit { watch?.cancel() }

    /// To be made once.
    func reply() -> Reply { Reply(Response(on: connection), RequestID(callers: "test"), isHeadAlone: false) }

    /// The caller hangs up.
    func leave() {
        watch?.cancel()
        caller.shutDown()
    }

    /// The body that the caller has got so far.
    func received() -> String {
        bytes += caller.receive()
        // The contents of the records of standard output (FastCGI 1.0 §3.3), behind the response's head.
        var (rest, output) = (bytes[...], [UInt8]())
        while rest.count >= 8 {
            let header = Array(rest.prefix(8))
            let count = Int(header[4]) << 8 | Int(header[5])
            if header[1] == 6 { output += rest.dropFirst(8).prefix(count) }
            rest = rest.dropFirst(8 + count + Int(header[6]))
        }
        return String(decoding: output, as: UTF8.self).split(separator: "\r\n\r\n", maxSplits: 1).dropFirst().joined()
    }

    /// What a target is asked.
    func question(_ generation: WorkerGeneration) throws -> Question {
        let chat = try ChatRequest(body: request.body, depthMax: 64)
        let caller = Caller(request, RequestID(callers: "test"))
        let route = try generation.shared.routes.route(for: chat.model)
        return Question(
            chat: chat, caller: caller, memory: try RequestMemory(nil, MemoryBudget(limit: 1 << 30)),
            route: route, call: nil,
            form: AnswerForm(for: chat, caller, route, speaksRefusal: generation.shared.settings.refusal == .speak))
    }
}
