// TLS between a connection's bytes and a socket's, over OpenSSL. There is no socket in here.

import COpenSSL
import Glibc

/// A protocol that a client offers within the handshake (RFC 7301).
enum ALPN: Sendable {
    case http2, http1

    /// The name as it is sent.
    var name: [UInt8] {
        switch self {
        case .http2: Array("h2".utf8)
        case .http1: Array("http/1.1".utf8)
        }
    }
}

/// The client's side of one TLS connection: ciphertext comes in through ``input`` and goes out through ``output``.
///
/// Set `input`, call `handshake` until it is done, then `read` until it wants more; `write` and `close` at any time in between.
/// A step that failed is final: the same error comes from all later ones. The alert that tells the server stands in `output`.
@safe final class TLSStream {
    enum Progress { case done, wantsMore, failed(HTTPError) }

    enum Read {
        case bytes(Int)
        /// All of the input is used up.
        case wantsMore
        /// The peer's close_notify was read: an end that nobody on the way can forge (RFC 8446 §6.1).
        case closed
        case failed(HTTPError)
    }

    private enum State { case handshaking, open, failed(HTTPError) }

    /// Messages of TLS's own (tickets, key updates, requests to renegotiate) without data between them. Servers send two or four tickets
    /// at once.
    static let messagesMax = 64
    /// How much of such a message OpenSSL keeps until it is whole. A ticket has a few hundred bytes, or some thousands with a client's
    /// certificates in it, but may have 128 KiB (RFC 8446 §4.6.1).
    static let messageBytesMax = 32 << 10

    /// Ciphertext that was received, valid during the calls that follow; consumed from its start.
    var input: UnsafeRawBufferPointer?
    /// Where ciphertext to send is appended, by any call.
    let output: OutputBuffer
    /// What the server chose; nil when it chose none.
    private(set) var negotiated: ALPN?
    /// Whether the server asked for a certificate and there was none to show.
    var wasAskedForCertificate = false

    private let pointer: OpaquePointer
    private let context: TLSContext
    private let host: TLSHost
    private let protocols: [ALPN]
    private let sessions: TLSSessions?
    private var state = State.handshaking
    /// When the certificate of the session to be resumed was checked.
    private var checkedAt: Int?
    /// Whether OpenSSL asked for more input than there was during the last call.
    private var isStarved = false
    /// Whether the last read has left nothing, neither here nor with OpenSSL: the next one need not ask it.
    private var isDrained = false
    /// Messages of TLS's own, of which each read of data makes up for one.
    private(set) var messages = 0
    /// Ciphertext that was taken since the last data or whole message.
    private var bytesWithoutEnd = 0
    /// Where the ciphertext that was taken ends.
    private var records = TLSRecordBounds()
    /// What is to be encrypted when a message of TLS's own that has come in part is whole: until then OpenSSL writes nothing.
    private var held: [UInt8] = []

    /// - Parameters:
    ///   - host: a DNS name in ASCII, or a numeric address (of IPv6 without brackets).
    ///   - protocols: in the order of preference; none offers no choice.
    ///   - output: ciphertext to send is appended there during any call.
    /// - Throws: `HTTPError.tls` for a host that no certificate can name, `HTTPError.unavailable` without memory.
    init(
        _ context: TLSContext, host: String, protocols: [ALPN], sessions: TLSSessions, output: OutputBuffer
    ) throws(HTTPError) {
        let host = try TLSHost(host)
        guard let pointer = unsafe SSL_new(context.pointer) else { throw .unavailable(reason: "no memory for TLS") }
        unsafe (self.pointer, self.context, self.host) = unsafe (pointer, context, host)
        (self.protocols, self.output) = (protocols, output)
        self.sessions = sessions.belong(to: host.name, context) ? sessions : nil
        try connectTransport()
        try unsafe host.check(by: pointer)
        try offerProtocols()
        checkedAt = unsafe self.sessions?.resume(pointer)
    }

    deinit {
        // Without a close_notify on its way OpenSSL holds the session for spoilt, except after a failure, when it is.
        if case .open = state { unsafe SSL_set_shutdown(pointer, SSL_SENT_SHUTDOWN | SSL_get_shutdown(pointer)) }
        unsafe SSL_free(pointer)
    }

    private func connectTransport() throws(HTTPError) {
        let myself = unsafe Unmanaged.passUnretained(self).toOpaque()
        guard unsafe SSL_set_ex_data(pointer, 0, myself) == 1, let bio = unsafe BIO_new(context.transport) else {
            throw .unavailable(reason: "no memory for TLS")
        }
        unsafe BIO_set_data(bio, myself)
        unsafe BIO_set_init(bio, 1)
        unsafe SSL_set_bio(pointer, bio, bio)
        unsafe SSL_set_connect_state(pointer)
    }

