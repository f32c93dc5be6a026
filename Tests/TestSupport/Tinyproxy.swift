// A real tinyproxy.

import Foundation

/// A proxy of the kind that companies have, on 127.0.0.1.
package final class Tinyproxy: Sendable {
    package let port: UInt16
    private let process: ChildProcess

    /// - Parameter credentials: `USER PASSWORD`; without them everybody may use it.
    package init(credentials: String? = nil, in directory: TemporaryDirectory) async throws {
        port = try freePort()
        let lines = ["Listen 127.0.0.1", "Port \(port)", "Timeout 600", "LogLevel Connect", "MaxClients 100"]
        let file = try directory.write(
            (lines + (credentials.map { ["BasicAuth \($0)"] } ?? [])).joined(separator: "\n") + "\n", to: "tinyproxy.conf")
        process = try ChildProcess("tinyproxy", ["-d", "-c", file], in: directory)
        try await process.accepts { [port] in try Socket.connected(port: port) }
    }

    /// For the setting `proxy`.
    package var url: String { "http://127.0.0.1:\(port)" }

    /// How often it was asked to be a tunnel, as its log tells.
    package func tunnelled(to place: String) async throws {
        try await process.output.wait(for: "a CONNECT to \(place) in tinyproxy's log") { $0.text.contains("CONNECT \(place) ") }
    }

    package func end() async throws { try await process.end() }
}
