// One connection: what is sent and received over it, with TLS or without, until it is closed. `ConnectionOpening` makes it.

import Clock
import EventLoop

/// A connection to a server, from its first packet on. What is spoken over it `HTTP1` and `HTTP2` know.
///
/// Its pool keeps it until it is closed; while a transfer uses it over HTTP/1, the transfer does.
final class Connection {
    /// What is spoken over it.
    enum Version { case http1, http2 }

    /// In this order, and from each straight to `closed`.
    private enum Phase {
        case opening(ConnectionOpening)
        case open(WireProtocol)
        case closed
    }

    unowned let pool: Pool
    let context: SessionContext
    /// The transfer that it is opened for, when that is only there to open it.
    private(set) var trial: Transfer?
    /// When it began to be made.
    let begun: Instant
    /// Whether nobody has had an answer over it and it has not been idle either: then a request that it loses is not tried again.
    var isFresh = true
    private var phase: Phase
    private var socket: StreamSocket?
    private var tls: TLSStream?
    private var timer: Timer?
    private var delivery = DeliveryWatch()
    /// What the socket has not taken yet.
    private var unsent = UnsentBytes()
    private var isPaused = false
    /// While what was received is looked at, all that is to be sent is collected, and goes out in one call.
    private var isCollecting = false
    /// Whether sending has failed. That has used up the socket's error: an end of file behind it proves nothing.
    private var isBroken = false
    /// Whether it was reset, as kernels do for a server that closes it and has not read all.
    private var isReset = false

    init(in pool: Pool, for trial: Transfer?) {
        self.pool = pool
        context = pool.context
        begun = .current
        self.trial = trial
        phase = .closed
    }

    // MARK: Opening

    /// - Parameter timeout: for name, connection, proxy and TLS together.
    func open(within timeout: Duration) {
        let opening = ConnectionOpening(self, within: timeout)
        phase = .opening(opening)
        opening.start()
    }

    /// The socket is connected, to the server or to its proxy.
    func adopt(_ socket: StreamSocket) {
        self.socket = socket
        socket.handler = { [unowned self] in ready($0) }
        updateInterest()
    }

    /// All that comes from now on is TLS's, and so is all that goes.
    func secure(by tls: TLSStream) { self.tls = tls }

    /// All steps to the server are done: it is open.
    func begin(_ version: Version) {
        switch version {
        case .http1: phase = .open(.http1(HTTP1(on: self)))
        case .http2:
            guard let http2 = HTTP2(on: self) else { return close(.unavailable(reason: "out of memory")) }
            phase = .open(.http2(http2))
        }
        updateInterest()
        pool.opened(self, version)
        trial = nil
        // What HTTP/2 begins with has gone out with the first request, if there was one.
        if case .open(.http2(let http2)) = phase { http2.flush() }
    }

    /// In the making: when it will have hung for so long that another one may be sooner there.
    func hangs(after patience: Duration) -> Instant {
        if case .opening(let opening) = phase { opening.hangs(after: patience) } else { begun + patience }
    }

    // MARK: Transfers

    /// Sends a request and lets its transfer have the response.
    ///
    /// - Precondition: it is open, and `hasRoom` or idle.
    func start(_ transfer: Transfer) {
        switch phase {
        case .open(.http1(let http1)): http1.start(transfer)
        case .open(.http2(let http2)): http2.start(transfer)
        case .opening, .closed: transfer.connectionLost(isKept: true)
        }
    }

    /// HTTP/2: whether it can take another stream now.
    var hasRoom: Bool { if case .open(.http2(let http2)) = phase { http2.hasRoom } else { false } }

    /// HTTP/2: since when it has no streams.
    var idleSince: Instant? { if case .open(.http2(let http2)) = phase { http2.idleSince } else { nil } }

    /// HTTP/2, without streams: shows the server that somebody is there, and finds out whether it is.
    func ping() { if case .open(.http2(let http2)) = phase { http2.ping() } }

    /// An idle connection: whether nothing waits to be read, and nothing has come in part. What has is seen to when the loop comes
    /// to it, or to the rest: its end, an answer that nobody asked for, or a word of TLS.
    var isSilent: Bool { tls?.isSilent ?? true && socket?.hasUnreadBytes == false }

    /// Whether all that was written is on its way.
    var isSent: Bool { !isBroken && unsentBytes == 0 }

    /// Once the server has ended it: whether it may have read all that was written. Not where its kernel has not had all of that, and not
    /// where it has closed the connection with something unread (RFC 9293 §3.6.1).
    var mayHaveBeenRead: Bool { isSent && !isReset && socket?.hasUnacknowledgedBytes != true }

