// The metrics as Prometheus and its kin read them.

import Chat

/// In which format metrics are told.
enum MetricsFormat: CaseIterable, Sendable {
    /// Prometheus' text format 0.0.4.
    case prometheus
    /// OpenMetrics 1.0.
    case openMetrics

    /// By the header `Accept`: OpenMetrics where that is named, and wanted at least as much as text.
    init(accept: String?) {
        var (open, text) = (0, 0)
        for range in (accept ?? "").utf8.split(separator: UInt8(ascii: ",")) {
            let parts = range.split(separator: UInt8(ascii: ";")).map(Self.trimmed)
            let quality = parts.dropFirst().compactMap(Self.quality).first ?? 1_000
            switch parts.first.map({ String(decoding: $0, as: UTF8.self) }) {
            case let type? where type.isEqualIgnoringCase(to: "application/openmetrics-text"): open = max(open, quality)
            case let type? where type.isEqualIgnoringCase(to: "text/plain"): text = max(text, quality)
            default: break
            }
        }
        self = open > 0 && open >= text ? .openMetrics : .prometheus
    }

    /// Thousandths (RFC 9110 §12.4.2); nil for another parameter.
    private static func quality(_ parameter: Substring.UTF8View) -> Int? {
        guard parameter.prefix(2).elementsEqual("q=".utf8) || parameter.prefix(2).elementsEqual("Q=".utf8) else { return nil }
        let parts = parameter.dropFirst(2).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let whole = Int(decimal: parts[0]), (0...1).contains(whole) else { return 0 }
        guard parts.count == 2 else { return 1_000 * whole }
        let digits = Array(parts[1].prefix(3)) + Array("000".utf8).dropFirst(min(3, parts[1].count))
        return min(1_000, 1_000 * whole + (Int(decimal: digits) ?? 0))
    }

    private static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
        let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var text = text.drop(while: isBlank)
        while let last = text.last, isBlank(last) { text = text.dropLast() }
        return text
    }

    var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }
}

/// The page of all metrics. Each is there, also one of which there is no series yet.
struct MetricsPage {
    private let format: MetricsFormat
    /// Without the last line's end.
    private(set) var bytes: [UInt8] = []

    /// - Parameter series: by their metrics.
    init(_ series: [MetricTable.Series], as format: MetricsFormat) {
        self.format = format
        var rest = series[...]
        for metric in Metric.shown {
            appendHead(of: metric)
            while let next = rest.first, next.metric == metric {
                append(next)
                rest = rest.dropFirst()
            }
        }
        if format == .openMetrics { bytes.append("# EOF\n") }
        bytes.removeLast()
    }

    /// OpenMetrics has a counter's name without `_total` here.
    private mutating func appendHead(of metric: Metric) {
        let description = metric.description
        let name = format == .openMetrics ? description.name : description.sampleName
        let type =
            switch description.kind {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        for line in ["# HELP \(name) \(description.help)\n", "# TYPE \(name) \(type)\n"] { bytes.append(line) }
    }

    private mutating func append(_ series: MetricTable.Series) {
        guard case .histogram(let buckets) = series.metric.description.kind else {
            append(series.metric.description.sampleName, series.labels)
            bytes.append("\(series.values[0])\n")
            return
        }
        let (bounds, name) = (buckets.bounds, series.metric.description.name)
        var count: UInt64 = 0
        for index in 0...bounds.count {
            count &+= series.values[index]
            let bound = index < bounds.count ? text(of: bounds[index], buckets) : "+Inf"
            append(name + "_bucket", series.labels, bound: bound)
            bytes.append("\(count)\n")
        }
        append(name + "_sum", series.labels)
        let sum = series.values[MetricBuckets.countMax]
        bytes.append(buckets == .seconds ? "\(Self.seconds(sum, digits: 9))\n" : "\(sum)\n")
        append(name + "_count", series.labels)
        bytes.append("\(count)\n")
    }

    /// All of a sample but its value.
    private mutating func append(_ name: String, _ labels: [UInt8], bound: String? = nil) {
        bytes.append(name)
        if !labels.isEmpty || bound != nil { bytes.append("{") }
        bytes += labels
        if let bound { bytes.append("\(labels.isEmpty ? "" : ",")le=\"\(bound)\"") }
        bytes.append(labels.isEmpty && bound == nil ? " " : "} ")
    }

    /// A float in its shortest form, which in OpenMetrics has a point (§4.1.6.1).
    private func text(of bound: UInt64, _ buckets: MetricBuckets) -> String {
        let milliseconds = buckets == .seconds ? bound / 1_000_000 : 1_000 * bound
        var digits = Array(Self.seconds(milliseconds * 1_000_000, digits: 3).utf8)
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        if digits.last == UInt8(ascii: ".") {
            if format == .openMetrics { digits.append(UInt8(ascii: "0")) } else { digits.removeLast() }
        }
        return String(decoding: digits, as: UTF8.self)
    }

    private static func seconds(_ nanoseconds: UInt64, digits count: Int) -> String {
        var bytes = Array("\(nanoseconds / 1_000_000_000).".utf8)
        var rest = nanoseconds % 1_000_000_000
        var unit: UInt64 = 100_000_000
        for _ in 0..<count {
            bytes.append(UInt8(ascii: "0") + UInt8(rest / unit))
            rest %= unit
            unit /= 10
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