    private func offerProtocols() throws(HTTPError) {
        let list = protocols.flatMap { [UInt8($0.name.count)] + $0.name }
        // Of OpenSSL's functions this one returns 0 for success.
        guard unsafe list.isEmpty || SSL_set_alpn_protos(pointer, list, UInt32(list.count)) == 0 else {
            throw .unavailable(reason: "no memory for TLS")
        }
    }
}

extension TLSStream {
    /// Whether the handshake was shortened by an earlier session.
    var isResumed: Bool { unsafe SSL_session_reused(pointer) == 1 }

    /// When the server's certificate is valid, behind the handshake; nil when it says nothing that is a date.
    var serverCertificate: CertificateValidity? {
        unsafe SSL_get0_peer_certificate(pointer).flatMap { unsafe CertificateValidity($0) }
    }

    func handshake() -> Progress {
        switch state {
        case .open: return .done
        case .failed(let error): return .failed(error)
        case .handshaking: break
        }
        begin()
        let result = unsafe SSL_do_handshake(pointer)
        if result == 1 { return finishHandshake() }
        return unsafe SSL_get_error(pointer, result) == SSL_ERROR_WANT_READ ? .wantsMore : .failed(fail())
    }

    /// What OpenSSL has decided is asked for again: a connection that was not verified goes no further.
    private func finishHandshake() -> Progress {
        guard unsafe SSL_get_verify_result(pointer) == Int(X509_V_OK), unsafe SSL_get0_peer_certificate(pointer) != nil else {
            return .failed(fail(.tls(reason: "the certificate was not verified")))
        }
        guard let choice = choice() else {
            return .failed(fail(.tls(reason: "the server chose a protocol that was not offered")))
        }
        negotiated = choice
        messages = 0
        state = .open
        return .done
    }

    /// The server's choice, or that there is none; nil for one that was not offered.
    private func choice() -> ALPN?? {
        var start: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        unsafe SSL_get0_alpn_selected(pointer, &start, &count)
        guard count > 0 else { return .some(nil) }
        let name = unsafe UnsafeBufferPointer(start: start, count: Int(count))
        guard let choice = protocols.first(where: { unsafe $0.name.elementsEqual(name) }) else { return nil }
        return .some(choice)
    }

    /// Why nothing can be read or written. OpenSSL would shake hands in a read, past the checks here.
    private var obstacle: HTTPError? {
        switch state {
        case .open: nil
        case .failed(let error): error
        case .handshaking: .tls(reason: "the handshake is not done")
        }
    }

