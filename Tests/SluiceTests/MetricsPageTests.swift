import Foundation
import TestSupport
import Testing

@testable import Sluice

/// The text of the metrics.
@Suite struct `The page of the metrics` {
    private let table: MetricTable

    init() throws { table = try MetricTable() }

    private func lines(_ format: MetricsFormat = .prometheus) -> [String] {
        String(decoding: MetricsPage(table.series, as: format).bytes, as: UTF8.self).components(separatedBy: "\n")
    }

    @Test func `names each metric with its type ahead of its samples, also one without any`() {
        table.add(3, to: table.row(.requests, MetricLabels("done")))
        let lines = lines()
        for metric in Metric.shown {
            let description = metric.description
            #expect(lines.count { $0.hasPrefix("# HELP \(description.sampleName) ") } == 1)
            #expect(lines.count { $0.hasPrefix("# TYPE \(description.sampleName) ") } == 1)
            #expect(!description.help.contains("\n") && !description.help.contains("\\"))
        }
        let place = lines.firstIndex(of: "# TYPE sluice_requests_total counter")
        #expect(place.map { lines[$0 + 1] } == #"sluice_requests_total{ending="done"} 3"#)
        #expect(place.map { lines[$0 - 1] }?.hasPrefix("# HELP sluice_requests_total ") == true)
        #expect(lines.contains("sluice_log_lines_dropped_total 0"))
        // Of the known models and clients it does not tell.
        #expect(!lines.contains { $0.hasPrefix("# TYPE  ") || $0.hasPrefix("_total") })
    }

    @Test func `has buckets that add up to the count`() throws {
        let row = table.row(.queueWait, MetricLabels("stub"))
        for (bucket, count) in [(0, 2), (3, 1), (17, 4)] { table.add(count, toBucket: bucket, sum: 1_500_000_000, to: row) }
        let lines = lines().filter { $0.hasPrefix("sluice_queue_wait_seconds") }
        let counts = lines.filter { $0.contains("_bucket{") }.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
        #expect(counts == [2, 2, 2] + Array(repeating: 3, count: 14) + [7])
        #expect(lines.first == #"sluice_queue_wait_seconds_bucket{upstream="stub",le="0.005"} 2"#)
        #expect(
            lines.suffix(3) == [
                #"sluice_queue_wait_seconds_bucket{upstream="stub",le="+Inf"} 7"#,
                #"sluice_queue_wait_seconds_sum{upstream="stub"} 4.500000000"#,
                #"sluice_queue_wait_seconds_count{upstream="stub"} 7"#,
            ])
        let own = self.lines().filter { $0.hasPrefix("sluice_first_token_added_seconds") }
        #expect(own.first == #"sluice_first_token_added_seconds_bucket{le="0.005"} 0"#)
        #expect(own.last == "sluice_first_token_added_seconds_count 0")
    }

    @Test func `writes bounds as each format wants them`() {
        _ = table.row(.queueWait, MetricLabels("stub"))
        table.add(1, toBucket: 0, sum: 3, to: table.row(.tokenUsage, MetricLabels("openai", "other", "", "input")))
        func bounds(_ format: MetricsFormat, _ name: String) -> [String] {
            lines(format).filter { $0.hasPrefix("\(name)_bucket") }.compactMap { line in
                line.components(separatedBy: "le=\"").last.map { String($0.prefix { $0 != "\"" }) }
            }
        }
        #expect(
            bounds(.prometheus, "sluice_queue_wait_seconds") == [
                "0.005", "0.01", "0.025", "0.05", "0.1", "0.2", "0.3", "0.5", "0.75", "1", "1.5", "2.5", "5", "10", "20", "30",
                "60",
                "+Inf",
            ])
        #expect(bounds(.openMetrics, "sluice_queue_wait_seconds").suffix(4) == ["20.0", "30.0", "60.0", "+Inf"])
        #expect(bounds(.prometheus, "gen_ai_client_token_usage").prefix(3) == ["1", "4", "16"])
        #expect(bounds(.openMetrics, "gen_ai_client_token_usage").suffix(2) == ["67108864.0", "+Inf"])
    }

    @Test func `of OpenMetrics has counters without their ending ahead, and an end`() {
        table.add(3, to: table.row(.requests, MetricLabels("done")))
        let lines = lines(.openMetrics)
        #expect(lines.contains("# TYPE sluice_requests counter"))
        #expect(lines.contains(#"sluice_requests_total{ending="done"} 3"#))
        #expect(!lines.contains { $0.hasPrefix("# TYPE sluice_requests_total") })
        #expect(lines.last == "# EOF" && lines.count { $0 == "# EOF" } == 1)
        #expect(!self.lines().contains("# EOF"))
    }

    @Test(
        arguments: [
            (nil, MetricsFormat.prometheus), ("", .prometheus), ("*/*", .prometheus), ("text/html, */*;q=0.1", .prometheus),
            ("application/openmetrics-text", .openMetrics), ("APPLICATION/OpenMetrics-Text ; version=1.0.0", .openMetrics),
            // As Prometheus asks.
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
                    + "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", .openMetrics
            ),
            ("text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.3", .prometheus),
            ("application/openmetrics-text;q=0", .prometheus), ("application/openmetrics-text;q=0.000", .prometheus),
            ("text/plain;q=1.0, application/openmetrics-text;q=1.000", .openMetrics),
            ("application/openmetrics-text;q=x", .prometheus),
            ("application/openmetrics", .prometheus), (",;q=,;,application/openmetrics-text;;q=1", .openMetrics),
        ] as [(String?, MetricsFormat)])
    func `is the one that is asked for`(accept: String?, format: MetricsFormat) {
        #expect(MetricsFormat(accept: accept) == format)
    }

    /// `docs/operating.md`.
    @Test func `is what the documents say`() throws {
        let document = try String(contentsOfFile: "\(repository)/docs/operating.md", encoding: .utf8)
        let table = try #require(document.components(separatedBy: "| metric | type | labels | what |\n").dropFirst().first)
        let rows = table.components(separatedBy: "\n").dropFirst().prefix { $0.hasPrefix("|") }.map { row in
            row.components(separatedBy: "|").dropFirst().prefix(3).map { $0.trimmingCharacters(in: .whitespaces) }
                .joined(separator: "|")
        }
        let metrics = Metric.shown.map(\.description).map { description in
            let kind =
                switch description.kind {
                case .counter: "counter"
                case .gauge: "gauge"
                case .histogram: "histogram"
                }
            return "`\(description.sampleName)`|\(kind)|" + description.labels.map { "`\($0)`" }.joined(separator: ", ")
        }
        #expect(rows == metrics)
    }
}
