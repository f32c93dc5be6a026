// The web servers that Sluice is tested behind.

import Foundation
import Glibc

/// A web server that Sluice works behind; each is started with the configuration that this repository ships for it.
package enum WebServer: String, CaseIterable, Sendable {
    case nginx, lighttpd

    /// The servers of this run: all, or the one of `Tests/run --server`.
    package static var selected: [WebServer] {
        guard let name = ProcessInfo.processInfo.environment["SLUICE_TEST_SERVER"], !name.isEmpty else { return allCases }
        guard let server = WebServer(rawValue: name) else { preconditionFailure("no web server is called \(name)") }
        return [server]
    }

    /// Whether the server closes Sluice's connection as soon as its client leaves; else the next write finds out.
    package var noticesLeavingClients: Bool { self == .nginx }

    /// Whether the shipped configuration limits the requests of a client.
    package var limitsRequests: Bool { self == .nginx }

    /// What keeps a client of thousands of calls a second from being refused.
    package var withoutLimits: [Change] { limitsRequests ? [Change("rate=100r/s", to: "rate=100000r/s")] : [] }

    func configuration(_ settings: ServerSettings) throws -> ServerConfiguration {
        switch self {
        case .nginx: try nginxConfiguration(settings)
        case .lighttpd: try lighttpdConfiguration(settings)
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
    let directory: TemporaryDirectory
}

struct ServerConfiguration {
    let program: String
    let arguments: [String]
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

    package static let token = "5f0c3a9e41d27b86a0d1c5e2f4938b7610aa42cd"
    package static let otherToken = "9b1de7720c4f43ce8a65d0b3f1c7a92e84d06f35"

    package init(_ kind: WebServer, socket: String, changes: [Change] = [], in directory: TemporaryDirectory) async throws {
        self.kind = kind
        certificate = try await Certificate(in: directory)
        let (secure, plain) = (try freePort(), try freePort())
        (securePort, plainPort) = (secure, plain)
        let configuration = try kind.configuration(
            ServerSettings(
                socket: socket, securePort: secure, plainPort: plain, certificate: certificate,
                clients: [(Self.token, "first"), (Self.otherToken, "second")], changes: changes, directory: directory))
        process = try ChildProcess(configuration.program, configuration.arguments, in: directory, lastSignal: SIGTERM)
        try await process.accepts { try Socket.connected(port: secure) }
        try await process.accepts { try Socket.connected(port: plain) }
    }

    package var secureURL: String { "https://localhost:\(securePort)" }
    package var plainURL: String { "http://127.0.0.1:\(plainPort)" }
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
