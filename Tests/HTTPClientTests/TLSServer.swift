// A real nginx with TLS and HTTP/2, and certificates made for the occasion.

import Glibc
import TestSupport

/// An nginx of the test's own, in a temporary directory, in front of a script.
final class TLSServer: Sendable {
    let port: UInt16
    /// The certificate is for `localhost` only, and signed by itself.
    let certificateFile: String
    var url: String { "https://localhost:\(port)/" }
    private let nginx: ChildProcess

    /// - Parameters:
    ///   - backend: the port of 127.0.0.1 that nginx passes requests on to.
    ///   - rules: more lines for the configuration of the server.
    init(backend: UInt16, protocols: String = "http2", rules: String = "") async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path
        let certificate = try await Certificate(for: "DNS:localhost", in: directory)
        certificateFile = certificate.file
        let port = try freePort()
        self.port = port
        let configuration = """
            daemon off; master_process off; pid \(path)/pid; error_log \(path)/error.log;
            events {}
            http {
                access_log \(path)/access.log;
                client_body_temp_path \(path)/body; proxy_temp_path \(path)/proxy; fastcgi_temp_path \(path)/fastcgi;
                uwsgi_temp_path \(path)/uwsgi; scgi_temp_path \(path)/scgi;
                server {
                    listen 127.0.0.1:\(port) ssl \(protocols); server_name localhost;
                    ssl_certificate \(certificate.file); ssl_certificate_key \(certificate.key);
                    \(rules)
                    location / {
                        proxy_pass http://127.0.0.1:\(backend); proxy_buffering off; proxy_http_version 1.1;
                        proxy_set_header X-Connection $connection; proxy_set_header X-Protocol $server_protocol;
                    }
                }
            }
            """
        let file = try directory.write(configuration, to: "nginx.conf")
        nginx = try ChildProcess("nginx", ["-c", file, "-e", "\(path)/error.log"], in: directory)
        try await nginx.accepts { try Socket.connected(port: port) }
    }
}

/// The number of the connection that `TLSServer` got the request on.
func connection(of request: String?) -> Substring? {
    request?.split(separator: "\r\n").first { $0.hasPrefix("X-Connection") }
}
