// What was looked at, and what came of it.

import Chat
import Clock
import HTTPClient

/// One thing that was looked at.
struct ProbeCheck: Sendable {
    /// In the order in which they are looked at.
    enum Name: String, CaseIterable, Sendable {
        case reachable, token, paths, stream, compression
        case connection
        case firstToken = "first token"
        case heartbeat, leaving
        /// Only where something is found.
        case limits
        case body, errors, versions
        case http2 = "HTTP/2"
        case vapiURL = "Vapi: URL"
        case vapiStream = "Vapi: stream"
        case vapiTimeout = "Vapi: timeout"

        var isVapis: Bool { self == .vapiURL || self == .vapiStream || self == .vapiTimeout }
    }

    enum Verdict: Equatable, Sendable {
        case pass
        case finding(ProbeFinding)
        /// It could not be known.
        case unknown

        /// How bad it is, the worst last.
        enum Severity: Comparable { case pass, unknown, finding }

        var severity: Severity {
            switch self {
            case .pass: .pass
            case .unknown: .unknown
            case .finding: .finding
            }
        }
    }

    let name: Name
    let verdict: Verdict
    /// What was seen, in a sentence without its full stop. Words of the server may be in it.
    let evidence: String

    static func pass(_ name: Name, _ evidence: String) -> ProbeCheck {
        ProbeCheck(name: name, verdict: .pass, evidence: evidence)
    }

    static func unknown(_ name: Name, _ evidence: String) -> ProbeCheck {
        ProbeCheck(name: name, verdict: .unknown, evidence: evidence)
    }

    static func finding(_ name: Name, _ finding: ProbeFinding, _ evidence: String) -> ProbeCheck {
        ProbeCheck(name: name, verdict: .finding(finding), evidence: evidence)
    }
}

/// All that was looked at in one run.
struct ProbeReport: Sendable {
    /// The URL, without a token in it.
    let url: String
    /// What stands in no output of it, though a server says it again.
    var secrets: [[UInt8]] = []
    /// What was asked; nil where no model is known.
    var model: String?
    /// The server that seems to answer.
    var answering: ProbeServer?
    /// One for each name, but that two versions of HTTP may have a finding of their own each.
    var checks: [ProbeCheck] = []
    /// Why the rest was not looked at; nil where it was.
    var obstacle: Obstacle?

    /// What keeps a run from going on, as `--json` calls it.
    enum Obstacle: String, Sendable {
        /// Nobody is there.
        case unreachable
        /// It wants a token, and there is none.
        case noToken = "no_token"
        /// What was found already.
        case found
        /// Its time was over.
        case limit
    }

    var hasFinding: Bool { checks.contains { $0.verdict.severity == .finding } }

    /// Brings them into the order of the names.
    mutating func sort(by names: [ProbeCheck.Name]) {
        checks = names.flatMap { name in checks.filter { $0.name == name } }
    }

    /// Those that were not looked at, since something stood in the way.
    ///
    /// - Parameter limit: what the run was given.
    mutating func leaveOut(_ names: [ProbeCheck.Name], limit: Duration) {
        switch obstacle {
        case nil: break
        case .limit: leaveOut(names, because: "not looked at, since the limit of \(limit.shown) was over (--limit)")
        case .noToken:
            leaveOut(names, because: "not looked at, since a token is wanted, and none was given (SLUICE_TOKEN, --token-file)")
        case .unreachable, .found:
            leaveOut(names, because: "not looked at, since what stands above keeps it from being asked")
        }
    }

    /// Those that were not looked at.
    mutating func leaveOut(_ names: [ProbeCheck.Name], because reason: String) {
        let known = checks.map(\.name)
        checks += names.filter { $0 != .limits && !known.contains($0) }.map { .unknown($0, reason) }
    }
}

extension String {
    /// What can be shown of a server's words: their beginning.
    var clipped: String { utf8.count <= 80 ? self : String(decoding: utf8.prefix(80), as: UTF8.self) + "…" }
}

extension Duration {
    /// To the millisecond below ten seconds, else to the tenth of a second.
    var shown: String {
        let milliseconds = max(0, nanoseconds / 1_000_000)
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
    }
}

extension ProbeServer {
    /// By what it says of itself; nil where it says nothing that is known.
    init?(_ head: ResponseHead?) {
        guard let head else { return nil }
        if head["cf-ray"] != nil {
            self = .cloudflare
            return
        }
        guard let server = head["server"] else { return nil }
        let known: [ProbeServer] = [.nginx, .lighttpd, .apache, .caddy, .haproxy, .cloudflare]
        guard let found = known.first(where: { server.startsIgnoringCase(with: $0.rawValue) }) else { return nil }
        self = found
    }
}
