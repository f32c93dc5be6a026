// One connection: how it is made and closed, and what is sent and received over it, with TLS or without.

import Clock
import EventLoop

/// A connection to a server, from its first packet on. What is spoken over it `HTTP1` and `HTTP2` know.
///
/// Its pool keeps it until it is closed; while a transfer uses it over HTTP/1, the transfer does.
final class Connection {
    /// What is spoken over it.
    enum Version { case http1, http2 }

    /// In this order, and from each straight to `closed`; a connection without proxy or TLS leaves those phases out.
    private enum Phase {
        case connecting(Dialer)
        case tunnelling(ProxyTunnel)
        case handshaking
        case open(WireProtocol)
        case closed
    }

    unowned let pool: Pool
    let context: SessionContext
    /// The transfer that it is opened for, when that is only there to open it.
    private(set) var trial: Transfer?
    /// When it began to be made.
    let begun: Instant
    /// When the last step of its making began: to an address of the server's, or to its handshake.
    private var lastStep: Instant
    /// Whether nobody has had an answer over it and it has not been idle either: then a request that it loses is not tried again.
    var isFresh = true
    private var phase: Phase
    private var socket: StreamSocket?
    private var tls: TLSStream?
    /// Whether what was received under TLS ends with a whole record.
    private var records = TLSRecordBounds()
    private var timer: Timer?
    private var delivery = DeliveryWatch()
    /// What the socket has not taken yet.
    private var unsent = UnsentBytes()
    private var isPaused = false
    /// While what was received is looked at, all that is to be sent is collected, and goes out in one call.
    private var isCollecting = false
    /// Whether sending has failed. That has used up the socket's error: an end of file behind it proves nothing.
    private var isBroken = false

    init(in pool: Pool, for trial: Transfer?) {
        self.pool = pool
        context = pool.context
        begun = .current
        lastStep = begun
        self.trial = trial
        phase = .closed
    }

    // MARK: Opening

    /// - Parameter timeout: for name, connection, proxy and TLS together.
    func open(within timeout: Duration) {
        let timer = Timer(on: context.loop) { [unowned self] in close(.timedOut(.connect, after: timeout)) }
        self.timer = timer
        timer.set(at: .current + timeout)
        let dialer = Dialer(
            to: pool.route.target, resolver: context.resolver, nameLifetime: pool.options.nameLifetime,
            acknowledgementMilliseconds: context.acknowledgementMilliseconds, on: context.loop,
            onAttempt: { [unowned self] in lastStep = .current },
            // One that is made to stand ready is worth no more than another that does.
            giveUpDescriptor: { [unowned self] in trial == nil && context.closeLongestIdle() }
        ) { [unowned self] in dialed($0) }
        phase = .connecting(dialer)
        dialer.start()
    }

    private func dialed(_ result: Result<StreamSocket, HTTPError>) {
        switch result {
        case .failure(let error): close(pool.route.proxy == nil ? error : error.onWayToProxy)
        case .success(let socket):
            self.socket = socket
            socket.handler = { [unowned self] in ready($0) }
            if let proxy = pool.route.proxy, pool.isTunnelled {
                beginTunnel(through: proxy)
            } else {
                connected()
            }
        }
    }

    /// There is a way to the server.
    private func connected() {
        if pool.origin.isSecure {
            beginHandshake()
        } else {
            begin(pool.options.version == .http2 ? .http2 : .http1)
        }
    }

    private func beginTunnel(through proxy: Proxy) {
        let tunnel = ProxyTunnel(to: pool.origin, through: proxy)
        phase = .tunnelling(tunnel)
        lastStep = .current
        updateInterest()
        write(tunnel.request)
    }

    private func beginHandshake() {
        do throws(HTTPError) {
            tls = try TLSStream(
                try context.tlsContext(for: pool.options), host: pool.origin.hostWithoutZone, protocols: pool.options.protocols,
                sessions: pool.sessions, output: context.cipher)
            phase = .handshaking
            lastStep = .current
            updateInterest()
            handshake()
        } catch {
            close(error)
        }
    }

    private func handshake() {
        guard let tls else { return }
        let progress = tls.handshake()
        sendCipher()
        switch progress {
        case .wantsMore: break
        case .failed(let error): close(error)
        case .done where tls.negotiated == .http2: begin(.http2)
        case .done where pool.options.version == .http2: close(.malformed(reason: "the server speaks no HTTP/2"))
        case .done: begin(.http1)
        }
    }

