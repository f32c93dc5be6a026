import Glibc

/// nginx with the files of `nginx/`, beside a plain listener with the same locations.
func nginxConfiguration(_ settings: ServerSettings) throws -> ServerConfiguration {
    let directory = settings.directory
    let site = [
        Change("/run/sluice/sluice.sock", to: settings.socket),
        Change("listen 443 ssl", to: "listen 127.0.0.1:\(settings.securePort) ssl"),
        Change("/var/log/nginx/sluice.log", to: directory.path("access.log")),
    ]
    try install(
        ["sluice.conf", "sluice-locations.conf", "server.conf"], from: "nginx", site + settings.changes, in: directory)
    try directory.write(settings.clients.map { "\($0.token) \($0.name);\n" }.joined(), to: "sluice.tokens")
    return try nginx(
        """
        include sluice.conf;
        include server.conf;
        server {
            listen 127.0.0.1:\(settings.plainPort);
            include sluice-locations.conf;
        }
        """, in: directory)
}

/// nginx with a top level of the tests' own, which keeps every file that it writes in the test's directory.
private func nginx(_ content: String, as name: String = "nginx", in directory: TemporaryDirectory) throws -> ServerConfiguration {
    let user = getuid() == 0 ? "user root;" : ""
    let file = try directory.write(
        """
        daemon off;
        \(user)
        pid \(name).pid;
        error_log stderr notice;
        worker_processes 2;
        events { worker_connections 8192; }
        http {
            access_log off;
            client_body_temp_path \(name)-body;
            proxy_temp_path \(name)-proxy;
            fastcgi_temp_path \(name)-fastcgi;
            uwsgi_temp_path \(name)-uwsgi;
            scgi_temp_path \(name)-scgi;
            \(content)
        }

        """, to: "\(name).conf")
    // -e: the compiled-in error log is opened before the file is read.
    return ServerConfiguration(program: "nginx", arguments: ["-e", "stderr", "-p", directory.path, "-c", file])
}

/// An nginx that gives a stub upstream TLS with HTTP/2.
package final class TLSFront: Sendable {
    package let process: ChildProcess
    package let certificate: Certificate
    package let port: UInt16

    package init(for upstream: StubUpstream, in directory: TemporaryDirectory) async throws {
        let certificate = try await Certificate(in: directory)
        let port = try freePort()
        self.certificate = certificate
        self.port = port
        let configuration = try nginx(
            """
            server {
                listen 127.0.0.1:\(port) ssl http2;
                ssl_certificate \(certificate.file);
                ssl_certificate_key \(certificate.key);
                client_max_body_size 0;
                location / {
                    proxy_pass http://127.0.0.1:\(upstream.port);
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_set_header X-Front-Protocol $server_protocol;
                    proxy_set_header X-Connection-Requests $connection_requests;
                    proxy_buffering off;
                    proxy_read_timeout 10m;
                }
            }
            """, as: "tls", in: directory)
        process = try ChildProcess(configuration.program, configuration.arguments, in: directory, lastSignal: SIGTERM)
        try await process.accepts { try Socket.connected(port: port) }
    }

    /// For `--upstream`.
    package var url: String { "https://localhost:\(port)/v1" }
}
