// One request's response, as it comes.

import CCurl
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

    private enum State { case running(EasyHandle), ended, failed(HTTPError) }

    // What each read of a stream touches stands together: with thousands open, every cache line is a miss.
    private let session: Session
    /// Woken when there may be something new: by whoever reads without `head(until:)` and `next(until:)`.
    package let wakeup: Wakeup
    private var unread: [UInt8] = []
    private var bytesReceived = 0
    private var state: State
    private var isPaused = false
    /// Whether a callback has asked for its end; what still comes is not kept.
    private var isDoomed = false
    private var isHeadTaken = false
    private var parser = HeadParser()
    private let request: Outline
    private let start: Instant
    private var timer: Timer?
    /// Its index among the session's transfers.
    var place = 0
    /// The connection that it goes over, TLS included, once there is one.
    private(set) var connection: Connection?
    /// Told of its end where nobody reads it: how it failed, or the socket that libcurl keeps open, if it does.
    var onEnd: ((Transfer, Result<Int32?, HTTPError>) -> Void)?

    /// What is left of a request once libcurl has it.
    struct Outline {
        let url: String
        let isSecure: Bool
        let connectTimeout: Duration
        let totalTimeout: Duration
        let bodyBytes: Int
    }

    init(_ request: Outline, _ handle: EasyHandle, waking wakeup: Wakeup, in session: Session) {
        self.session = session
        self.request = request
        start = .current
        self.wakeup = wakeup
        state = .running(handle)
        handle.call(self)
    }

    // MARK: Reading

    /// The final response's status and headers once they are whole, and once only; `nil` while they are on their way.
    ///
    /// - Throws: what became of the transfer instead.
    package func takeHead() throws(HTTPError) -> ResponseHead? {
        switch state {
        case .failed(let error) where !parser.isComplete || error == .cancelled: throw error
        case .ended where !parser.isComplete: throw .cutOff(afterBytes: 0)
        case .running where !parser.isComplete: return nil
        case .failed, .ended, .running: break
        }
        precondition(!isHeadTaken, "the head has been handed over")
        isHeadTaken = true
        dropSentRequest()
        return parser.take()
    }

    /// Waits for `takeHead()`.
    ///
    /// - Returns: `nil` when the deadline came first; the transfer goes on.
    /// - Throws: as `takeHead()`.
    package func head(until deadline: Instant? = nil) async throws(HTTPError) -> ResponseHead? {
        while true {
            if let head = try takeHead() { return head }
            if hasPassed(deadline) { return nil }
            await wakeup.wait(until: deadline)
        }
    }

    /// Whether there are bytes of the body to take.
    package var hasBytes: Bool { !unread.isEmpty }

    /// Whether nothing more will come: the response is whole, or it failed.
    package var isOver: Bool { handle == nil }

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
            if hasPassed(deadline) { return .deadline }
            await wakeup.wait(until: deadline)
        }
    }

    /// Hands over all bytes that have come, perhaps none, and forgets them.
    ///
    /// A response that was held back because nobody took its bytes flows again.
    package func takeBytes() -> [UInt8] {
        let bytes = exchange(&unread, with: [])
        if isPaused { unpause() }
        return bytes
    }

    /// Takes an array that is of no more use, for bytes to come: whichever transfer they come for, so that a silent one owns none.
    package func recycle(_ buffer: consuming [UInt8]) { session.spareBuffers.give(buffer) }

    private func hasPassed(_ deadline: Instant?) -> Bool {
        guard let deadline else { return false }
        return session.loop.now >= deadline
    }

    /// A long chat's request would otherwise stay in memory for as long as its answer takes.
    private func dropSentRequest() {
        guard request.bodyBytes > 0, case .running(let handle) = state, handle.bytesSent >= request.bodyBytes else { return }
        handle.dropRequest()
    }

    // MARK: Ending

    /// Ends the transfer at once: when this returns its connection is closed (HTTP/1) or its stream has been reset (HTTP/2;
    /// with libcurl before 8.15 a connection that has no other stream is closed instead).
    ///
    /// Bytes that have not been taken are gone. A second call does nothing.
    package func cancel() {
        if case .running = state { fail(.cancelled) }
        state = .failed(.cancelled)
        session.spareBuffers.give(exchange(&unread, with: []))
    }

    func fail(_ error: HTTPError) { end(.failed(error)) }

    /// libcurl has finished with the transfer.
    func finish(_ code: CURLcode) {
        guard case .running(let handle) = state else { return }
        guard code != CURLE_OK else { return end(.ended) }
        let failure = Failure(
            code: code, reason: handle.reason, systemError: handle.systemError, url: request.url,
            connectTimeout: request.connectTimeout, isConnected: connection != nil, isHeadComplete: parser.isComplete,
            bytesReceived: bytesReceived)
        end(.failed(failure.error))
    }

    private func end(_ end: State) {
        guard case .running(let handle) = state else { return }
        state = end
        isPaused = false
        timer?.cancel()
        let socket = isTrial ? handle.socket : nil
        session.remove(self, handle)
        wakeup.wake()
        if case .failed(let error) = end { onEnd?(self, .failure(error)) } else { onEnd?(self, .success(socket)) }
    }

    // MARK: Deadlines

    /// One timer holds both: it moves on to the total deadline when that of the connection has passed in time.
    func setDeadlines() {
        let timer = Timer(on: session.loop) { [unowned self] in deadlinePassed() }
        self.timer = timer
        timer.set(at: start + min(request.connectTimeout, request.totalTimeout))
    }

    private func deadlinePassed() {
        let total = start + request.totalTimeout
        if session.loop.now >= total {
            fail(.timedOut(.total, after: request.totalTimeout))
        } else if connection != nil {
            timer?.set(at: total)
        } else {
            fail(.timedOut(.connect, after: request.connectTimeout))
        }
    }
}