    // MARK: Closing

    /// Ends it at once. Transfers that it still serves are the caller's to end.
    ///
    /// - Parameter error: for those who wait for it to be made.
    func close(_ error: HTTPError? = nil) {
        if case .closed = phase { return }
        let former = exchange(&phase, with: .closed)
        timer?.cancel()
        timer = nil
        // The kernel is not to keep a body for long that nobody reads.
        exchange(&delivery, with: DeliveryWatch()).leaveToKernel(socket, context)
        if case .opening(let opening) = former { opening.cancel() }
        if !isBroken, socket != nil, let tls { sendCloseNotify(tls) }
        socket?.close()
        socket = nil
        unsent = UnsentBytes()
        pool.closed(self, error)
        if case .open(.http2(let http2)) = former { http2.connectionClosed() }
    }
}

extension Connection {
    /// An alert or a close_notify, if the socket takes it at once.
    private func sendCloseNotify(_ tls: TLSStream) {
        tls.close()
        if isCollecting { sendUnsent() }
        isCollecting = false
        sendCipher()
    }
}

// MARK: - Sending

extension Connection {
    /// Bytes that wait for the socket: with as many as this, a body waits too.
    static let unsentBytesMax = 64 << 10

    /// A server that makes this process answer and takes no answers, as by TLS's key updates, is not to fill its memory.
    private static let floodBytes = 1 << 20

    /// With what TLS cannot encrypt yet.
    var unsentBytes: Int { unsent.count + (tls?.heldCount ?? 0) }

    /// Whether more of a body can be written now.
    var takesMore: Bool { !isBroken && unsentBytes < Self.unsentBytesMax }

    /// - Parameter bodyBytes: how many bytes of large bodies are to be sent; 0 when there are none any more.
    func willSend(_ bodyBytes: Int) {
        guard bodyBytes > 0 else {
            delivery.bodyEnded()
            if delivery.isOn { checkDelivery() }
            return
        }
        beginDelivery(hasLargeBody: true)
    }

    /// Bytes are to be sent that many bodies may be among, no one of them large: to a server that reads none they are as good as one.
    func willSendShared() { if !delivery.isOn { beginDelivery(hasLargeBody: false) } }

    private func beginDelivery(hasLargeBody: Bool) {
        // Swift checks exclusive access to a stored property at run time for as long as an inout call lasts; a local copy is not
        // checked.
        var delivery = delivery
        delivery.begin(
            over: socket, hasLargeBody: hasLargeBody, Timer(on: context.loop) { [unowned self] in checkDelivery() })
        self.delivery = delivery
    }

    private func checkDelivery() {
        guard let socket else { return }
        var delivery = delivery
        let isLost = delivery.check(socket, isWritten: unsentBytes == 0, context)
        self.delivery = delivery
        if isLost { ended(isProved: false) }
    }

    /// Encrypts where there is TLS, and sends what the socket takes at once; the rest follows.
    func write(_ buffer: OutputBuffer) {
        unsafe buffer.withUnsafeBytes { unsafe write($0) }
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        guard let tls else { return unsafe transmit(bytes) }
        do throws(HTTPError) {
            try unsafe tls.write(bytes)
        } catch {
            fail()
        }
        sendCipher()
    }

    /// Sends what TLS has made for the server.
    func sendCipher() {
        let cipher = context.cipher
        if cipher.isEmpty { return }
        unsafe cipher.withUnsafeBytes { unsafe transmit($0) }
        cipher.removeAll()
    }

