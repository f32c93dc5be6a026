// What several processes have come to together.

/// The sums of what all processes have counted, also those that are no more: by the metrics, which are in memory of all.
struct ProcessSums: Sendable {
    struct Upstream: Sendable {
        let name: String
        fileprivate(set) var open = 0
        fileprivate(set) var queued = 0
    }

    private(set) var answered = 0
    private(set) var failed = 0
    private(set) var callersLeft = 0
    /// Those for which there is anything now; those beyond the bound of the metrics together, as `(others)`.
    private(set) var upstreams: [Upstream] = []

    /// Of nothing.
    init() {}

    init(_ series: [MetricTable.Series]) {
        for series in series {
            let (labels, value) = (series.labels, Int(clamping: series.values[0]))
            switch series.metric {
            case .requests where Self.answers.contains(where: labels.elementsEqual): answered += value
            case .requests where labels.elementsEqual(#"ending="caller_left""#.utf8): callersLeft += value
            case .requests: failed += value
            case .upstreamOpen where value > 0: upstreams[place(of: labels)].open += value
            case .upstreamQueued where value > 0: upstreams[place(of: labels)].queued += value
            default: break
            }
        }
    }

    /// An answer that another one has gone on with is one.
    private static let answers = [#"ending="done""#.utf8, #"ending="continued""#.utf8]

    private mutating func place(of labels: [UInt8]) -> Int {
        let name = labels.dropFirst(#"upstream=""#.utf8.count).dropLast()
        if let place = upstreams.firstIndex(where: { $0.name.utf8.elementsEqual(name) }) { return place }
        upstreams.append(Upstream(name: String(decoding: name, as: UTF8.self)))
        return upstreams.count - 1
    }

    var requests: Int { answered + failed + callersLeft }

    var words: String { Status.requestsWords(answered, failed: failed, callersLeft: callersLeft) }

    func tableLines(atMost width: Int) -> [String] {
        Table(["upstream", .fixed("open"), .fixed("queued")], upstreams) { [$0.name, "\($0.open)", "\($0.queued)"] }
            .lines(atMost: width)
    }
}
