// A TLS server in this process: OpenSSL over buffers in memory.

import COpenSSL
import Glibc

/// What connections to one server share, with them the keys of its tickets.
@safe final class TLSPeerContext {
    let pointer: OpaquePointer

    /// - Parameters:
    ///   - chain: whether the server sends the certificate's issuers, but for the one that is its own.
    ///   - protocolName: what it chooses of the protocols offered, even if it was not.
    init(
        _ certificate: TestCertificate, sendsChain: Bool = true, versions: ClosedRange<Int32> = TLS1_2_VERSION...TLS1_3_VERSION,
        protocolName: StaticString? = nil, configure: (OpaquePointer) -> Void = { _ in }
    ) {
        unsafe pointer = SSL_CTX_new(TLS_server_method())
        // A server that still has what a client must refuse.
        unsafe SSL_CTX_set_security_level(pointer, 0)
        _ = unsafe SSL_CTX_set_min_proto_version(pointer, versions.lowerBound)
        // SSL_CTX_set_max_proto_version(3)
        _ = unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(versions.upperBound), nil)
        precondition(unsafe SSL_CTX_use_certificate(pointer, certificate.pointer) == 1)
        precondition(unsafe SSL_CTX_use_PrivateKey(pointer, certificate.key) == 1)
        if sendsChain { addIssuers(of: certificate) }
        if let protocolName { choose(protocolName) }
        unsafe configure(pointer)
    }

    deinit { unsafe SSL_CTX_free(pointer) }

    private func addIssuers(of certificate: TestCertificate) {
        var next = certificate.issuer
        while let issuer = next {
            // SSL_CTX_add1_chain_cert(3)
            unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_CHAIN_CERT, 1, UnsafeMutableRawPointer(issuer.pointer))
            next = issuer.issuer
        }
    }

    private func choose(_ name: StaticString) {
        let argument = unsafe UnsafeMutableRawPointer(mutating: name.utf8Start)
        unsafe SSL_CTX_set_alpn_select_cb(
            pointer,
            { _, chosen, count, _, _, argument in
                let start = unsafe argument!.assumingMemoryBound(to: UInt8.self)
                unsafe chosen!.pointee = unsafe UnsafePointer(start)
                unsafe count!.pointee = unsafe UInt8(strnlen(start, 32))
                return SSL_TLSEXT_ERR_OK
            }, argument)
    }
}

/// One connection's server side.
@safe final class TLSPeer {
    let pointer: OpaquePointer
    private let context: TLSPeerContext
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer

    init(_ context: TLSPeerContext) {
        self.context = context
        unsafe pointer = SSL_new(context.pointer)
        unsafe (incoming, outgoing) = unsafe (BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()))
        unsafe SSL_set_bio(pointer, incoming, outgoing)
        unsafe SSL_set_accept_state(pointer)
    }

    deinit { unsafe SSL_free(pointer) }

    func receive(_ ciphertext: [UInt8]) {
        if !ciphertext.isEmpty { unsafe BIO_write(incoming, ciphertext, Int32(ciphertext.count)) }
    }

    /// The ciphertext that is to go to the client.
    func takeOutput() -> [UInt8] { unsafe drain(outgoing) }

    func handshake() {
        unsafe SSL_do_handshake(pointer)
        ERR_clear_error()
    }

    func write(_ bytes: [UInt8]) {
        precondition(unsafe SSL_write(pointer, bytes, Int32(bytes.count)) == Int32(bytes.count))
    }

    /// What the client has sent so far.
    func read() -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = unsafe SSL_read(pointer, &buffer, Int32(buffer.count))
            ERR_clear_error()
            guard count > 0 else { return bytes }
            bytes += buffer[..<Int(count)]
        }
    }

    func close() { unsafe SSL_shutdown(pointer) }

    /// Whether the client's close_notify was read.
    var isClosedByClient: Bool { unsafe SSL_get_shutdown(pointer) & SSL_RECEIVED_SHUTDOWN != 0 }
}
