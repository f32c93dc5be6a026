// A web server in front of several machines.

import Foundation

/// A web server with the files that this repository ships for several machines. Callers reach it by a unix socket, wherever its network is.
package final class MachinesFront: Sendable {
    package let process: ChildProcess
    package let socket: String

    /// - Parameters:
    ///   - kind: nginx or HAProxy.
    ///   - responders: the host and port of each, of which the shipped files have three.
    package init(_ kind: WebServer, responders: [String], on machine: Machine, in directory: TemporaryDirectory) async throws {
        socket = directory.path("front.sock")
        try directory.write("\(RunningServer.token) first;\n", to: "sluice.tokens")
        let shipped = ["10.0.0.11:9000", "10.0.0.12:9000", "10.0.0.13:9000"]
        let machines = zip(shipped, responders).map { Change($0, to: $1) }
        let configuration =
            switch kind {
            case .nginx: try await Self.nginx(socket, machines, in: directory)
            case .haproxy: try await Self.haproxy(socket, machines, in: directory)
            default: throw NotInConfiguration(folder: "deploy/\(kind)", text: "machines")
            }
        process = try machine.start(
            [configuration.program] + configuration.arguments, lastSignal: SIGTERM, in: directory)
        try await process.accepts { [socket] in try Socket.connected(path: socket) }
    }

    private static func nginx(
        _ socket: String, _ machines: [Change], in directory: TemporaryDirectory
    ) async throws -> ServerConfiguration {
        let site = [
            Change("/var/log/nginx/sluice.log", to: directory.path("access.log")),
            // So that the test of one that returns does not wait for long.
            Change("fail_timeout=10s", to: "fail_timeout=1s"),
            // And so that one that stands still meanwhile has gone on to another all the same.
            Change("fastcgi_next_upstream_timeout 5s", to: "fastcgi_next_upstream_timeout 60s"),
        ]
        try install(
            ["sluice.conf", "sluice-locations.conf", "machines.conf"], from: "nginx",
            site + machines + WebServer.nginx.withoutLimits, in: directory)
        try await runStep("machines.conf", "/etc/nginx/sluice-locations.conf", on: "sluice-locations.conf", in: directory)
        return try TestSupport.nginx(
            """
            include sluice.conf;
            include machines.conf;
            server {
                listen unix:\(socket);
                include sluice-locations.conf;
            }
            """, in: directory)
    }

    private static func haproxy(
        _ socket: String, _ machines: [Change], in directory: TemporaryDirectory
    ) async throws -> ServerConfiguration {
        let site = [
            Change("/etc/haproxy/sluice/", to: "\(directory.path)/"),
            Change(
                "bind :443 ssl crt \(directory.path)/sluice.pem alpn h2,http/1.1 ssl-min-ver TLSv1.2\n",
                to: "bind unix@\(socket)\n"),
            // The machine that runs the tests may be busier than any that serves.
            Change("timeout check 5s", to: "timeout check 60s"), Change("srvtcpka-idle 30s", to: "srvtcpka-idle 10m"),
        ]
        try install(
            ["sluice.cfg", "machines.cfg"], from: "deploy/haproxy", site + machines + WebServer.haproxy.withoutLimits,
            in: directory)
        try await runStep("machines.cfg", "/etc/haproxy/sluice.cfg", on: "sluice.cfg", in: directory)
        try FileManager.default.copyItem(atPath: "\(repository)/deploy/haproxy/errors", toPath: directory.path("errors"))
        let global = try directory.write("global\n    log stderr format raw local0\n    maxconn 4000\n", to: "haproxy.cfg")
        return ServerConfiguration(
            program: "haproxy",
            arguments: ["-W", "-f", global, "-f", directory.path("sluice.cfg")])
    }

    /// The command that a shipped file has in its first lines, to change another one with, runs on the copy of that.
    private static func runStep(
        _ file: String, _ path: String, on copy: String, in directory: TemporaryDirectory
    ) async throws {
        let steps = try directory.read(file).split(separator: "\n").filter { $0.contains("sed -i") && $0.hasSuffix(path) }
        guard let step = steps.first, let start = step.range(of: "sed -i")?.lowerBound else {
            throw NotInConfiguration(folder: file, text: "sed -i … \(path)")
        }
        let command = String(step[start...]).replacing(path, with: directory.path(copy)).replacing(
            "/etc/haproxy/sluice-machines.cfg", with: directory.path("machines.cfg"))
        try await ChildProcess.run("sh", ["-ec", command], in: directory)
    }
}
