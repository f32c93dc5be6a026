// Both ends of a FastCGI connection on one loop.

import EventLoop
@testable import FastCGI
import Glibc
import TestSupport

/// A connection that a handler serves, and the web server's end of it.
final class Exchange {
    let peer: Peer
    let connection: Connection
    /// What each request came to: `nil` when its handler did not throw.
    private(set) var outcomes: [FastCGIError?] = []
    private(set) var callersLeft = 0
    /// The handler's task; ends with the connection.
    private var task: Task<Void, Never>?

    typealias Handler = (Request, inout Response?) async throws(FastCGIError) -> Void

    /// - Parameter handler: answers with the response, and takes it to finish it.
    init(
        on worker: isolated LoopActor, sharing buffers: SharedBuffers? = nil, sendBufferBytes: Int32? = nil,
        limits: RecordScanner.Limits = .init(), timeouts: Connection.Timeouts = .init(), budget: MemoryBudget? = nil,
        handler: @escaping Handler = answerWithBody
    ) throws {
        let (near, far) = try makeSocketPair()
        let descriptor = Descriptor(owning: near)
        if let sendBufferBytes { try descriptor.set(SOL_SOCKET, SO_SNDBUF, to: sendBufferBytes) }
        peer = Peer(Descriptor(owning: far), on: worker.loop)
        connection = try Connection(
            descriptor, on: worker.loop, sharing: buffers ?? SharedBuffers(), limits: limits, timeouts: timeouts,
            budget: budget)
        task = worker.start { [self] in await serve(handler) }
    }

    private func serve(_ handler: Handler) async {
        while let request = await connection.nextRequest() {
            connection.onCallerLeft = { [unowned self] in callersLeft += 1 }
            var response: Response? = Response(on: connection)
            do throws(FastCGIError) {
                try await handler(request, &response)
                outcomes.append(nil)
            } catch {
                outcomes.append(error)
            }
        }
    }

    /// Waits until the connection has ended. Why it did, when the peer was at fault.
    func end() async -> ConnectionRefusal? {
        await task?.value
        task = nil
        return connection.refusal
    }
}

extension LoopActor {
    /// Starts a task the way that a worker starts a connection's: on this actor and on its loop.
    func start(_ body: @escaping () async -> Void) -> Task<Void, Never> {
        // It never leaves this actor, which the compiler cannot see through a task's initializer.
        nonisolated(unsafe) let body = body
        return Task(executorPreference: loop) { unsafe await self.run(body) }
    }

    private func run(_ body: () async -> Void) async { await body() }
}

/// Answers with the request's body, or 413.
func answerWithBody(_ request: Request, _ response: inout Response?) async throws(FastCGIError) {
    response?.start(status: request.dropped != nil ? 413 : 200, headers: [("Content-Type", "text/plain")])
    try await response?.send(request.body[...])
    try await response.take()?.finish()
}

func makeSocketPair() throws -> (Int32, Int32) {
    let (near, far) = try LocalSocket.pair()
    return (near.takeDescriptor().release(), far.takeDescriptor().release())
}