    private func begin(_ version: Version) {
        timer?.cancel()
        timer = nil
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

    /// In the making: when nothing will have happened for so long that another one may be sooner there, unless something does.
    /// Beside one that waits for the server's name, or for its next address, another would only wait too.
    func hangs(after patience: Duration) -> Instant {
        if case .connecting(let dialer) = phase, dialer.goesOn { return context.loop.now + patience }
        return lastStep + patience
    }

    // MARK: Transfers

    /// Sends a request and lets its transfer have the response.
    ///
    /// - Precondition: it is open, and `hasRoom` or idle.
    func start(_ transfer: Transfer) {
        switch phase {
        case .open(.http1(let http1)): http1.start(transfer)
        case .open(.http2(let http2)): http2.start(transfer)
        case .connecting, .tunnelling, .handshaking, .closed: transfer.connectionLost(isKept: true)
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
    var isSilent: Bool { records.isBetweenRecords && socket?.hasUnreadBytes == false }

    /// Whether all that was written is on its way.
    var isSent: Bool { !isBroken && unsent.isEmpty }

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
        if case .connecting(let dialer) = former { dialer.cancel() }
        if !isBroken, socket != nil, let tls { sayGoodbye(tls) }
        socket?.close()
        socket = nil
        unsent = UnsentBytes()
        pool.closed(self, error)
        if case .open(.http2(let http2)) = former { http2.connectionClosed() }
    }
}

extension Connection {
    /// An alert or a close_notify, if the socket takes it at once.
    private func sayGoodbye(_ tls: TLSStream) {
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

    var unsentBytes: Int { unsent.count }

    /// Whether more of a body can be written now.
    var takesMore: Bool { !isBroken && unsentBytes < Self.unsentBytesMax }

    /// - Parameter bodyBytes: how many bytes of large bodies are to be sent; 0 when there are none any more.
    func willSend(_ bodyBytes: Int) {
        guard bodyBytes > 0 else {
            delivery.bodyEnded()
            if delivery.isOn { checkDelivery() }
            return
        }
        // In a copy: an access that lasts while others are called would have each access to it checked as the program runs.
        var delivery = delivery
        delivery.begin(over: socket, Timer(on: context.loop) { [unowned self] in checkDelivery() })
        self.delivery = delivery
    }

    private func checkDelivery() {
        guard let socket else { return }
        var delivery = delivery
        let isLost = delivery.check(socket, isWritten: unsent.isEmpty, context)
        self.delivery = delivery
        if isLost { ended(isProved: false) }
    }

    /// Encrypts where there is TLS, and sends what the socket takes at once; the rest follows.
    func write(_ buffer: OutputBuffer) {
        unsafe buffer.withUnsafeBytes { unsafe write($0) }
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        guard let tls, !isTunnelling else { return unsafe transmit(bytes) }
        do throws(HTTPError) {
            try unsafe tls.write(bytes)
        } catch {
            fail()
        }
        sendCipher()
    }

    private var isTunnelling: Bool { if case .tunnelling = phase { true } else { false } }

    private func sendCipher() {
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
        if hasProgress || !timer.isSet { timer.set(at: context.loop.now + limit) }
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
            if unsent.count > Self.floodBytes { lost(.malformed(reason: "a flood of what must be answered")) }
        case .nothing: break
        case .endOfFile: ended(isProved: tls == nil && !isBroken)
        case .failed: ended(isProved: false)
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        switch phase {
        case .tunnelling(let tunnel): unsafe takeTunnel(tunnel.take(bytes), bytes)
        case .handshaking, .open:
            if tls != nil {
                unsafe records.pass(bytes)
                return unsafe decrypt(bytes)
            }
            if case .open(let wire) = phase { unsafe wire.receive(bytes) }
            if case .open(let wire) = phase { wire.settle() }
        case .connecting, .closed: break
        }
    }

    private func takeTunnel(_ result: ProxyTunnel.Progress, _ bytes: UnsafeRawBufferPointer) {
        switch result {
        case .wantsMore: break
        case .done(let count):
            connected()
            if count < bytes.count { unsafe take(UnsafeRawBufferPointer(rebasing: bytes[count...])) }
        case .failed(let error): close(error)
        }
    }

    private func decrypt(_ bytes: UnsafeRawBufferPointer) {
        guard let tls else { return }
        unsafe tls.input = bytes
        defer { unsafe tls.input = nil }
        if case .handshaking = phase { handshake() }
        while case .open(let wire) = phase {
            let plain = unsafe context.plain
            let read = unsafe tls.read(into: plain)
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
        case .handshaking: close(.tls(reason: "the connection ended during the handshake"))
        case .tunnelling: close(.unreachable(reason: "the proxy closed the connection"))
        case .connecting, .closed: break
        }
    }

    /// It is of no use any more, and neither is what it carries.
    func lost(_ error: HTTPError) {
        switch phase {
        case .open(let wire): wire.lost(error)
        case .connecting, .tunnelling, .handshaking: close(error)
        case .closed: break
        }
    }
}
