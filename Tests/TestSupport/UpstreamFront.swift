// A real server's protocols in front of a stub upstream: TLS, HTTP/2.

import Foundation

/// An nginx in front of a stub upstream, with a listener of the test's choice.
package final class UpstreamFront: Sendable {
    package let port: UInt16
    private let process: ChildProcess

    /// - Parameters:
    ///   - listen: what stands behind the address, as `ssl` or `http2`.
    ///   - directives: of its `server`.
    package init(
        for upstream: StubUpstream, listen: String, _ directives: [String], in directory: TemporaryDirectory
    ) async throws {
        port = try freePort()
        let lines = ["listen 127.0.0.1:\(port) \(listen);"] + directives.map { "\($0);" }
        let server = "server { \(lines.joined(separator: "\n")) \(location(of: upstream)) }"
        let configuration = try nginx(server, as: "front-\(port)", in: directory)
        process = try await configuration.start(at: port, lastSignal: SIGTERM, in: directory)
    }

    /// One with TLS.
    package convenience init(
        for upstream: StubUpstream, _ certificate: Authority.Issued, http2: Bool = true, _ directives: [String] = [],
        in directory: TemporaryDirectory
    ) async throws {
        let files = ["ssl_certificate \(certificate.file)", "ssl_certificate_key \(certificate.key)"]
        try await self.init(for: upstream, listen: http2 ? "ssl http2" : "ssl", files + directives, in: directory)
    }

    package func end() async throws { try await process.end() }
}

/// An nginx that stands in front of another web server, as a proxy that somebody has put there.
///
/// - Parameters:
///   - origin: the port of that server, without TLS.
///   - directives: of its `location`.
package func startProxy(
    before origin: UInt16, _ directives: [String], in directory: TemporaryDirectory
) async throws -> (port: UInt16, process: ChildProcess) {
    let lines = directives.map { "\($0);" }.joined(separator: "\n")
    return try await startServer("location / { proxy_pass http://127.0.0.1:\(origin); \(lines) }", in: directory)
}

/// An nginx with one server of the test's own.
///
/// - Parameters:
///   - listen: what stands behind the address, as `ssl http2`.
///   - content: of its `server`.
package func startServer(
    listen: String = "", _ content: String, in directory: TemporaryDirectory
) async throws -> (port: UInt16, process: ChildProcess) {
    let port = try freePort()
    let server = """
        server {
            listen 127.0.0.1:\(port) \(listen);
            server_tokens off;
            client_max_body_size 8m;
            keepalive_timeout 5m;
            \(content)
        }
        """
    let process = try await nginx(server, as: "proxy-\(port)", in: directory).start(
        at: port, lastSignal: SIGTERM, in: directory)
    return (port, process)
}
