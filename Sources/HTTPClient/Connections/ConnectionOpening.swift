// How a connection is made: the way to the server, a proxy's tunnel and TLS's handshake, one behind the other.

import Clock
import EventLoop

/// What a connection goes through before anything can be asked over it. It leads to the connection's `begin` or `close`, and is let go.
final class ConnectionOpening {
    /// In this order; a connection without proxy or TLS leaves those steps out.
    private enum Step {
        case connecting(Dialer)
        case tunnelling(ProxyTunnel)
        case handshaking(TLSStream)
    }

    private unowned let connection: Connection
    private var step: Step?
    /// When the last step began: to an address of the server's, or to its handshake.
    private var lastStep = Instant.current
    private let timer: Timer

    /// - Parameter timeout: for name, connection, proxy and TLS together.
    init(_ connection: Connection, within timeout: Duration) {
        self.connection = connection
        timer = Timer(on: connection.context.loop) { [unowned connection] in
            connection.close(.timedOut(.connect, after: timeout))
        }
        timer.set(at: .current + timeout)
    }

    // MARK: Its steps

    /// To be called once. The connection may be open, or closed, when this returns.
    func start() {
        let (pool, context) = (connection.pool, connection.context)
        let dialer = Dialer(
            to: pool.route.target, resolver: context.resolver, nameLifetime: pool.options.nameLifetime,
            acknowledgementMilliseconds: context.acknowledgementMilliseconds, on: context.loop,
            onAttempt: { [unowned self] in lastStep = .current },
            // One that is made to stand ready is worth no more than another that does.
            giveUpDescriptor: { [unowned connection] in connection.trial == nil && context.closeLongestIdle() }
        ) { [unowned self] in dialed($0) }
        step = .connecting(dialer)
        dialer.start()
    }

    private func dialed(_ result: Result<StreamSocket, HTTPError>) {
        let pool = connection.pool
        switch result {
        case .failure(let error): connection.close(pool.route.proxy == nil ? error : error.onWayToProxy)
        case .success(let socket):
            connection.adopt(socket)
            if let proxy = pool.route.proxy, pool.isTunnelled {
                beginTunnel(through: proxy)
            } else {
                connected()
            }
        }
    }

    /// There is a way to the server.
    private func connected() {
        if connection.pool.origin.isSecure {
            beginHandshake()
        } else {
            finish(connection.pool.options.version == .http2 ? .http2 : .http1)
        }
    }

    private func beginTunnel(through proxy: Proxy) {
        let tunnel = ProxyTunnel(to: connection.pool.origin, through: proxy)
        step = .tunnelling(tunnel)
        lastStep = .current
        connection.write(tunnel.request)
    }

    private func beginHandshake() {
        let (pool, context) = (connection.pool, connection.context)
        do throws(HTTPError) {
            let tls = try TLSStream(
                try context.tlsContext(for: pool.options), host: pool.origin.hostWithoutZone, protocols: pool.options.protocols,
                sessions: pool.sessions, output: context.cipher)
            connection.secure(by: tls)
            step = .handshaking(tls)
            lastStep = .current
            goOn()
        } catch {
            connection.close(error)
        }
    }

    private func finish(_ version: Connection.Version) {
        timer.cancel()
        if let onConnected = connection.context.onConnected {
            let certificate = if case .handshaking(let tls) = step { tls.serverCertificate } else { CertificateValidity?.none }
            onConnected(NewConnection(isHTTP2: version == .http2, serverCertificate: certificate))
        }
        connection.begin(version)
    }

    // MARK: From the connection

    /// Whether what comes is the proxy's.
    var isTunnelling: Bool { if case .tunnelling = step { true } else { false } }

    /// Takes what a proxy has sent.
    ///
    /// - Returns: how many of the bytes were the proxy's own; the others are the server's.
    func takeFromProxy(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard case .tunnelling(let tunnel) = step else { return 0 }
        switch unsafe tunnel.take(bytes) {
        case .wantsMore: break
        case .done(let count):
            connected()
            return count
        case .failed(let error): connection.close(error)
        }
        return bytes.count
    }

    /// Goes on with TLS's handshake, if that is what it is at.
    func goOn() {
        guard case .handshaking(let tls) = step else { return }
        let progress = tls.handshake()
        connection.sendCipher()
        switch progress {
        case .wantsMore: break
        case .failed(let error): connection.close(error)
        case .done where tls.negotiated == .http2: finish(.http2)
        case .done where connection.pool.options.version == .http2:
            connection.close(.malformed(reason: "the server speaks no HTTP/2"))
        case .done: finish(.http1)
        }
    }

    /// Nothing more will come.
    func ended() {
        switch step {
        case .handshaking: connection.close(.tls(reason: "the connection ended during the handshake"))
        case .tunnelling: connection.close(.unreachable(reason: "the proxy closed the connection"))
        case .connecting, nil: break
        }
    }

    /// The connection is closed.
    func cancel() {
        timer.cancel()
        if case .connecting(let dialer) = step { dialer.cancel() }
    }

    /// When nothing will have happened for so long that another one may be sooner there, unless something does. Beside one that waits
    /// for the server's name, or for its next address, another would only wait too.
    func hangs(after patience: Duration) -> Instant {
        if case .connecting(let dialer) = step, dialer.goesOn { return connection.context.loop.now + patience }
        return lastStep + patience
    }
}
