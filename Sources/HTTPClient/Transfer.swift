// One request's response, as it comes.

package import Clock
package import EventLoop

/// A response on its way: its head, then its body in whatever pieces arrive.
///
/// One task reads it; that task and callbacks of its loop may cancel it.
package final class Transfer {
    /// What `next(until:)` waited for.
    package enum Arrival: Sendable {
        /// There are bytes: take them.
        case bytes
        /// The deadline came first; the transfer goes on.
        case deadline
        /// The response is whole, and its bytes have been taken.
        case end
    }

    private enum State { case running, ended, failed(HTTPError) }

    /// Who works on it.
    enum Place {
        /// Nobody yet, or nobody any more.
        case none
        /// Its pool, until there is a connection.
        case waiting
        case http1(HTTP1)
        case http2(HTTP2, stream: Int32)
    }

    // What each read of a stream touches stands together: with thousands open, every cache line is a miss.
    private let session: Session
    /// Woken when there may be something new: what its reader waits for.
    package let wakeup: Wakeup
    /// Bytes of the body that nobody has taken.
    private var unread: [UInt8] = []
    /// How many bytes of the body have come.
    private(set) var bytesReceived = 0
    private var state = State.running
    /// HTTP/1: whether its connection reads nothing until `takeBytes()`.
    private var isPaused = false
    private var isHeadTaken = false
    /// Between its arrival and `takeHead()`.
    private var head: ResponseHead?
    /// Whether somebody reads the body; else it is counted and dropped.
    private var isBodyKept = true
    /// Whether the start of a body that nobody reads is kept all the same.
    var keepsStart = false
    /// Whether the head has come, taken or not.
    private(set) var isHeadComplete = false
    var place = Place.none
    /// Its index among the session's transfers.
    var index = 0

    let destination: Destination
    var pool: Pool { destination.pool }
    let method: HTTPMethod
    /// Whether it does not go out again where the server may have read it.
    let isSentOnce: Bool
    /// What is sent, perhaps twice; let go as soon as it cannot be needed again.
    private(set) var outgoing: OutgoingRequest?
    /// Whether its request went out on a connection that died before it answered, and so goes out once more, on a fresh one.
    private(set) var isSecondAttempt = false
    /// How often a server said that it has not looked at the request.
    private var refusals = 0
    private let start: Instant
    /// When it began to wait for a connection: at the start, or anew for another attempt.
    private(set) var attemptStart: Instant
    /// For name, connection and TLS together.
    let connectTimeout: Duration
    private let totalTimeout: Duration
    private var timer: Timer?
    /// As `isConnected`: what other modules may read is looked at for overlapping accesses at each of them.
    private var hasConnection = false
    /// From the start to that, in milliseconds.
    private var connectMilliseconds: UInt32 = 0
    /// Told of its end where nobody reads it, and its body is dropped: how it failed, or whether its connection is kept.
    var onEnd: ((Transfer, Result<Bool, HTTPError>) -> Void)?

    init(
        _ request: consuming HTTPRequest, to destination: Destination, waking wakeup: Wakeup, _ session: Session
    ) {
        self.session = session
        self.wakeup = wakeup
        self.destination = destination
        (method, isSentOnce) = (request.method, request.isSentOnce)
        start = .current
        attemptStart = start
        connectTimeout = request.connectTimeout
        totalTimeout = request.totalTimeout
        outgoing = OutgoingRequest(request)
    }

    // MARK: Reading

    /// The final response's status and headers once they are whole, and once only; `nil` while they are on their way.
    ///
    /// - Throws: what became of the transfer instead.
    package func takeHead() throws(HTTPError) -> ResponseHead? {
        switch state {
        case .failed(let error) where !isHeadComplete || error == .cancelled: throw error
        case .ended where !isHeadComplete: throw .cutOff(afterBytes: 0)
        case .running where !isHeadComplete: return nil
        case .failed, .ended, .running: break
        }
        precondition(!isHeadTaken, "the head has been handed over")
        isHeadTaken = true
        // It would be a silent stream's largest possession.
        return exchange(&head, with: nil)
    }

    /// Whether it was given a connection, TLS included.
    package var isConnected: Bool { hasConnection }

    /// How long it took, or has taken so far, to get a connection: a new one, one that was kept, or a share of one. To the millisecond.
    package var connectTime: Duration { hasConnection ? .milliseconds(Int64(connectMilliseconds)) : session.loop.now - start }

    /// Whether there are bytes of the body to take.
    package var hasBytes: Bool { !unread.isEmpty }

    /// Whether nothing more will come: the response is whole, or it failed.
    package var isOver: Bool { if case .running = state { false } else { true } }

    /// Bytes of the body to take, or its end; `nil` while one must wait. Bytes that came before a failure come before its error.
    ///
    /// - Throws: what became of the transfer, once its bytes have been taken; after a cancel at once.
    package func arrived() throws(HTTPError) -> Arrival? {
        guard unread.isEmpty else { return .bytes }
        switch state {
        case .failed(let error): throw error
        case .ended: return .end
        case .running: return nil
        }
    }

    /// Waits for `arrived()`; at the deadline that is `.deadline`.
    ///
    /// - Throws: as `arrived()`.
    package func next(until deadline: Instant? = nil) async throws(HTTPError) -> Arrival {
        while true {
            if let arrival = try arrived() { return arrival }
            if let deadline, session.loop.now >= deadline { return .deadline }
            await wakeup.wait(until: deadline)
        }
    }

    /// Hands over all bytes that have come, perhaps none, and forgets them.
    ///
    /// A response that was held back because nobody took its bytes flows again.
    package func takeBytes() -> [UInt8] {
        let bytes = exchange(&unread, with: [])
        switch place {
        case .http2(let http2, let stream): http2.taken(bytes.count, of: stream)
        case .http1(let http1) where isPaused:
            isPaused = false
            http1.resume()
        case .http1, .none, .waiting: break
        }
        return bytes
    }

    /// Takes an array that is of no more use, for bytes to come: whichever transfer they come for, so that a silent one owns none.
    package func recycle(_ buffer: consuming [UInt8]) { session.spareBuffers.give(buffer) }

    // MARK: Ending

    /// Ends the transfer at once: when this returns its connection is closed (HTTP/1) or its stream has been reset (HTTP/2).
    ///
    /// Bytes that have not been taken are gone. A second call does nothing.
    package func cancel() {
        if case .running = state { fail(.cancelled) }
        state = .failed(.cancelled)
        let rest = exchange(&unread, with: [])
        session.spareBuffers.give(rest)
    }

    func fail(_ error: HTTPError) {
        guard case .running = state else { return }
        end(.failed(error))
        onEnd?(self, .failure(error))
    }

    /// The response is whole. Whoever worked on it has let go of it.
    func finish(isKept: Bool) {
        guard case .running = state else { return }
        place = .none
        end(.ended)
        onEnd?(self, .success(isKept))
    }

    private func end(_ end: State) {
        state = end
        timer?.cancel()
        outgoing = nil
        session.forget(self)
        switch exchange(&place, with: .none) {
        case .none: break
        case .waiting: pool.leave(self)
        case .http1(let http1): http1.abandon()
        case .http2(let http2, let stream): http2.abandon(stream)
        }
        wakeup.wake()
    }

    // MARK: Deadlines

    /// One timer holds both: it moves on to the total deadline when that of the connection has passed in time.
    func setDeadlines() {
        let timer = Timer(on: session.loop) { [unowned self] in deadlinePassed() }
        self.timer = timer
        timer.set(at: start + min(connectTimeout, totalTimeout))
    }

    private func deadlinePassed() {
        let total = start + totalTimeout
        if session.loop.now >= total {
            fail(.timedOut(.total, after: totalTimeout))
        } else if hasConnection {
            timer?.set(at: total)
        } else if session.loop.now < attemptStart + connectTimeout {
            timer?.set(at: min(attemptStart + connectTimeout, total))
        } else {
            fail(.timedOut(.connect, after: connectTimeout))
        }
    }
}

