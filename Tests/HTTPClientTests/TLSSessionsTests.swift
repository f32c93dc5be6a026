import COpenSSL
import Glibc
import Testing

@testable import HTTPClient

private let day = 24 * 60 * 60

/// A server and a client of it, whose connections may resume each other.
private final class Origin {
    let context: TLSContext
    let server: TLSPeerContext
    let sessions = TLSSessions()

    /// - Parameters:
    ///   - lifetime: of the server's tickets, in seconds.
    ///   - validity: of its certificate, in seconds.
    init(_ version: Int32, tickets: Int = 2, lifetime: Int = 6 * day, validity: Int = 30 * day) throws {
        let authority = TestCertificate(.authority())
        let certificate = TestCertificate(
            TestCertificate.Kind(names: "DNS:localhost,DNS:other", validity: -3_600...validity), by: authority)
        context = try .trusting(authority)
        server = unsafe TLSPeerContext(certificate, versions: version...version) { pointer in
            unsafe SSL_CTX_set_num_tickets(pointer, tickets)
            unsafe SSL_CTX_set_timeout(pointer, lifetime)
        }
    }

    func exchange(_ sessions: TLSSessions? = nil, host: String = "localhost") throws -> TLSExchange {
        try TLSExchange(context, server, host: host, sessions: sessions ?? self.sessions)
    }

    /// Shakes hands and reads the tickets; whether an earlier session shortened that.
    @discardableResult
    func connect(_ sessions: TLSSessions? = nil, host: String = "localhost") throws -> Bool {
        try finish(exchange(sessions, host: host))
    }

    func finish(_ exchange: TLSExchange) throws -> Bool {
        try #expect(exchange.handshake() == nil)
        #expect(exchange.read() == ([], .wantsMore))
        return exchange.stream.isResumed
    }

    /// When the session was checked that a connection would use at some time.
    func checkedAt(after seconds: Int) -> Int? {
        let ssl = unsafe SSL_new(context.pointer)!
        defer { unsafe SSL_free(ssl) }
        return unsafe sessions.resume(ssl, at: time(nil) + seconds)
    }
}

