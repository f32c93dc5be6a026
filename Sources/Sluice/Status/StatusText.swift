// The status for people.

import Clock
import Settings

extension Status {
    /// Lines of names and values, and tables.
    var text: String {
        var lines = summary.map { name, value in "\(name):".padded(to: 22) + value }
        lines += table(
            ["upstream", "open", "queued", "places"],
            upstreams.map { [$0.name, "\($0.open)", "\($0.queued)", $0.places.map { "\($0)" } ?? "any"] })
        lines += table(
            ["route", "upstream", "model", "asked", "failed", "state", "p50", "p95"],
            targets.map { target in
                let state = target.state
                return [
                    target.route, target.upstream, target.model ?? "the caller's", "\(state.asked)", "\(state.failed)",
                    state.restsFor.map { "rests for \($0.inSeconds)" } ?? "works", state.p50?.inSeconds ?? "-",
                    state.p95?.inSeconds ?? "-",
                ]
            })
        lines += table(["client", "requests"], counts.clients.map { [$0.name, "\($0.requests)"] })
        lines += table(
            ["last errors", "client", "upstream", "ending"],
            counts.recentErrors.map { [timestamp(ofSecond: $0.time), $0.client ?? "-", $0.upstream ?? "-", $0.ending] })
        return lines.joined(separator: "\n")
    }

    private var summary: [(String, String)] {
        [
            ("process", "\(process), sluice \(sluiceVersion), \(isDraining ? "draining" : "serving")"),
            ("start time", timestamp(ofSecond: startTime)),
            ("start since", uptime.inSeconds),
            ("generation", "\(generation)"),
            ("last reload", lastReload.map { "\(timestamp(ofSecond: $0.time)), \($0.words)" } ?? "none"),
            ("workers", "\(workers)"),
            ("accepted conn", "\(acceptedConnections)"),
            ("refused conn", "\(refusedConnections)"),
            ("active requests", "\(active)"),
            ("max active requests", "\(maxActive)"),
            (
                "requests",
                "\(counts.requests): \(counts.answered) answered, \(counts.failed) failed, \(counts.callersLeft) callers left"
            ),
            ("memory", "\(Size.setting(memory.used)) of \(Size.setting(memory.limit))"),
        ]
    }

    /// Nothing for a table without rows.
    private func table(_ header: [String], _ rows: [[String]]) -> [String] {
        guard !rows.isEmpty else { return [] }
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        return [""]
            + ([header] + rows).map { row in
                let cells = zip(row.dropLast(), widths).map { $0.padded(to: $1 + 2) }
                return cells.joined() + (row.last ?? "")
            }
    }
}

extension Status.Reload {
    var words: String {
        guard let first = problems.first else { return "in force" }
        return "failed: \(first)" + (problems.count > 1 ? ", and \(problems.count - 1) more" : "")
    }
}

extension Duration {
    var inSeconds: String {
        let milliseconds = nanoseconds / 1_000_000
        return milliseconds < 10_000 ? "\(milliseconds) ms" : "\(milliseconds / 1000) s"
    }
}

extension String {
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
