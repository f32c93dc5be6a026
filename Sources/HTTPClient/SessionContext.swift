// What all connections of a session share.

import Clock
import EventLoop

/// The loop, the limits and the memory that the connections of a session use in turn, so that none owns it.
///
/// It holds no connection but the idle ones, and outlives the session if one of them does.
@safe final class SessionContext {
    let loop: EventLoop
    let configuration: Session.Configuration
    let keptHeaders: [HeaderPattern]?
    let clientFields: ClientFields
    let resolver: Resolver
    /// What a socket gave. As with all buffers here, nothing in it outlives the call that filled it.
    let received: UnsafeMutableRawBufferPointer
    /// What TLS made of it, a record at a time (RFC 8446 §5.1).
    let plain: UnsafeMutableRawBufferPointer
    /// A request, or frames, before they are sent.
    let output = OutputBuffer()
    /// What TLS made of them.
    let cipher = OutputBuffer()
    /// See `Session.onConnected`.
    var onConnected: ((NewConnection) -> Void)?
    /// Connections that nobody uses, the longest idle one first.
    private(set) var idle: [Connection] = []
    /// Above it the longest idle one is closed.
    var idleConnectionsMax: Int {
        didSet { while idle.count > idleConnectionsMax { closeLongestIdle() } }
    }

    init(on loop: EventLoop, _ configuration: Session.Configuration, _ resolver: Resolver) {
        self.loop = loop
        self.configuration = configuration
        self.resolver = resolver
        idleConnectionsMax = configuration.idleConnectionsMax
        clientFields = ClientFields(userAgent: configuration.userAgent)
        keptHeaders = configuration.keptHeaders?.map { HeaderPattern($0) }
        unsafe received = .allocate(byteCount: 64 << 10, alignment: 16)
        unsafe plain = .allocate(byteCount: 16 << 10, alignment: 16)
    }

    deinit {
        unsafe received.deallocate()
        unsafe plain.deallocate()
    }

    /// See `StreamSocket.setAcknowledgementTimeout(_:)`.
    var acknowledgementMilliseconds: UInt32 {
        UInt32(clamping: max(1, configuration.acknowledgementTimeout.nanoseconds / 1_000_000))
    }

    /// - Throws: `HTTPError.tls` when a file of authorities, of the certificate or of its key cannot be used.
    func tlsContext(for options: ConnectionOptions) throws(HTTPError) -> TLSContext {
        try options.tlsContext(authoritiesFile: configuration.authoritiesFile)
    }

    // MARK: Idle connections

    /// The longest idle one goes when there are too many: it may be this one.
    func addIdle(_ connection: Connection) {
        // As `OutputBuffer.change`.
        var idle = exchange(&self.idle, with: [])
        idle.append(connection)
        self.idle = idle
        if idle.count > idleConnectionsMax { closeLongestIdle() }
    }

    /// Whether there was one.
    @discardableResult func closeLongestIdle() -> Bool {
        guard let longest = idle.first else { return false }
        longest.close()
        return true
    }

    /// Calls take those that were used last, which stand at the end.
    func removeIdle(_ connection: Connection) {
        guard let place = idle.lastIndex(where: { $0 === connection }) else { return }
        var idle = exchange(&self.idle, with: [])
        idle.remove(at: place)
        self.idle = idle
    }
}
