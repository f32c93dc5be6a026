import Clock
import EventLoop
import FastCGI
import Foundation
import HTTPClient
import Logging
import TestSupport
import Testing

@testable import Settings
@testable import Sluice

/// What a worker sends to a collector.
@Suite(.timeLimit(.minutes(5))) struct `The exporter of traces` {
    private static func generation(
        _ endpoint: String, _ metrics: Metrics, replacing former: WorkerGeneration? = nil, on loop: EventLoop
    ) throws -> WorkerGeneration {
        var settings = Settings(
            listen: [.inherited(0)], workers: 1, upstreams: [UpstreamSettings(name: "a", kind: .demo)],
            models: [ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: "a")])])
        var traces = TraceSettings()
        traces.endpoint = endpoint
        traces.headers = [UpstreamSettings.Header(name: "X-Tenant", value: "north")]
        settings.traces = traces
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let shared = try Generation(settings, replacing: former?.shared, logger, metrics)
        return try WorkerGeneration(shared, replacing: former, on: loop, logger)
    }

    private static func span(_ name: Int) -> EncodedSpans { EncodedSpans(bytes: Array(#"{"name":"\#(name)"}"#.utf8), count: 1) }

    /// How many spans have had an outcome.
    private static func count(_ outcome: String, in table: MetricTable) -> Int {
        let series = table.series.first {
            $0.metric == .traceSpans && String(decoding: $0.labels, as: UTF8.self) == #"outcome="\#(outcome)""#
        }
        return series.map { Int($0.values[0]) } ?? 0
    }

    private static func names(in collector: StubUpstream) -> [[String]] {
        collector.requests.value.map { $0.text.matches(of: /"name":"([0-9]+)"/).map { String($0.output.1) } }
    }

    @Test func `sends what comes together as one, with the settings' headers, and counts it`() async throws {
        let (collector, table) = (try StubUpstream(.json("{}")), try MetricTable())
        let metrics = Metrics(table)
        try await LoopActor.run { actor in
            let generation = try Self.generation(collector.tracesURL, metrics, on: actor.loop)
            let exporter = TraceExporter(on: actor.loop)
            for name in 1...3 { exporter.add(Self.span(name), of: generation) }
            // By itself, after a moment.
            let request = try await collector.request()
            #expect(request.method == "POST" && request.path == "/v1/traces")
            #expect(request.head["Content-Type"] == "application/json" && request.head["X-Tenant"] == "north")
            try await eventually("they are counted") { Self.count("sent", in: table) == 3 }
            exporter.add(Self.span(4), of: generation)
            await exporter.end(until: actor.loop.now + .seconds(60))
            #expect(Self.names(in: collector) == [["1", "2", "3"], ["4"]])
            #expect(Self.count("sent", in: table) == 4 && Self.count("dropped", in: table) == 0)
            // By the same connection.
            #expect(collector.connectionsEver == 1)
        }
        try await collector.stop()
    }

    @Test(arguments: [
        (#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#, 2),
        (#"{"partialSuccess":{"rejectedSpans":1000}}"#, 3),
        (#"{"partialSuccess":{"rejectedSpans":"9999999999999999999"}}"#, 3), ("{}", 0), (#"{"partialSuccess":{}}"#, 0),
        (#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":""# + String(repeating: "x", count: 1 << 20) + "\"}}", 0),
    ])
    func `counts what the collector rejects of a batch as dropped`(answer: String, rejectedCount: Int) async throws {
        let (collector, table) = (try StubUpstream(.json(answer)), try MetricTable())
        let metrics = Metrics(table)
        try await LoopActor.run { actor in
            let generation = try Self.generation(collector.tracesURL, metrics, on: actor.loop)
            let exporter = TraceExporter(on: actor.loop)
            for name in 1...3 { exporter.add(Self.span(name), of: generation) }
            await exporter.end(until: actor.loop.now + .seconds(60))
        }
        // It is not sent again.
        #expect(Self.names(in: collector) == [["1", "2", "3"]])
        #expect(Self.count("dropped", in: table) == rejectedCount && Self.count("sent", in: table) == 3 - rejectedCount)
        try await collector.stop()
    }

    @Test func `sends much in batches, one behind another`() async throws {
        let (collector, table) = (try StubUpstream(.json("{}")), try MetricTable())
        let metrics = Metrics(table)
        try await LoopActor.run { actor in
            let generation = try Self.generation(collector.tracesURL, metrics, on: actor.loop)
            let exporter = TraceExporter(on: actor.loop)
            for name in 0..<1_500 { exporter.add(Self.span(name), of: generation) }
            await exporter.end(until: actor.loop.now + .seconds(60))
        }
        #expect(Self.names(in: collector).map(\.count) == [512, 512, 476])
        #expect(Self.names(in: collector).flatMap(\.self) == (0..<1_500).map { "\($0)" })
        #expect(Self.count("sent", in: table) == 1_500 && Self.count("dropped", in: table) == 0)
        try await collector.stop()
    }

    @Test func `drops what there is no room for while the collector is slow, and at the end what it has not taken`() async throws
    {
        let (collector, table) = (try StubUpstream(.silence), try MetricTable())
        let metrics = Metrics(table)
        try await LoopActor.run { actor in
            let generation = try Self.generation(collector.tracesURL, metrics, on: actor.loop)
            let exporter = TraceExporter(on: actor.loop)
            for name in 0..<4_000 { exporter.add(Self.span(name), of: generation) }
            let room = 512 + TraceQueue.spansMax
            #expect(Self.count("dropped", in: table) == 4_000 - room)
            await exporter.end(until: actor.loop.now)
            #expect(Self.count("dropped", in: table) == 4_000 && Self.count("sent", in: table) == 0)
        }
        try await collector.stop()
    }

    @Test(arguments: [(400, 1), (404, 1), (500, 1), (302, 1), (429, 3), (502, 3), (503, 3), (504, 3)])
    func `sends the same again where that may help, a few times`(status: Int, times: Int) async throws {
        let (collector, table) = (try StubUpstream(.json("{}", status: status)), try MetricTable())
        let metrics = Metrics(table)
        try await LoopActor.run { actor in
            let generation = try Self.generation(collector.tracesURL, metrics, on: actor.loop)
            let exporter = TraceExporter(on: actor.loop)
            exporter.add(Self.span(1), of: generation)
            try await eventually("it is dropped") { Self.count("dropped", in: table) == 1 }
        }
        #expect(Self.names(in: collector) == Array(repeating: ["1"], count: times))
        try await collector.stop()
    }

    @Test func `sends again what a collector did not take that was away, when it is back`() async throws {
        let table = try MetricTable()
        let (metrics, tries) = (Metrics(table), Observed(0))
        let collector = try StubUpstream { _ in
            let number = tries.update { tries in
                tries += 1
                return tries
            }
            return number == 1 ? .raw(.close) : .json("{}")
        }
        try await LoopActor.run { actor in
            let generation = try Self.generation(collector.tracesURL, metrics, on: actor.loop)
            let exporter = TraceExporter(on: actor.loop)
            exporter.add(Self.span(1), of: generation)
            try await eventually("it is taken") { Self.count("sent", in: table) == 1 }
            #expect(Self.count("dropped", in: table) == 0)
        }
        #expect(Self.names(in: collector) == [["1"], ["1"]])
        try await collector.stop()
    }

    @Test func `sends what waits to where the newest settings say`() async throws {
        let (former, next, table) = (try StubUpstream(.json("{}")), try StubUpstream(.json("{}")), try MetricTable())
        let metrics = Metrics(table)
        try await LoopActor.run { actor in
            let first = try Self.generation(former.tracesURL, metrics, on: actor.loop)
            let second = try Self.generation(next.tracesURL, metrics, replacing: first, on: actor.loop)
            let exporter = TraceExporter(on: actor.loop)
            exporter.add(Self.span(1), of: first)
            exporter.add(Self.span(2), of: second)
            exporter.add(Self.span(3), of: first)
            await exporter.end(until: actor.loop.now + .seconds(60))
        }
        #expect(Self.names(in: former) == [] && Self.names(in: next) == [["1", "2", "3"]])
        try await former.stop()
        try await next.stop()
    }

    @Test func `sends what waits though its generation has gone`() async throws {
        let (collector, table) = (try StubUpstream(.json("{}")), try MetricTable())
        let metrics = Metrics(table)
        try await LoopActor.run { actor in
            let exporter = TraceExporter(on: actor.loop)
            var generation: WorkerGeneration? = try Self.generation(collector.tracesURL, metrics, on: actor.loop)
            let end = try #require(generation?.shared.end)
            if let generation { exporter.add(Self.span(1), of: generation) }
            generation = nil
            #expect(end.hasCome)
            await exporter.end(until: actor.loop.now + .seconds(60))
        }
        #expect(Self.count("sent", in: table) == 1)
        try await collector.stop()
    }
}

extension StubUpstream {
    /// As a collector.
    fileprivate var tracesURL: String { "http://127.0.0.1:\(port)/v1/traces" }
}
