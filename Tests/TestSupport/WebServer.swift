// The web servers that Sluice is tested behind.

import Foundation
import Glibc

/// A web server that Sluice works behind; each is started with the configuration that this repository ships for it.
package enum WebServer: String, CaseIterable, Sendable {
    case nginx, lighttpd, apache, caddy, haproxy

    /// Those that everything is tested behind: these two, or the one of `Tests/run --server`.
    package static var selected: [WebServer] { named.map { [$0] } ?? [.nginx, .lighttpd] }

    /// Those that what a web server does itself is tested with: all, or the one of `Tests/run --server`.
    package static var fronts: [WebServer] { named.map { [$0] } ?? allCases }

    private static var named: WebServer? {
        guard let name = ProcessInfo.processInfo.environment["SLUICE_TEST_SERVER"], !name.isEmpty else { return nil }
        guard let server = WebServer(rawValue: name) else { preconditionFailure("no web server is called \(name)") }
        return server
    }

    /// Whether the server closes Sluice's connection as soon as its client leaves; else the next write finds out.
    package var noticesLeavingClients: Bool { self == .nginx }

    /// Whether the shipped configuration limits the requests of a client.
    package var limitsRequests: Bool { self == .nginx || self == .haproxy }

    /// What keeps a client of thousands of calls a second from being refused.
    package var withoutLimits: [Change] {
        switch self {
        case .nginx: [Change("rate=100r/s", to: "rate=100000r/s")]
        case .haproxy: [Change("sc_http_req_rate(0) gt 500", to: "sc_http_req_rate(0) gt 100000")]
        case .lighttpd, .apache, .caddy: []
        }
    }

    /// What ends it. Caddy waits for open requests otherwise.
    fileprivate var lastSignal: Int32 { self == .caddy ? SIGKILL : SIGTERM }

    func configuration(_ settings: ServerSettings) throws -> ServerConfiguration {
        switch self {
        case .nginx: try nginxConfiguration(settings)
        case .lighttpd: try lighttpdConfiguration(settings)
        case .apache: try apacheConfiguration(settings)
        case .caddy: try caddyConfiguration(settings)
        case .haproxy: try haproxyConfiguration(settings)
        }
    }
}

/// The values that belong to one site.
struct ServerSettings {
    let socket: String
    let securePort: UInt16
    let plainPort: UInt16
    let certificate: Certificate
    let clients: [(token: String, name: String)]
    /// Lines of the shipped configuration that a test wants otherwise, such as a limit.
    let changes: [Change]
    /// A script in the directory by which mod_fcgid starts Sluice.
    let starter: String?
    let directory: TemporaryDirectory

    func writeTokens() throws {
        try directory.write(clients.map { "\($0.token) \($0.name);\n" }.joined(), to: "sluice.tokens")
    }
}

struct ServerConfiguration {
    let program: String
    let arguments: [String]
    var environment: [String: String] = [:]
}

/// Text of a shipped configuration, and what takes its place.
package struct Change: Sendable {
    package let old: String
    package let new: String

    package init(_ old: String, to new: String) {
        self.old = old
        self.new = new
    }
}

/// A web server at work in front of Sluice.
package final class RunningServer: Sendable {
    package let process: ChildProcess
    package let kind: WebServer
    package let certificate: Certificate
    package let plainPort: UInt16
    package let securePort: UInt16
    private let directory: TemporaryDirectory

    package static let token = "5f0c3a9e41d27b86a0d1c5e2f4938b7610aa42cd"
    package static let otherToken = "9b1de7720c4f43ce8a65d0b3f1c7a92e84d06f35"

    /// - Parameter starter: a script in the directory by which Apache starts Sluice itself (mod_fcgid).
    package init(
        _ kind: WebServer, socket: String, changes: [Change] = [], startedBy starter: String? = nil,
        in directory: TemporaryDirectory
    ) async throws {
        self.kind = kind
        certificate = try await Certificate(in: directory)
        let (secure, plain) = (try freePort(), try freePort())
        (securePort, plainPort) = (secure, plain)
        let configuration = try kind.configuration(
            ServerSettings(
                socket: socket, securePort: secure, plainPort: plain, certificate: certificate,
                clients: [(Self.token, "first"), (Self.otherToken, "second")], changes: changes, starter: starter,
                directory: directory))
        self.directory = directory
        process = try ChildProcess(
            configuration.program, configuration.arguments, environment: configuration.environment, in: directory,
            lastSignal: kind.lastSignal)
        try await process.accepts { try Socket.connected(port: secure) }
        try await process.accepts { try Socket.connected(port: plain) }
    }

    package var secureURL: String { "https://localhost:\(securePort)" }
    package var plainURL: String { "http://127.0.0.1:\(plainPort)" }

    /// Has it read its configuration again, as a reload of its service does; open streams are to notice nothing.
    package func reload() async throws {
        switch kind {
        case .nginx: process.signal(SIGHUP)
        case .lighttpd, .apache: process.signal(SIGUSR1)
        case .haproxy: process.signal(SIGUSR2)
        case .caddy: try await reloadCaddy(in: directory)
        }
    }

    /// All that it has logged of requests and errors so far.
    package var log: String {
        let file = kind == .apache ? "sluice.log" : "access.log"
        // HAProxy has none of its own.
        let requests = FileManager.default.contents(atPath: directory.path(file)) ?? Data()
        return String(decoding: requests, as: UTF8.self) + process.errors.value.text
    }
}

/// Copies shipped files of one folder into the test's directory with the site's own values in them.
///
/// - Throws: ``NotInConfiguration`` when a value is nowhere to be found: the shipped files have changed.
func install(_ names: [String], from folder: String, _ changes: [Change], in directory: TemporaryDirectory) throws {
    var texts = try names.map { try String(contentsOfFile: "\(repository)/\(folder)/\($0)", encoding: .utf8) }
    for change in changes {
        guard texts.contains(where: { $0.contains(change.old) }) else {
            throw NotInConfiguration(folder: folder, text: change.old)
        }
        texts = texts.map { $0.replacingOccurrences(of: change.old, with: change.new) }
    }
    for (name, text) in zip(names, texts) { try directory.write(text, to: name) }
}

struct NotInConfiguration: Error {
    let folder: String
    let text: String
}