    /// Decrypts into `buffer`, which is not empty, at most one record.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Read {
        if let error = obstacle { return .failed(error) }
        if exchange(&isDrained, with: false), unsafe input?.isEmpty ?? true { return pause() }
        var count = 0
        while true {
            begin()
            let hasRead = unsafe SSL_read_ex(pointer, buffer.baseAddress, buffer.count, &count) == 1
            if messages >= Self.messagesMax { return .failed(fail(.tls(reason: "a flood of records without data"))) }
            if hasRead {
                messages = max(0, messages - 1)
                bytesWithoutEnd = 0
                isDrained = unsafe (input?.isEmpty ?? true) && SSL_has_pending(pointer) == 0
                return .bytes(count)
            }
            if let outcome = outcomeWithoutBytes() { return outcome }
        }
    }

    /// Nil when there may be more than what was read, which held no data.
    private func outcomeWithoutBytes() -> Read? {
        switch unsafe SSL_get_error(pointer, 0) {
        case SSL_ERROR_WANT_READ: isStarved ? pause() : nil
        case SSL_ERROR_ZERO_RETURN: .closed
        default: .failed(fail())
        }
    }

    /// To read a ticket OpenSSL sets up a buffer to write, 16 KiB that would stay as long as the connection is silent.
    private func pause() -> Read {
        if bytesWithoutEnd > Self.messageBytesMax, isInsideMessage {
            return .failed(fail(.tls(reason: "a message without data that is too large")))
        }
        // OpenSSL before 3.0.14 and 3.2.2 would free a buffer of which it still uses the header of a record (CVE-2024-4741).
        if records.isBetweenRecords { _ = unsafe SSL_free_buffers(pointer) }
        return .wantsMore
    }

    /// Whether a message of TLS's own has come in part.
    private var isInsideMessage: Bool { unsafe SSL_in_init(pointer) != 0 }

    /// Whether nothing has come in part, and nothing waits to be sent.
    var isSilent: Bool { records.isBetweenRecords && held.isEmpty && !isInsideMessage }

    /// Encrypts all of `bytes`, or keeps them for `writeHeld`.
    ///
    /// - Throws: when the handshake is not done, after a failure and after `close`.
    func write(_ bytes: UnsafeRawBufferPointer) throws(HTTPError) {
        if let error = obstacle { throw error }
        guard bytes.count > 0 else { return }
        let isWritten = held.isEmpty ? try unsafe encrypt(bytes) : false
        if !isWritten { unsafe held.append(contentsOf: bytes) }
    }

    /// How many bytes of what was to be written are kept.
    var heldCount: Int { held.count }

    /// Encrypts what was kept, if that is possible by now: to be called behind each read.
    ///
    /// - Throws: as `write`.
    func writeHeld() throws(HTTPError) {
        guard !held.isEmpty, !isInsideMessage else { return }
        if let error = obstacle { throw error }
        let bytes = exchange(&held, with: [])
        let span = unsafe bytes.span.bytes
        let isWritten = try unsafe span.withUnsafeBytes { bytes throws(HTTPError) in try unsafe encrypt(bytes) }
        if !isWritten { held = bytes }
    }

    /// - Returns: false where OpenSSL has a message to read first, and has taken nothing.
    private func encrypt(_ bytes: UnsafeRawBufferPointer) throws(HTTPError) -> Bool {
        begin()
        var count = 0
        if unsafe SSL_write_ex(pointer, bytes.baseAddress, bytes.count, &count) == 1, count == bytes.count { return true }
        if unsafe SSL_get_error(pointer, 0) == SSL_ERROR_WANT_READ { return false }
        throw fail()
    }

    /// Says that nothing more will be written (RFC 8446 §6.1). The peer's own end is not waited for.
    func close() {
        guard case .open = state else { return }
        begin()
        _ = unsafe SSL_shutdown(pointer)
        ERR_clear_error()
    }

    /// What an earlier connection of this thread left must not be taken for this one's. To clear what is empty costs OpenSSL a
    /// thousand instructions.
    private func begin() {
        if ERR_peek_error() != 0 { ERR_clear_error() }
        isStarved = false
    }

    private func fail(_ error: HTTPError? = nil) -> HTTPError {
        let error = error ?? .tls(reason: reason)
        ERR_clear_error()
        state = .failed(error)
        return error
    }

    private var reason: String {
        let verdict = unsafe SSL_get_verify_result(pointer)
        guard verdict == Int(X509_V_OK) else {
            return TLSWords.verification(verdict, host: host.name, hasAuthorities: context.hasAuthorities)
        }
        let isOpen = if case .open = state { true } else { false }
        return TLSWords.failure(ERR_peek_error(), isOpen: isOpen, wasAskedForCertificate: wasAskedForCertificate)
    }
}

// What OpenSSL calls back for.
extension TLSStream {
    /// The stream of an `SSL`, during its calls.
    static func of(_ ssl: OpaquePointer) -> TLSStream? {
        unsafe SSL_get_ex_data(ssl, 0).map { unsafe Unmanaged<TLSStream>.fromOpaque($0).takeUnretainedValue() }
    }

    /// A message of TLS's own has come.
    func countMessage() {
        messages += 1
        bytesWithoutEnd = 0
        // One read would go over all that have come. What follows an end is thrown away.
        guard messages >= Self.messagesMax, case .open = state else { return }
        unsafe SSL_set_shutdown(pointer, SSL_get_shutdown(pointer) | SSL_RECEIVED_SHUTDOWN)
    }

    /// Takes a new session over, which came by this connection.
    func store(_ session: OpaquePointer) {
        let checkedAt = isResumed ? checkedAt : nil
        guard let sessions else { return unsafe SSL_SESSION_free(session) }
        unsafe sessions.store(session, checkedAt: checkedAt ?? time(nil))
    }

    /// Moves bytes of the input to `buffer`, and says how many.
    func takeInput(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard let input = unsafe input, let start = input.baseAddress, input.count > 0 else {
            isStarved = true
            return 0
        }
        let count = min(buffer.count, input.count)
        let taken = unsafe UnsafeRawBufferPointer(start: start, count: count)
        unsafe buffer.copyMemory(from: taken)
        unsafe records.pass(taken)
        bytesWithoutEnd += count
        unsafe self.input = unsafe UnsafeRawBufferPointer(rebasing: input[count...])
        return count
    }
}
