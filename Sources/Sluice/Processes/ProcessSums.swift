// What several processes have come to together.

/// The sums of what all processes have counted, also those that are no more: by the metrics, which are in memory of all. Whatever
/// one of them has written there, they can be added up: each number, and each sum, is at most `countMax`.
struct ProcessSums: Sendable {
    struct Upstream: Sendable {
        let name: String
        fileprivate(set) var open = 0
        fileprivate(set) var queued = 0
    }

    /// What all JSON readers take for the number that it is.
    private static let countMax = 1 << 53

    private(set) var answered = 0
    private(set) var failed = 0
    private(set) var callersLeft = 0
    /// Those for which there is anything now; those beyond the bound of the metrics together, as `(others)`.
    private(set) var upstreams: [Upstream] = []

    /// Of nothing.
    init() {}

    init(_ series: [MetricTable.Series]) {
        for series in series {
            let (labels, value) = (series.labels, series.values[0])
            switch series.metric {
            case .requests where Self.answers.contains(where: labels.elementsEqual): Self.add(value, to: &answered)
            case .requests where labels.elementsEqual(#"ending="caller_left""#.utf8): Self.add(value, to: &callersLeft)
            case .requests: Self.add(value, to: &failed)
            case .upstreamOpen where value > 0:
                let place = place(of: labels)
                Self.add(value, to: &upstreams[place].open)
            case .upstreamQueued where value > 0:
                let place = place(of: labels)
                Self.add(value, to: &upstreams[place].queued)
            default: break
            }
        }
    }

    /// An answer that another one has gone on with is one.
    private static let answers = [#"ending="done""#.utf8, #"ending="continued""#.utf8]

    private static func add(_ value: UInt64, to sum: inout Int) { sum = min(sum + Int(min(value, UInt64(countMax))), countMax) }

    private mutating func place(of labels: [UInt8]) -> Int {
        let name = labels.dropFirst(#"upstream=""#.utf8.count).dropLast()
        if let place = upstreams.firstIndex(where: { $0.name.utf8.elementsEqual(name) }) { return place }
        upstreams.append(Upstream(name: String(decoding: name, as: UTF8.self)))
        return upstreams.count - 1
    }

    var requests: Int { min(answered + failed + callersLeft, Self.countMax) }

    var words: String { Status.requestsWords(answered, failed: failed, callersLeft: callersLeft) }

    func tableLines(atMost width: Int) -> [String] {
        Table(["upstream", .fixed("open"), .fixed("queued")], upstreams) { [$0.name, "\($0.open)", "\($0.queued)"] }
            .lines(atMost: width)
    }
}