// MARK: - From its connection

extension Transfer {
    /// Its request is about to go out.
    func begin(on place: Place) {
        self.place = place
        hasConnection = true
        connectMilliseconds = UInt32(clamping: (session.loop.now - start).nanoseconds / 1_000_000)
    }

    /// What is sent is not needed again.
    func dropRequest() { outgoing = nil }

    func receive(_ head: consuming ResponseHead) {
        isBodyKept = head.hasReadableBody && onEnd == nil
        self.head = consume head
        isHeadComplete = true
        wakeup.wake()
    }

    /// Bytes of the body, at least one. Wakes the reader for the first only: the others of this turn it finds when it looks.
    ///
    /// - Returns: whether they are kept until the reader takes them, and not dropped.
    @discardableResult func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytesReceived += bytes.count
        guard isBodyKept else {
            if keepsStart { unsafe keepStart(bytes) }
            return false
        }
        // As `OutputBuffer.change`.
        var unread = exchange(&self.unread, with: [])
        let wasEmpty = unread.isEmpty
        if unread.capacity == 0 { unread = session.spareBuffers.take() }
        unsafe unread.append(contentsOf: bytes)
        self.unread = unread
        if wasEmpty { wakeup.wake() }
        return true
    }

    private func keepStart(_ bytes: UnsafeRawBufferPointer) {
        var unread = exchange(&self.unread, with: [])
        unsafe unread.append(contentsOf: bytes.prefix(Self.startBytesMax - unread.count))
        self.unread = unread
    }

    private static let startBytesMax = 8 << 10

    /// Whether its connection has to wait until the reader has taken something: asked once after each read.
    func mustPause() -> Bool {
        guard unread.count >= session.configuration.unreadBytesMax else { return false }
        isPaused = true
        return true
    }

    /// The connection ended before it answered.
    ///
    /// - Parameter isKept: whether it had served others before, so that it may have been dead all along.
    func connectionLost(isKept: Bool, _ error: HTTPError? = nil) {
        guard isKept, !isSecondAttempt, !isHeadComplete, outgoing != nil else {
            return fail(error ?? .cutOff(afterBytes: bytesReceived))
        }
        isSecondAttempt = true
        tryAgain()
    }

    /// The server has not looked at the request and says so (RFC 9113 §8.7).
    ///
    /// It goes out again at once: three times where a connection had come to its end, but only once where the server has too much
    /// to do. Then it is for those to decide who know how often this happens, and of other servers.
    ///
    /// - Parameter isGoing: whether the server takes no more requests over that connection, and says nothing of others.
    func refused(isGoing: Bool) {
        refusals += 1
        guard refusals <= (isGoing ? 3 : 1), outgoing != nil else { return fail(.cutOff(afterBytes: bytesReceived)) }
        tryAgain()
    }

    /// A new attempt has a new connection's time.
    private func tryAgain() {
        place = .none
        hasConnection = false
        attemptStart = .current
        timer?.set(at: min(attemptStart + connectTimeout, start + totalTimeout))
        pool.begin(self)
    }
}
