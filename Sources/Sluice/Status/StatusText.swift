// The status for people.

import Choosing
import Clock
import FastCGI
import Settings

extension Status {
    /// Lines of names and values, and tables.
    var text: String {
        var lines = Self.lines(summary)
        lines += requestLines
        lines += listen?.tableLines(atMost: width) ?? []
        lines +=
            Table(["upstream", .fixed("open"), .fixed("queued"), .fixed("places")], upstreams) {
                [$0.name, "\($0.open)", "\($0.queued)", $0.isFormer ? "former" : $0.places.map { "\($0)" } ?? "any"]
            }.lines(atMost: width)
        lines +=
            Table(
                [
                    "route", "upstream", "model", .fixed("asked"), .fixed("failed"), .fixed("cut"), .fixed("state"),
                    .fixed("p50"),
                    .fixed("p95"),
                ],
                targets
            ) { target in
                let state = target.state
                return [
                    target.route, target.upstream, target.model ?? "the caller's", "\(state.asked)", "\(state.failed)",
                    "\(state.cut)",
                    state.restsFor.map { "rests for \($0.inSeconds)" } ?? "works", state.p50?.inSeconds ?? state.firstTokensWords,
                    state.p95?.inSeconds ?? "-",
                ]
            }.lines(atMost: width)
        lines += Table(["client", .fixed("requests")], counts.clients) { [$0.name, "\($0.requests)"] }.lines(atMost: width)
        if counts.otherRequests > 0 { lines.append("others: \(counts.otherRequests)") }
        lines +=
            Table([.fixed("last errors"), "client", "upstream", "ending"], counts.recentErrors) {
                [timestamp(ofSecond: $0.time), $0.client ?? "-", $0.upstream ?? "-", $0.ending]
            }.lines(atMost: width)
        return lines.joined(separator: "\n")
    }

    private typealias Line = (String, String)

    private var summary: [Line] {
        let start: [Line] = [
            ("process", head.words), ("start time", timestamp(ofSecond: head.startTime)), ("start since", head.uptime.inSeconds),
        ]
        let reloads: [Line] = [("generation", "\(head.generation)"), ("last reload", head.lastReloadWords)]
        let queues: [Line] = [
            ("max listen queue", listenQueueMax.map { "\($0)" } ?? "unknown"), ("accepted conn", "\(acceptedConnections)"),
            ("refused conn", "\(refusedConnections)"),
        ]
        var lines = start
        if !isPart { lines += reloads }
        lines.append(("workers", "\(workers)"))
        if let listen { lines.append(("listen queue", listen.queueWords)) }
        return lines + queues + requestSummary
    }

    private var requestSummary: [Line] {
        let lines = [
            ("active requests", "\(active)"),
            ("max active requests", "\(maxActive)"),
            ("max children reached", "\(counts.turnedAway)"),
            ("slow requests", "\(counts.slow)"),
            ("requests", Self.requestsWords(counts.answered, failed: counts.failed, callersLeft: counts.callersLeft)),
            ("memory", "\(Size.setting(memory.used)) of \(Size.setting(memory.limit))"),
            ("lost log lines", "\(head.lostLogLines)"),
        ]
        return lines + (budgetStore.map { [("budget store", $0.words)] } ?? [])
    }

    /// How many there were, and how they ended.
    static func requestsWords(_ answered: Int, failed: Int, callersLeft: Int) -> String {
        "\(answered + failed + callersLeft): \(answered) answered, \(failed) failed, \(callersLeft) callers left"
    }

    /// A line for each name and value.
    static func lines(_ summary: [(String, String)]) -> [String] {
        summary.map { name, value in "\(name):".padded(to: 22) + value.visible }
    }

    /// A line each for the requests, with ids that are cut to what finds them in the log.
    private var requestLines: [String] {
        guard let requests else { return [] }
        let columns: [Table.Column] = [
            .fixed("request"), .fixed("age"), .fixed("state"), .fixed("silent"), .fixed("events"), .fixed("bytes"), "client",
            .fixed("call"), "route", "model", "upstream",
        ]
        var lines = Table(columns, requests.listed, \.cells).lines(atMost: width)
        if lines.isEmpty { lines = ["", "no requests"] }
        if requests.leftOut > 0 { lines.append("… and \(requests.leftOut) more") }
        if requests.silentWorkers > 0 { lines.append("\(requests.silentWorkers) workers do not answer") }
        return lines
    }
}

extension TargetState.Snapshot {
    /// How many first tokens are known, where they are too few to compare.
    fileprivate var firstTokensWords: String { "- (\(firstTokens) of \(FirstTokenTimes.countMin))" }
}

