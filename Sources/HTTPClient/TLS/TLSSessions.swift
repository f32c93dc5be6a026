// Sessions that shorten the next handshake with the same server.

import COpenSSL
import Glibc

/// The sessions of one origin and identity, for one thread.
///
/// A ticket of TLS 1.3 is used once, so that nobody on the way can tell that two connections are the same client's (RFC 8446
/// §C.4); the session of TLS 1.2 serves until there is a newer one. The first stream decides whose these are: a stream of another
/// host or context neither gets nor leaves any.
final class TLSSessions {
    static let countMax = 8
    /// A resumed session brings new tickets without its certificate being checked again: once a day it is (RFC 8446 §4.6.1).
    static let secondsSinceCheckMax = 24 * 60 * 60

    /// A session that is owned here, and when its certificate was checked, in seconds since 1970.
    @safe struct Session {
        let pointer: OpaquePointer
        let checkedAt: Int
    }

    /// The newest last.
    private var sessions: [Session] = []
    private var owner: (context: ObjectIdentifier, host: String)?

    deinit {
        for session in sessions { unsafe SSL_SESSION_free(session.pointer) }
    }

    var count: Int { sessions.count }

    /// Whether these are the sessions of a host and context. The first to ask becomes the owner.
    func belong(to host: String, _ context: TLSContext) -> Bool {
        let asking = ObjectIdentifier(context)
        guard let owner else {
            self.owner = (asking, host)
            return true
        }
        return owner.context == asking && owner.host.utf8.elementsEqual(host.utf8)
    }

    /// Sets the newest session on a connection that begins.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Returns: when the certificate of it was checked; nil when there is no session.
    func resume(_ ssl: OpaquePointer, at now: Int = time(nil)) -> Int? {
        drop { !isUsable($0, at: now) }
        guard let session = sessions.last else { return nil }
        let isSet = unsafe SSL_set_session(ssl, session.pointer) == 1
        if unsafe !isSet || SSL_SESSION_get_protocol_version(session.pointer) >= TLS1_3_VERSION { removeLast() }
        return isSet ? session.checkedAt : nil
    }

    /// Takes a session over.
    func store(_ session: OpaquePointer, checkedAt: Int) {
        if unsafe SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION { drop { _ in true } }
        if count == Self.countMax { unsafe SSL_SESSION_free(sessions.removeFirst().pointer) }
        unsafe sessions.append(Session(pointer: session, checkedAt: checkedAt))
    }

    private func removeLast() {
        unsafe SSL_SESSION_free(sessions.removeLast().pointer)
    }

    private func drop(where isBad: (Session) -> Bool) {
        sessions.removeAll { session in
            let isDropped = isBad(session)
            if isDropped { unsafe SSL_SESSION_free(session.pointer) }
            return isDropped
        }
    }

    private func isUsable(_ session: Session, at now: Int) -> Bool {
        let age = unsafe now - Int(SSL_SESSION_get_time(session.pointer))
        // time(2) may be a tick, and so a second's turn, behind the clock that OpenSSL reads; more than that is a clock set back.
        guard unsafe SSL_SESSION_is_resumable(session.pointer) == 1, age >= -1 else { return false }
        guard unsafe age < lifetime(of: session.pointer) else { return false }
        guard now - session.checkedAt < Self.secondsSinceCheckMax else { return false }
        return unsafe isCertificateValid(of: session.pointer, at: now)
    }

    /// In seconds: what the server said, and no more than OpenSSL's own limit.
    private func lifetime(of session: OpaquePointer) -> Int {
        let limit = unsafe Int(SSL_SESSION_get_timeout(session))
        let told = unsafe Int(SSL_SESSION_get_ticket_lifetime_hint(session))
        return told > 0 ? min(limit, told) : limit
    }

    private func isCertificateValid(of session: OpaquePointer, at now: Int) -> Bool {
        guard let certificate = unsafe SSL_SESSION_get0_peer(session) else { return false }
        var now = time_t(now)
        return unsafe X509_cmp_time(X509_get0_notAfter(certificate), &now) > 0
    }
}
