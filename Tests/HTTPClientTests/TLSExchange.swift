// A stream and a server, and what is on its way between them.

import COpenSSL
import TestSupport
import Testing

@testable import HTTPClient

@safe final class TLSExchange {
    let stream: TLSStream
    let peer: TLSPeer
    let output = OutputBuffer()
    /// Ciphertext on its way to the stream.
    var arriving: [UInt8] = []
    /// How much of it arrives at once.
    var step = Int.max
    /// What the stream's last step has put out.
    private(set) var lastOutput: [UInt8] = []

    init(
        _ context: TLSContext, _ server: TLSPeerContext, host: String = "localhost", protocols: [ALPN] = [.http2, .http1],
        sessions: TLSSessions = TLSSessions()
    ) throws {
        stream = try TLSStream(context, host: host, protocols: protocols, sessions: sessions, output: output)
        peer = TLSPeer(server)
    }

    /// Calls the stream with the next bytes as its input.
    private func withInput<Result>(_ body: () -> Result) -> Result {
        let bytes = Array(arriving.prefix(step))
        let result = unsafe bytes.withUnsafeBytes { bytes in
            unsafe stream.input = bytes
            let result = body()
            do throws(HTTPError) { try stream.writeHeld() } catch { Issue.record("\(error)") }
            unsafe arriving.removeFirst(bytes.count - (stream.input?.count ?? 0))
            unsafe stream.input = nil
            return result
        }
        lastOutput = output.bytes
        peer.receive(output.bytes)
        output.removeAll()
        return result
    }

    /// Shakes hands to the end. Nil is success; a handshake that stalls throws.
    func handshake() throws -> HTTPError? {
        var idle = 0
        while idle < 3 {
            idle = arriving.isEmpty ? idle + 1 : 0
            switch withInput(stream.handshake) {
            case .done: return finish()
            case .failed(let error): return error
            case .wantsMore: exchange()
            }
        }
        throw Stalled()
    }

    private func finish() -> HTTPError? {
        exchange()
        return nil
    }

    func exchange() {
        peer.handshake()
        arriving += peer.takeOutput()
    }

    enum End: Equatable { case wantsMore, closed, failed(HTTPError) }

    /// Reads until there is no more, and says why.
    func read(upTo bytesMax: Int = 16 << 10) -> (bytes: [UInt8], end: End) {
        arriving += peer.takeOutput()
        var buffer = [UInt8](repeating: 0, count: bytesMax)
        var bytes: [UInt8] = []
        while true {
            switch withInput({ unsafe buffer.withUnsafeMutableBytes { unsafe stream.read(into: $0) } }) {
            case .bytes(let count): bytes += buffer[..<count]
            case .wantsMore: if arriving.isEmpty { return (bytes, .wantsMore) }
            case .closed: return (bytes, .closed)
            case .failed(let error): return (bytes, .failed(error))
            }
        }
    }

    func write(_ bytes: [UInt8]) throws {
        try unsafe bytes.withUnsafeBytes { try unsafe stream.write($0) }
        peer.receive(output.bytes)
        output.removeAll()
    }

    func close() {
        stream.close()
        peer.receive(output.bytes)
        output.removeAll()
    }

    struct Stalled: Error {}
}

extension TLSContext {
    /// Trusts one authority alone, shared by nobody.
    static func trusting(
        _ authority: TestCertificate, certificate: String? = nil, key: String? = nil
    ) throws -> TLSContext {
        let directory = try TemporaryDirectory()
        let file = try directory.write(authority.pem, to: "authority.pem")
        return try TLSContext(TLSIdentity(authoritiesFile: file, certificate: certificate, certificateKey: key))
    }
}

extension HTTPError {
    /// The reason of a failure of TLS.
    var tlsReason: String? {
        if case .tls(let reason) = self { reason } else { nil }
    }
}
