// How a look-up's answer gets from its thread to the loop that waits for it.

import EventLoop
import Synchronization

/// Somebody who waits for a name: what a look-up's thread has of him.
struct LookUpWaiter: Sendable {
    /// Holds the answer between the two threads.
    final class Answer: Sendable {
        private let result = Mutex<Result<[SocketAddress], HTTPError>?>(nil)

        func put(_ result: Result<[SocketAddress], HTTPError>) { self.result.withLock { $0 = result } }
        func take() -> Result<[SocketAddress], HTTPError>? { result.withLock { $0.take() } }
    }

    let id: UInt64
    let answer: Answer
    let action: RemoteAction

    /// From any thread.
    func finish(_ result: Result<[SocketAddress], HTTPError>) {
        answer.put(result)
        action.run()
    }
}

/// A look-up that somebody waits for, on a loop's thread. To let go of it cancels it.
final class PendingLookUp {
    private let resolver: Resolver
    private let host: String
    private let answer = LookUpWaiter.Answer()
    private var completion: ((Result<[SocketAddress], HTTPError>) -> Void)?
    private(set) var waiter: LookUpWaiter?

    init(
        _ host: String, in resolver: Resolver, id: UInt64, on loop: EventLoop,
        completion: @escaping (Result<[SocketAddress], HTTPError>) -> Void
    ) {
        (self.host, self.resolver, self.completion) = (host, resolver, completion)
        waiter = LookUpWaiter(id: id, answer: answer, action: loop.remoteAction { [unowned self] in finish() })
    }

    deinit { cancel() }

    /// The completion is not called after this. The look-up itself goes on, for whoever asks next.
    func cancel() {
        completion = nil
        guard let waiter else { return }
        self.waiter = nil
        waiter.action.cancel()
        resolver.leave(host, waiter.id)
    }

    private func finish() {
        guard let result = answer.take() else { return }
        let completion = completion
        cancel()
        completion?(result)
    }
}