extension Status.Request {
    /// Of its line.
    fileprivate var cells: [String] {
        let of = [id?.short, age.short, state.rawValue, silence?.short, "\(events)", shortCount(bytes), client, call?.short]
        let to = [route, target?.ownModel, target?.upstreamName]
        return (of + to).map { $0 ?? "-" }
    }
}

/// Rows below a header, in columns.
struct Table {
    struct Column: ExpressibleByStringLiteral {
        let name: String
        /// Whether its texts may be cut where there is no room for all of the row.
        let isCut: Bool

        init(stringLiteral name: String) { (self.name, isCut) = (name, true) }

        private init(fixed name: String) { (self.name, isCut) = (name, false) }

        static func fixed(_ name: String) -> Column { Column(fixed: name) }
    }

    private let columns: [Column]
    private let rows: [[String]]

    private static let gap = 2
    /// A text that is cut keeps so much.
    private static let cutWidth = 6

    init<Element>(_ columns: [Column], _ elements: some Sequence<Element>, _ cells: (Element) -> [String]) {
        self.columns = columns
        rows = elements.map { cells($0).map(\.visible) }
    }

    /// An empty line ahead of it; nothing for a table without rows.
    ///
    /// - Parameter width: of a row; it is wider where what may not be cut takes more.
    func lines(atMost width: Int = StatusForm.usualWidth) -> [String] {
        guard !rows.isEmpty else { return [] }
        let all = [columns.map(\.name)] + rows
        let widths = widths(all, atMost: width)
        return [""]
            + all.map { row in
                let cells = zip(row, widths).map { $0.cut(to: $1) }
                return zip(cells.dropLast(), widths).map { $0.padded(to: $1 + Self.gap) }.joined() + (cells.last ?? "")
            }
    }

    private func widths(_ all: [[String]], atMost width: Int) -> [Int] {
        var widths = columns.indices.map { column in all.map { $0[column].unicodeScalars.count }.max() ?? 0 }
        while widths.reduce(0, +) + Self.gap * (widths.count - 1) > width {
            let cut = columns.indices.filter { columns[$0].isCut && widths[$0] > Self.cutWidth }
            guard let widest = cut.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
        }
        return widths
    }
}

extension Status.Head {
    /// Who it is, and what it does.
    var words: String { "\(part.map { "\($0.place) of \($0.count): " } ?? "")\(pid), sluice \(sluiceVersion), \(state)" }

    var lastReloadWords: String {
        guard let lastReload else { return "none" }
        return "\(timestamp(ofSecond: lastReload.time)), \(lastReload.words)"
    }
}

extension StoreHealth.Snapshot {
    /// Its address, how it does and since when, and why.
    fileprivate var words: String {
        "\(address), \(state.word) since \(timestamp(ofSecond: since))\(state.reason.map { ": \($0)" } ?? "")"
    }
}

extension [Status.Listen] {
    var queueWords: String { queue.map { "\($0.count) of \($0.countMax)" } ?? "unknown" }

    /// A table of several; nothing for one, of which the summary tells.
    func tableLines(atMost width: Int) -> [String] {
        guard count > 1 else { return [] }
        return Table(["listen", .fixed("queue"), .fixed("len")], self) {
            [$0.address, $0.queue.map { "\($0.count)" } ?? "unknown", $0.queue.map { "\($0.countMax)" } ?? "unknown"]
        }.lines(atMost: width)
    }
}

extension Duration {
    var inSeconds: String {
        let milliseconds = nanoseconds / 1_000_000
        return milliseconds < 10_000 ? "\(milliseconds) ms" : "\(milliseconds / 1000) s"
    }

    /// In at most five characters, up to weeks.
    fileprivate var short: String {
        let milliseconds = max(0, nanoseconds / 1_000_000)
        switch milliseconds {
        case ..<1000: return "\(milliseconds)ms"
        case ..<100_000: return "\(milliseconds / 1000).\(milliseconds / 100 % 10)s"
        case ..<6_000_000: return "\(milliseconds / 60_000)m"
        default: return "\(milliseconds / 3_600_000)h"
        }
    }
}

/// Bytes in at most six characters.
private func shortCount(_ bytes: Int) -> String {
    switch bytes {
    case ..<100_000: "\(bytes)"
    case ..<(100_000 << 10): "\(bytes >> 10)K"
    default: "\(bytes >> 20)M"
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - unicodeScalars.count))
    }

    fileprivate func cut(to width: Int) -> String {
        guard unicodeScalars.count > width else { return self }
        var scalars = String.UnicodeScalarView()
        scalars.append(contentsOf: unicodeScalars.prefix(width - 1))
        return String(scalars) + "…"
    }

    /// With what acts on a terminal, and what one does not see, as escapes.
    var visible: String {
        var bytes: [UInt8] = []
        bytes.appendVisible(self)
        return String(decoding: bytes, as: UTF8.self)
    }
}
