// A script's end of a TLS connection, record by record.

import COpenSSL
import Foundation
import TestSupport

@testable import HTTPClient

/// The server's end of a connection of a script with TLS, record by record.
final class SecurePeer {
    let peer: Peer
    let tls: TLSPeer
    private var input: [UInt8] = []

    /// Shakes hands; `nil` when the client has gone before the end.
    init?(_ peer: Peer, _ context: TLSPeerContext) {
        self.peer = peer
        tls = TLSPeer(context)
        while unsafe SSL_is_init_finished(tls.pointer) == 0 {
            guard let bytes = peer.some() else { return nil }
            tls.receive(bytes)
            tls.handshake()
            peer.send(tls.takeOutput())
        }
        input = tls.read()
    }

    /// The next request, head and body; `nil` when the client has closed.
    func request() -> String? {
        while true {
            let text = String(decoding: input, as: UTF8.self)
            if let end = text.range(of: "\r\n\r\n") {
                let field = text.split(separator: "Content-Length: ").dropFirst().first
                let length = field.flatMap { Int($0.prefix { $0.isNumber }) }
                let total = text.utf8.distance(from: text.startIndex, to: end.upperBound) + (length ?? 0)
                if input.count >= total {
                    defer { input.removeFirst(total) }
                    return String(decoding: input.prefix(total), as: UTF8.self)
                }
            }
            guard let bytes = peer.some() else { return nil }
            tls.receive(bytes)
            input += tls.read()
        }
    }

    /// Waits for something that the client has to say; false when it has closed.
    func hasInput() -> Bool {
        while input.isEmpty {
            guard let bytes = peer.some() else { return false }
            tls.receive(bytes)
            input += tls.read()
        }
        return true
    }

    /// The text as one record of ciphertext, together with whatever else is to be sent.
    func record(_ text: String) -> [UInt8] { records(Array(text.utf8)) }

    /// The same for any bytes.
    func records(_ bytes: [UInt8]) -> [UInt8] {
        tls.write(bytes)
        return tls.takeOutput()
    }

    func send(_ text: String) { peer.send(record(text)) }

    /// A close_notify.
    func goodbye() -> [UInt8] {
        tls.close()
        return tls.takeOutput()
    }

    /// Says that nothing more will come.
    func close() { peer.send(goodbye()) }

    /// A NewSessionTicket of TLS 1.3.
    func ticket() -> [UInt8] {
        unsafe SSL_new_session_ticket(tls.pointer)
        tls.handshake()
        return tls.takeOutput()
    }

    /// A KeyUpdate that asks for another in return.
    func keyUpdate() -> [UInt8] {
        unsafe SSL_key_update(tls.pointer, SSL_KEY_UPDATE_REQUESTED)
        tls.handshake()
        return tls.takeOutput()
    }
}

/// Where a script speaks TLS: what a client has to trust, and the server's side.
struct SecureSite: Sendable {
    let file: String
    private let directory: TemporaryDirectory
    private let authority: Boxed

    /// OpenSSL's objects count their references for all threads.
    private final class Boxed: @unchecked Sendable {
        let context: TLSPeerContext
        init(_ context: TLSPeerContext) { self.context = context }
    }

    init(versions: ClosedRange<Int32> = TLS1_2_VERSION...TLS1_3_VERSION) throws {
        let authority = TestCertificate(.authority())
        directory = try TemporaryDirectory()
        file = try directory.write(authority.pem, to: "authority.pem")
        self.authority = Boxed(unsafe TLSPeerContext(TestCertificate(by: authority), versions: versions))
    }

    var context: TLSPeerContext { authority.context }

    func server(_ script: @escaping @Sendable (SecurePeer) -> Void) throws -> ScriptServer {
        try ScriptServer { peer in
            guard let secure = SecurePeer(peer, context) else { return }
            script(secure)
        }
    }
}

extension ScriptServer {
    var secureURL: String { "https://localhost:\(port)/chat/completions" }
}
