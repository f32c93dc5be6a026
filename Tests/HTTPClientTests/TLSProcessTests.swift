import Glibc
import TestSupport
import Testing

@testable import HTTPClient

/// `openssl s_server`, which sends each line back in reverse, and a stream over a socket to it.
private final class ReversingServer {
    let directory: TemporaryDirectory
    let context: TLSContext
    let process: ChildProcess
    let port: UInt16

    init(_ options: [String]) async throws {
        directory = try TemporaryDirectory()
        let authority = TestCertificate(.authority())
        let certificate = TestCertificate(by: authority)
        let file = try directory.write(certificate.pem + certificate.keyPEM(), to: "server.pem")
        context = try .trusting(authority)
        process = try ChildProcess(
            "openssl", ["s_server", "-4", "-accept", "127.0.0.1:0", "-rev", "-cert", file] + options, in: directory)
        let line = try await ChildProcess.line(containing: "ACCEPT", in: process.output)
        port = try #require(line.split(separator: ":").last.flatMap { UInt16($0) })
    }
}

@safe private final class SocketStream {
    let stream: TLSStream
    private let socket: Socket
    private let output = OutputBuffer()
    private var received: [UInt8] = []

    init(_ server: ReversingServer, _ sessions: TLSSessions) throws {
        stream = try TLSStream(
            server.context, host: "localhost", protocols: [.http2, .http1], sessions: sessions, output: output)
        socket = try Socket.connected(port: server.port)
    }

    /// Runs a step, and sends what it put out.
    private func step<Result>(_ body: () throws -> Result) throws -> Result {
        let result = try unsafe received.withUnsafeBytes { bytes in
            unsafe stream.input = bytes
            defer { unsafe stream.input = nil }
            let result = try body()
            return (result, unsafe stream.input?.count ?? 0)
        }
        received = Array(received.suffix(result.1))
        if !output.bytes.isEmpty { try socket.write(output.bytes) }
        output.removeAll()
        return result.0
    }

    /// Whether there was more before the end of the transport.
    private func receive() throws -> Bool {
        let more = try socket.read()
        received += more
        return !more.isEmpty
    }

    func handshake() throws -> HTTPError? {
        while true {
            switch try step({ stream.handshake() }) {
            case .done: return nil
            case .failed(let error): return error
            case .wantsMore: if try !receive() { return .refused }
            }
        }
    }

    func write(_ text: String) throws {
        try step { try unsafe Array(text.utf8).withUnsafeBytes { try unsafe stream.write($0) } }
    }

    /// - Returns: nil at the end of the transport.
    func read() throws -> TLSStream.Read? {
        var buffer = [UInt8](repeating: 0, count: 1_000)
        while true {
            let read = try step { unsafe buffer.withUnsafeMutableBytes { unsafe stream.read(into: $0) } }
            guard case .wantsMore = read else { return read }
            if try !receive() { return nil }
        }
    }
}

@Suite struct TLSProcessTests {
    @Test(arguments: ["-tls1_2", "-tls1_3"], [("h2", ALPN.http2), ("http/1.1", .http1)])
    func `openssl's own server answers, and resumes`(version: String, protocolName: (String, ALPN)) async throws {
        let server = try await ReversingServer([version, "-alpn", protocolName.0])
        let sessions = TLSSessions()
        for isResumed in [false, true, true] {
            let client = try SocketStream(server, sessions)
            try #expect(client.handshake() == nil)
            #expect(client.stream.negotiated == protocolName.1)
            try client.write("hello\n")
            guard case .bytes(6) = try client.read() else {
                Issue.record("no answer")
                return
            }
            #expect(client.stream.isResumed == isResumed)
        }
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `a transport that ends without close_notify is no end`(version: String) async throws {
        let server = try await ReversingServer([version])
        let client = try SocketStream(server, TLSSessions())
        try #expect(client.handshake() == nil)
        try client.write("hello\n")
        guard case .bytes(6) = try client.read() else {
            Issue.record("no answer")
            return
        }
        server.process.signal(SIGKILL)
        let end = try client.read()
        #expect(end == nil)
    }
}
