// A real nginx with TLS and HTTP/2, and certificates made for the occasion.

import Foundation
import Glibc

/// An nginx of the test's own, in a temporary directory, in front of a script.
final class TLSServer {
    private(set) var port: UInt16 = 0
    let directory: URL
    /// The certificate is for `localhost` only, and signed by itself.
    var certificateFile: String { directory.appending(path: "certificate.pem").path }
    var url: String { "https://localhost:\(port)/" }
    private var nginx = Process()

    /// - Parameters:
    ///   - backend: the port of 127.0.0.1 that nginx passes requests on to.
    ///   - rules: more lines for the configuration of the server.
    init(backend: UInt16, protocols: String = "http2", rules: String = "") throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "sluice-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try makeCertificate()
        // Somebody else may take the port before nginx does.
        for _ in 0..<5 where try start(backend, protocols, rules) { return }
        throw POSIXError(.EADDRINUSE)
    }

    deinit {
        // It inherits the signal mask of a dispatch queue's thread, which blocks SIGTERM.
        kill(nginx.processIdentifier, SIGKILL)
        nginx.waitUntilExit()
        do { try FileManager.default.removeItem(at: directory) } catch { print("left behind: \(error)") }
    }

    private func makeCertificate() throws {
        try run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", directory.appending(path: "key.pem").path, "-out", certificateFile)
    }

    private func run(_ command: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw POSIXError(.ECHILD) }
    }

    /// Returns when nginx accepts connections, since its pid file comes after it listens, or when it has given up.
    private func start(_ backend: UInt16, _ protocols: String, _ rules: String) throws -> Bool {
        let (descriptor, port) = try listen(backlog: 1)
        close(descriptor)
        self.port = port
        nginx = Process()
        let path = directory.path
        let configuration = """
            daemon off; master_process off; pid \(path)/pid; error_log \(path)/error.log;
            events {}
            http {
                access_log \(path)/access.log;
                client_body_temp_path \(path)/body; proxy_temp_path \(path)/proxy; fastcgi_temp_path \(path)/fastcgi;
                uwsgi_temp_path \(path)/uwsgi; scgi_temp_path \(path)/scgi;
                server {
                    listen 127.0.0.1:\(port) ssl \(protocols); server_name localhost;
                    ssl_certificate \(certificateFile); ssl_certificate_key \(path)/key.pem;
                    \(rules)
                    location / {
                        proxy_pass http://127.0.0.1:\(backend); proxy_buffering off; proxy_http_version 1.1;
                        proxy_set_header X-Connection $connection; proxy_set_header X-Protocol $server_protocol;
                    }
                }
            }
            """
        let file = directory.appending(path: "nginx.conf")
        try Data(configuration.utf8).write(to: file)
        nginx.executableURL = URL(filePath: "/usr/bin/env")
        nginx.arguments = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "nginx", "-c", file.path, "-e", "\(path)/error.log"]
        (nginx.standardOutput, nginx.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        try nginx.run()
        while !FileManager.default.fileExists(atPath: "\(path)/pid"), nginx.isRunning { sched_yield() }
        return nginx.isRunning
    }
}

/// The number of the connection that `TLSServer` got the request on.
func connection(of request: String?) -> Substring? {
    request?.split(separator: "\r\n").first { $0.hasPrefix("X-Connection") }
}