// MARK: - From libcurl

extension Transfer {
    /// Its handle, while libcurl works on it.
    var handle: EasyHandle? { if case .running(let handle) = state { handle } else { nil } }

    /// Whether it is there for its connection only, and not for a response.
    var isTrial: Bool { onEnd != nil }

    var isMultiplexed: Bool { parser.isMultiplexed }

    /// Whether its response is whole.
    var isWhole: Bool { if case .ended = state { true } else { false } }

    /// Whether libcurl has begun to send its request, and so has a stream for it where the connection is HTTP/2.
    var isSent: Bool { parser.isComplete || (handle?.bytesSent ?? 0) > 0 }

    /// The connection that other transfers may share with it.
    var sharedConnection: Connection? {
        request.isSecure && (parser.isMultiplexed || !parser.isComplete) ? connection : nil
    }

    /// From the callback before the request is sent. A second time means that the connection before was a kept one, and dead. An
    /// upstream that has closed one has often closed all; libcurl would try five more and give up, so the third time is on a
    /// fresh one, which it does not take for dead whatever becomes of it.
    func connected(over connection: Connection) {
        if self.connection != nil { handle?.useFreshConnection() }
        self.connection = connection
    }

    /// From the header callback, a whole line a call.
    func receive(line: Span<UInt8>) {
        guard !isDoomed, !parser.isComplete else { return }
        guard parser.add(line, keeping: session.keptHeaders) else {
            return doom(.headTooLarge(bytesMax: HeadParser.bytesMax))
        }
        if parser.isComplete { wakeup.wake() }
    }

    /// From the write callback, also from inside `unpause()`. The number of bytes taken, or what makes libcurl pause.
    func receive(_ bytes: Span<UInt8>) -> Int {
        if isDoomed { return bytes.count }
        if parser.isMultiplexed {
            if unread.count + bytes.count > session.configuration.unreadMultiplexedBytesMax {
                doom(.readerTooSlow(unreadBytes: unread.count))
                return bytes.count
            }
        } else if unread.count >= session.configuration.unreadBytesMax {
            isPaused = true
            return Int(CURL_WRITEFUNC_PAUSE)
        }
        append(bytes)
        return bytes.count
    }

    private func doom(_ error: HTTPError) {
        isDoomed = true
        session.doom(self, error)
    }

    /// Wakes the reader for the first bytes only: the others of this turn it finds when it looks.
    private func append(_ bytes: Span<UInt8>) {
        guard !bytes.isEmpty else { return }
        bytesReceived += bytes.count
        let wasEmpty = unread.isEmpty
        if unread.capacity == 0 { unread = session.spareBuffers.take() }
        unsafe bytes.withUnsafeBufferPointer { unsafe unread.append(contentsOf: $0) }
        if wasEmpty { wakeup.wake() }
    }

    /// What libcurl held back may pause the transfer again.
    private func unpause() {
        isPaused = false
        if let handle { session.unpause(self, handle) }
    }
}

/// What tells one connection from another: two to the same peer have different ports here.
struct Connection: Equatable {
    let localPort: Int32
    let peerPort: Int32
    let peer: String
}
