// What the TLS connections of a process share: the authorities that are trusted and the certificate that is shown.

import COpenSSL
import EventLoop
import Glibc
import Synchronization

/// What decides about trust and identity. Its files are in PEM.
struct TLSIdentity: Hashable, Sendable {
    /// Instead of the system's authorities, not beside them.
    var authoritiesFile: String?
    /// The client's certificate, and those between it and its authority behind it.
    var certificate: String?
    /// Unless given, the key stands in the certificate's file.
    var certificateKey: String?
}

/// The settings of every connection of one identity: one for each identity in a process, until its files change.
///
/// `@unchecked Sendable`: nothing is changed once `init` is through, and OpenSSL allows connections to be made from one `SSL_CTX`
/// in several threads; its counts and its store of certificates have locks of their own.
@safe final class TLSContext: @unchecked Sendable {
    let pointer: OpaquePointer
    /// How OpenSSL reaches a stream's bytes.
    let transport: OpaquePointer
    /// Whether the system had any authority to trust when this was made.
    private(set) var hasAuthorities = false
    /// When the client's certificate is valid; nil without one.
    private(set) var certificateValidity: CertificateValidity?
    /// Whether OpenSSL wanted a password for a file.
    private var wasAskedForPassword = false

    /// The context of an identity. Its files are read at its first use, and again when they have changed since, or when nobody has used
    /// it for a while.
    ///
    /// - Throws: `HTTPError.tls` with the file's name when one cannot be used.
    static func shared(_ identity: TLSIdentity) throws(HTTPError) -> TLSContext {
        // Before they are read: a change meanwhile is seen the next time.
        let files = identity.files.map { FileStatus($0) }
        return try contexts.withLock { contexts throws(HTTPError) in
            if let known = contexts.known(identity, files) { return known }
            let context = try TLSContext(identity)
            contexts.store(context, identity, files)
            return context
        }
    }

    init(_ identity: TLSIdentity) throws(HTTPError) {
        guard isOpenSSLReady, let transport = unsafe makeTLSTransport() else { throw .unavailable(reason: "no memory for TLS") }
        guard let pointer = unsafe SSL_CTX_new(TLS_client_method()) else {
            unsafe BIO_meth_free(transport)
            throw .unavailable(reason: "no memory for TLS")
        }
        unsafe (self.pointer, self.transport) = unsafe (pointer, transport)
        try setProtocol()
        setSessions()
        hasAuthorities = try trustAuthorities(in: identity.authoritiesFile)
        try showCertificate(of: identity)
        ERR_clear_error()
    }

    deinit {
        unsafe SSL_CTX_free(pointer)
        unsafe BIO_meth_free(transport)
    }

    /// TLS 1.2 or later (RFC 9325 §3.1.1), the peer's certificate checked, buffers given back while nothing is in them.
    private func setProtocol() throws(HTTPError) {
        guard unsafe SSL_CTX_set_min_proto_version(pointer, TLS1_2_VERSION) == 1 else {
            throw .unavailable(reason: "OpenSSL has no TLS 1.2")
        }
        unsafe SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
        _ = unsafe SSL_CTX_refuse_renegotiation_and_compression(pointer)
        _ = unsafe SSL_CTX_set_mode(pointer, Int(SSL_MODE_RELEASE_BUFFERS))
        // A read returns when it has used up what there is, though that held no data.
        _ = unsafe SSL_CTX_clear_mode(pointer, Int(SSL_MODE_AUTO_RETRY))
        // Header and content of a record are taken at once, with those behind it.
        _ = unsafe SSL_CTX_set_read_ahead(pointer, 1)
        countMessages()
    }

    /// One read goes over any number of them.
    private func countMessages() {
        unsafe SSL_CTX_set_msg_callback(pointer) { isSent, _, type, _, _, ssl, _ in
            guard isSent == 0, type == SSL3_RT_HANDSHAKE, let ssl = unsafe ssl else { return }
            unsafe TLSStream.of(ssl)?.countMessage()
        }
    }