    private func transmit(_ bytes: UnsafeRawBufferPointer) {
        guard let socket, !isBroken, bytes.count > 0 else { return }
        let delivery = delivery
        delivery.sending(context)
        var sent = 0
        if unsent.isEmpty, !isCollecting {
            switch unsafe socket.send(bytes) {
            case .bytes(let count): sent = count
            case .nothing: break
            case .failed: return fail()
            }
        }
        guard sent < bytes.count else { return }
        var rest = exchange(&unsent, with: UnsentBytes())
        unsafe rest.append(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
        unsent = rest
        if !isCollecting { waitToSend() }
    }

    /// What has come before the failure may still be read, and then how the connection ended. The peer need not have ended it: the
    /// kernel may have been out of memory, or forbidden to send.
    private func fail() {
        isBroken = true
        unsent = UnsentBytes()
        socket?.shutDown()
    }

    /// - Returns: whether the socket took anything of what waited.
    @discardableResult private func flush() -> Bool {
        let hasProgress = sendUnsent()
        waitToSend(hasProgress: hasProgress)
        if takesMore, case .open(let wire) = phase { wire.canSend() }
        return hasProgress
    }

    /// As much as the socket takes.
    ///
    /// - Returns: whether it took anything.
    @discardableResult private func sendUnsent() -> Bool {
        guard let socket else { return false }
        var rest = exchange(&unsent, with: UnsentBytes())
        let before = rest.count
        let isOver = !rest.send(over: socket)
        let hasProgress = rest.count < before
        unsent = rest
        if isOver { fail() }
        return hasProgress || isOver
    }

    /// A server that takes nothing for too long is lost. While the connection is made, its own time limit holds.
    private func waitToSend(hasProgress: Bool = false) {
        updateInterest()
        guard case .open = phase else { return }
        guard !unsent.isEmpty else {
            timer?.cancel()
            return
        }
        let limit = context.configuration.sendTimeout
        let timer = timer ?? Timer(on: context.loop) { [unowned self] in sendLimitPassed(limit) }
        self.timer = timer
        if hasProgress || !timer.isSet { timer.set(at: .current + limit) }
    }

    /// The kernel says that it takes more only when a good part of its buffer is free: a slow server may have taken something.
    private func sendLimitPassed(_ limit: Duration) {
        if !flush(), !unsent.isEmpty { lost(.timedOut(.send, after: limit)) }
    }

    private func updateInterest() {
        var interest: Readiness = isPaused ? [] : .readable
        if !unsent.isEmpty { interest.insert(.writable) }
        socket?.setInterest(interest)
    }
}

// MARK: - Receiving

extension Connection {
    private func ready(_ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        if !isPaused, !readiness.isDisjoint(with: .anythingToRead) { receive() }
    }

    /// Nothing is read until `resume()`.
    func pause() {
        isPaused = true
        updateInterest()
    }

    func resume() {
        isPaused = false
        updateInterest()
    }

    /// One read, and all that follows from it.
    private func receive() {
        guard let socket else { return }
        let received = unsafe context.received
        switch unsafe socket.receive(into: received) {
        case .bytes(let count):
            isCollecting = true
            unsafe take(UnsafeRawBufferPointer(rebasing: received[..<count]))
            isCollecting = false
            if !unsent.isEmpty { flush() }
            if unsentBytes > Self.floodBytes { lost(.malformed(reason: "a flood of what must be answered")) }
        case .nothing: break
        case .endOfFile: ended(isProved: tls == nil && !isBroken)
        case .failed:
            isReset = true
            ended(isProved: false)
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        switch phase {
        case .opening(let opening) where opening.isTunnelling:
            let count = unsafe opening.takeFromProxy(bytes)
            if count < bytes.count { unsafe take(UnsafeRawBufferPointer(rebasing: bytes[count...])) }
        case .open(let wire) where tls == nil:
            unsafe wire.receive(bytes)
            // It may be closed by now.
            if case .open = phase { wire.settle() }
        case .opening, .open: if tls != nil { unsafe decrypt(bytes) }
        case .closed: break
        }
    }

    private func decrypt(_ bytes: UnsafeRawBufferPointer) {
        guard let tls else { return }
        unsafe tls.input = bytes
        defer { unsafe tls.input = nil }
        if case .opening(let opening) = phase { opening.goOn() }
        while case .open(let wire) = phase {
            let plain = unsafe context.plain
            let read = unsafe tls.read(into: plain)
            do throws(HTTPError) { try tls.writeHeld() } catch { fail() }
            // An alert or a key update is this connection's: what follows may give another one something to send.
            sendCipher()
            switch read {
            case .bytes(let count): unsafe wire.receive(UnsafeRawBufferPointer(rebasing: plain[..<count]))
            case .wantsMore: return wire.settle()
            case .closed: return ended(isProved: true)
            case .failed(let error): return lost(error)
            }
        }
    }

    /// Nothing more will come.
    ///
    /// - Parameter isProved: by the server's own word, and not by a reset, or under TLS by a mere end of file.
    private func ended(isProved: Bool) {
        switch phase {
        case .open(let wire): wire.ended(isProved: isProved)
        case .opening(let opening): opening.ended()
        case .closed: break
        }
    }

    /// It is of no use any more, and neither is what it carries.
    func lost(_ error: HTTPError) {
        switch phase {
        case .open(let wire): wire.lost(error)
        case .opening: close(error)
        case .closed: break
        }
    }
}
