// How nginx is configured and started.

import Foundation
import Synchronization

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
    try settings.writeTokens()
    let plain = try directory.read("server.conf").split(separator: "\n")
        .filter { !$0.contains("    ssl_") }.joined(separator: "\n")
        .replacing("listen 127.0.0.1:\(settings.securePort) ssl http2", with: "listen 127.0.0.1:\(settings.plainPort)")
    try directory.write(plain, to: "plain.conf")
    return try nginx(
        """
        include sluice.conf;
        include server.conf;
        include plain.conf;
        """, in: directory)
}

/// nginx with a top level of the tests' own, which keeps every file that it writes in the test's directory.
func nginx(
    _ content: String, as name: String = "nginx", processes: String = "worker_processes 2;", in directory: TemporaryDirectory
) throws -> ServerConfiguration {
    let user = getuid() == 0 ? "user root;" : ""
    let file = try directory.write(
        """
        daemon off;
        \(user)
        pid \(name).pid;
        error_log stderr notice;
        \(processes)
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

/// An nginx that gives a stub upstream TLS, with HTTP/2 unless told otherwise.
package final class TLSFront: Sendable {
    package let certificate: Certificate
    package let port: UInt16
    private let configuration: ServerConfiguration
    private let directory: TemporaryDirectory
    private let process: Mutex<ChildProcess>
    private let frozen = Mutex<[pid_t]>([])

    package init(for upstream: StubUpstream, http2: Bool = true, in directory: TemporaryDirectory) async throws {
        let port = try freePort()
        certificate = try await Certificate(in: directory)
        self.port = port
        self.directory = directory
        configuration = try nginx(
            """
            server {
                listen 127.0.0.1:\(port) ssl \(http2 ? "http2" : "");
                ssl_certificate \(certificate.file);
                ssl_certificate_key \(certificate.key);
                \(location(of: upstream))
            }
            """, as: "tls", in: directory)
        process = Mutex(try await configuration.start(at: port, lastSignal: SIGTERM, in: directory))
    }

    /// For `--upstream`.
    package var url: String { "https://localhost:\(port)/v1" }

    /// Ends it in good order, which closes the connections that are idle, and starts it anew at its port.
    package func restart() async throws {
        let old = process.withLock { $0 }
        old.signal(SIGQUIT)
        _ = try await old.exited()
        let new = try await configuration.start(at: port, lastSignal: SIGTERM, in: directory)
        process.withLock { $0 = new }
    }

    /// Stops its workers, with every connection that they have: they say nothing more, while the kernel acknowledges what comes. New
    /// workers serve new connections.
    package func freeze() async throws {
        let master = process.withLock { $0 }
        let old = Self.workers(in: master.errors.value)
        for worker in old { kill(worker, SIGSTOP) }
        frozen.withLock { $0 += old }
        master.signal(SIGHUP)
        try await master.errors.wait(for: "new workers") { Self.workers(in: $0).count >= 2 * old.count }
    }

    /// It tells of each in its log.
    private static func workers(in log: Output) -> [pid_t] {
        log.lines.compactMap { line in
            line.range(of: "start worker process ").flatMap { pid_t(line[$0.upperBound...]) }
        }
    }

    package func end() async throws {
        for worker in frozen.withLock({ $0 }) { kill(worker, SIGCONT) }
        try await process.withLock { $0 }.end()
    }
}

/// Starts an nginx of a single process in front of a stub upstream: killed, it takes its connections with it and leaves the port
/// free for the next one, while the stub knows what it was asked.
package func startRelay(to upstream: StubUpstream, at port: UInt16, in directory: TemporaryDirectory) async throws -> ChildProcess
{
    let server = "server { listen 127.0.0.1:\(port); \(location(of: upstream)) }"
    let configuration = try nginx(server, as: "relay", processes: "master_process off;", in: directory)
    return try await configuration.start(at: port, lastSignal: SIGKILL, in: directory)
}

/// Without `lingering_close off` an end in good order waits seconds for clients to close their side.
func location(of upstream: StubUpstream) -> String {
    """
    client_max_body_size 0;
    lingering_close off;
    location / {
        proxy_pass http://127.0.0.1:\(upstream.port);
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header X-Front-Protocol $server_protocol;
        proxy_set_header X-Connection-Requests $connection_requests;
        proxy_set_header X-Connection-Port $remote_port;
        proxy_buffering off;
        proxy_read_timeout 10m;
    }
    """
}

extension ServerConfiguration {
    /// Starts the server and waits until it accepts.
    func start(at port: UInt16, lastSignal: Int32, in directory: TemporaryDirectory) async throws -> ChildProcess {
        let process = try ChildProcess(program, arguments, in: directory, lastSignal: lastSignal)
        try await process.accepts { try Socket.connected(port: port) }
        return process
    }
}