    /// Sessions go to the stream's `TLSSessions` and nowhere else.
    private func setSessions() {
        _ = unsafe SSL_CTX_set_session_cache_mode(pointer, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
        unsafe SSL_CTX_sess_set_new_cb(pointer) { ssl, session in
            guard let ssl = unsafe ssl, let session = unsafe session else { return 0 }
            guard let stream = unsafe TLSStream.of(ssl) else { return 0 }
            unsafe stream.store(session)
            return 1
        }
    }

    private func showCertificate(of identity: TLSIdentity) throws(HTTPError) {
        refusePasswords()
        guard let certificate = identity.certificate else {
            if identity.certificateKey != nil { throw .tls(reason: "a key was given without its certificate") }
            return unsafe SSL_CTX_set_client_cert_cb(pointer) { ssl, _, _ in
                if let ssl = unsafe ssl { unsafe TLSStream.of(ssl)?.wasAskedForCertificate = true }
                return 0
            }
        }
        try load("certificate", certificate) { unsafe SSL_CTX_use_certificate_chain_file(pointer, certificate) }
        let key = identity.certificateKey ?? certificate
        try load("key", key) { unsafe SSL_CTX_use_PrivateKey_file(pointer, key, SSL_FILETYPE_PEM) }
        guard unsafe SSL_CTX_check_private_key(pointer) == 1 else { throw .tls(reason: TLSWords.keyOfAnother(file: key)) }
        certificateValidity = unsafe SSL_CTX_get0_certificate(pointer).flatMap { unsafe CertificateValidity($0) }
    }

    /// Otherwise OpenSSL would ask for an encrypted key's password at the terminal.
    private func refusePasswords() {
        unsafe SSL_CTX_set_default_passwd_cb_userdata(pointer, Unmanaged.passUnretained(self).toOpaque())
        unsafe SSL_CTX_set_default_passwd_cb(pointer) { _, _, _, context in
            if let context = unsafe context {
                unsafe Unmanaged<TLSContext>.fromOpaque(context).takeUnretainedValue().wasAskedForPassword = true
            }
            return -1
        }
    }

    /// Runs one of OpenSSL's readers of files, which return 1 for success.
    func load(_ name: StaticString, _ file: String, _ body: () -> Int32) throws(HTTPError) {
        if let obstacle = obstacle(to: file) { throw .tls(reason: "\(name) \(file) cannot be read: \(obstacle)") }
        ERR_clear_error()
        guard body() == 1 else {
            throw .tls(reason: TLSWords.unusableFile(name, file, isEncrypted: wasAskedForPassword))
        }
    }
}

/// Held while files are read, so that they are read once: off the loops, whose connections find their contexts made.
private let contexts = Mutex(KnownContexts())

/// The contexts that somebody uses.
private struct KnownContexts {
    private struct Entry {
        weak var context: TLSContext?
        let files: [FileStatus?]
    }

    private var entries: [TLSIdentity: Entry] = [:]
    /// The one that was made last stays, though nobody uses it yet: the check of the settings lets it go before the start asks for it.
    private var last: TLSContext?

    /// Nil when there is none that was made of these files as they are.
    func known(_ identity: TLSIdentity, _ files: [FileStatus?]) -> TLSContext? {
        guard let entry = entries[identity], entry.files == files else { return nil }
        return entry.context
    }

    mutating func store(_ context: TLSContext, _ identity: TLSIdentity, _ files: [FileStatus?]) {
        last = context
        entries = entries.filter { $0.value.context != nil }
        entries[identity] = Entry(context: context, files: files)
    }
}

extension TLSIdentity {
    /// All that is read for it, directories among them.
    fileprivate var files: [String] {
        let authorities = authoritiesFile.map { [$0] } ?? SystemAuthorities().files
        return authorities + [certificate, certificateKey].compactMap(\.self)
    }
}

/// OpenSSL must not take itself apart in `exit` while another thread is still inside it.
private let isOpenSSLReady = OPENSSL_init_ssl(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1