@Suite(.timeLimit(.minutes(5))) struct TLSSessionsTests {
    @Test func `a ticket of TLS 1·3 shortens one handshake`() throws {
        let origin = try Origin(TLS1_3_VERSION)
        try #expect(!origin.connect())
        #expect(origin.sessions.count == 2)
        let streams = try (0..<3).map { _ in try origin.exchange() }
        #expect(origin.sessions.count == 0)
        let areResumed = try streams.map(origin.finish)
        #expect(areResumed == [true, true, false])
    }

    @Test func `a session of TLS 1·2 shortens any number of handshakes`() throws {
        let origin = try Origin(TLS1_2_VERSION)
        try #expect(!origin.connect())
        let streams = try (0..<3).map { _ in try origin.exchange() }
        let areResumed = try streams.map(origin.finish)
        #expect(areResumed == [true, true, true])
        #expect(origin.sessions.count == 1)
    }

    @Test func `of many tickets the eight newest are kept`() throws {
        let origin = try Origin(TLS1_3_VERSION, tickets: 20)
        try origin.connect()
        #expect(origin.sessions.count == 8)
        try #expect(origin.connect())
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `another host or identity neither uses sessions nor leaves any`(version: Int32) throws {
        let origin = try Origin(version)
        try origin.connect()
        let count = origin.sessions.count
        try #expect(!origin.connect(host: "other"))
        let stranger = try Origin(version)
        try #expect(!stranger.connect(origin.sessions))
        #expect(origin.sessions.count == count)
        try #expect(origin.connect())
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `a session is used as long as the server said`(version: Int32) throws {
        let origin = try Origin(version, lifetime: 1_000)
        try origin.connect()
        #expect(origin.checkedAt(after: 900) != nil)
        #expect(origin.checkedAt(after: 1_001) == nil)
        #expect(origin.sessions.count == 0)
    }

    @Test func `a session is not used before its time, when the clock was set back`() throws {
        let origin = try Origin(TLS1_3_VERSION)
        try origin.connect()
        #expect(origin.checkedAt(after: -1_000) == nil)
        #expect(origin.sessions.count == 0)
    }

    /// Seen by a clock that is a tick behind the one that the session was made by.
    @Test func `a session of the next second is used`() throws {
        let origin = try Origin(TLS1_3_VERSION)
        try origin.connect()
        #expect(origin.checkedAt(after: -1) != nil)
    }

    @Test func `a session is not used after its certificate`() throws {
        let origin = try Origin(TLS1_3_VERSION, validity: 3_600)
        try origin.connect()
        #expect(origin.checkedAt(after: 3_500) != nil)
        #expect(origin.checkedAt(after: 3_700) == nil)
    }

    @Test func `sessions that follow each other are used for a day, then the certificate is checked again`() throws {
        let origin = try Origin(TLS1_3_VERSION)
        try origin.connect()
        let checkedAt = time(nil) - day + 600
        let ssl = unsafe SSL_new(origin.context.pointer)!
        defer { unsafe SSL_free(ssl) }
        _ = unsafe origin.sessions.resume(ssl)
        // The same session, had it been checked long ago.
        let chain = TLSSessions()
        unsafe chain.store(SSL_get1_session(ssl)!, checkedAt: checkedAt)
        try #expect(origin.connect(chain))
        let next = unsafe SSL_new(origin.context.pointer)!
        defer { unsafe SSL_free(next) }
        #expect(chain.count == 1)
        #expect(unsafe chain.resume(next, at: time(nil) + 601) == nil)
        #expect(chain.count == 0)
    }

    @Test func `a connection that failed spoils its session`() throws {
        let origin = try Origin(TLS1_2_VERSION)
        let exchange = try origin.exchange()
        try #expect(exchange.handshake() == nil)
        exchange.peer.write([1, 2, 3])
        exchange.arriving = exchange.peer.takeOutput()
        exchange.arriving[exchange.arriving.count - 1] ^= 1
        guard case .failed = exchange.read().end else {
            Issue.record("it did not fail")
            return
        }
        let next = try origin.exchange()
        #expect(origin.sessions.count == 0)
        try #expect(!origin.finish(next))
    }

    @Test func `sessions that are not kept any more are freed`() {
        let freed = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        defer { unsafe freed.deallocate() }
        unsafe freed.initialize(to: 0)
        let sessions = TLSSessions()
        for _ in 0..<10 { unsafe sessions.store(makeSession(counting: freed), checkedAt: 0) }
        #expect(unsafe freed.pointee == 2)
        do {
            let others = TLSSessions()
            for _ in 0..<3 { unsafe others.store(makeSession(counting: freed), checkedAt: 0) }
            #expect(others.count == 3)
        }
        #expect(unsafe freed.pointee == 5)
        let context = unsafe SSL_CTX_new(TLS_client_method())
        let ssl = unsafe SSL_new(context)!
        // Empty ones cannot be resumed.
        #expect(unsafe sessions.resume(ssl) == nil)
        #expect(unsafe freed.pointee == 13)
        unsafe SSL_free(ssl)
        unsafe SSL_CTX_free(context)
    }

    @Test func `a server that forgot its keys gets a whole handshake`() throws {
        let origin = try Origin(TLS1_3_VERSION)
        try origin.connect()
        var keys = [UInt8](repeating: 7, count: 80)
        unsafe SSL_CTX_ctrl(origin.server.pointer, SSL_CTRL_SET_TLSEXT_TICKET_KEYS, keys.count, &keys)
        try #expect(!origin.connect())
        try #expect(origin.connect())
    }
}

/// An empty session of TLS 1.3 that adds one to a number when it is freed.
private func makeSession(counting freed: UnsafeMutablePointer<Int>) -> OpaquePointer {
    let session = unsafe SSL_SESSION_new()!
    unsafe SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION)
    unsafe SSL_SESSION_set_ex_data(session, counterIndex, freed)
    return unsafe session
}

private let counterIndex = unsafe CRYPTO_get_ex_new_index(
    CRYPTO_EX_INDEX_SSL_SESSION, 0, nil, nil, nil,
    { _, counter, _, _, _, _ in
        if let counter = unsafe counter?.assumingMemoryBound(to: Int.self) { unsafe counter.pointee += 1 }
    })
