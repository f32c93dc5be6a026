// What is printed of all web servers at the end of `Tests/run`: a line for each row and server.

import Foundation
import Glibc
import Synchronization
import TestSupport

/// What a web server in front of Sluice is to do: one line of the matrix.
struct FrontRow: Sendable {
    let name: String
    /// What is otherwise behind some servers.
    var gaps: [WebServer: Gap] = [:]
    /// Throws unless it is so.
    let run: @Sendable (FrontSite) async throws -> Void

    init(_ name: String, gaps: [WebServer: Gap] = [:], _ run: @escaping @Sendable (FrontSite) async throws -> Void) {
        (self.name, self.gaps, self.run) = (name, gaps, run)
    }

    /// What a server cannot do or does in another way, in a word for the matrix, and in a sentence that says what answers it.
    struct Gap: Sendable {
        let word: String
        let reason: String
        /// What is there instead.
        var run: (@Sendable (FrontSite) async throws -> Void)?

        init(_ word: String, _ reason: String, _ run: (@Sendable (FrontSite) async throws -> Void)? = nil) {
            (self.word, self.reason, self.run) = (word, reason, run)
        }
    }

    func word(_ server: WebServer) -> String { gaps[server]?.word ?? "yes" }
}

/// A site, and what its upstream answers.
struct FrontSite: Sendable {
    let site: Site
    let replies: Replies

    var server: WebServer { site.server.kind }

    /// Answers of the upstream by a name that the message of a call has in angle brackets.
    final class Replies: Sendable {
        static let frames = Chunks.stream(["Hello"])
        private let named = Mutex<[String: Reply]>([:])

        subscript(_ name: String) -> Reply? {
            get { named.withLock { $0[name] } }
            set { named.withLock { $0[name] = newValue } }
        }

        func reply(to request: UpstreamRequest) -> Reply {
            let name = request.text.split(separator: "<", maxSplits: 1).dropFirst().first?.prefix { $0 != ">" }
            return name.flatMap { self[String($0)] } ?? .stream(Self.frames)
        }
    }
}

/// Rows that share a site.
struct FrontGroup: Sendable {
    /// With the page, for those who may see it.
    var settings = "page = true\n" + plainSettings
    var changes: @Sendable (WebServer) -> [Change] = { _ in [] }
    var endsSluice = false
    let rows: [FrontRow]

    static let all = [serving, refusing, leaving, operating, thousand]

    /// Runs each row, whatever has become of the others.
    func run(behind server: WebServer) async throws {
        let replies = FrontSite.Replies()
        let upstream = try StubUpstream { replies.reply(to: $0) }
        try await Site.with(
            server, upstream: upstream, settings: settings, changes: changes(server), endsSluice: endsSluice
        ) { site in
            var failed: [String] = []
            for row in rows {
                do {
                    let run = row.gaps[server].map { $0.run } ?? row.run
                    try await run?(FrontSite(site: site, replies: replies))
                    note(row, server, row.word(server))
                } catch {
                    note(row, server, "FAILED")
                    failed.append("\(row.name): \(error)")
                }
            }
            if !failed.isEmpty { throw RowsFailed(server: server, rows: failed) }
        }
    }

    /// A line for `Tests/run`, where it wants them.
    private func note(_ row: FrontRow, _ server: WebServer, _ word: String) {
        guard let file = ProcessInfo.processInfo.environment["SLUICE_TEST_MATRIX"], !file.isEmpty else { return }
        let line = [row.name, server.rawValue, word, row.gaps[server]?.reason ?? ""].joined(separator: "\t") + "\n"
        let descriptor = unsafe open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        _ = unsafe Array(line.utf8).withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
    }

    struct RowsFailed: Error {
        let server: WebServer
        let rows: [String]
    }
}
