import Chat
import Clock
import Foundation
import Logging
import TestSupport
import Testing

@testable import Settings
@testable import Sluice

/// The spans of traces that wait.
@Suite struct `The queue of traces` {
    private func trace(_ name: Int, count: Int = 1, padding: Int = 0) -> EncodedSpans {
        let span = #"{"name":"\#(name)","padding":"\#(String(repeating: "x", count: padding))"}"#
        return EncodedSpans(bytes: Array(Array(repeating: span, count: count).joined(separator: ",").utf8), count: count)
    }

    /// A queue of these, which it has to have room for.
    private func queue(_ traces: [EncodedSpans]) -> TraceQueue {
        var queue = TraceQueue()
        for trace in traces {
            let isTaken = queue.add(trace)
            #expect(isTaken)
        }
        return queue
    }

    /// What it hands out until nothing waits.
    private func batches(_ queue: inout TraceQueue) -> [TraceQueue.Batch] {
        var batches: [TraceQueue.Batch] = []
        while let batch = queue.takeBatch(behind: TraceQueue.start(of: "voice \"north\"")) { batches.append(batch) }
        return batches
    }

    private struct Body: Decodable {
        struct Resource: Decodable {
            struct Scope: Decodable {
                struct Span: Decodable { let name: String }
                struct Name: Decodable { let name, version: String }
                let scope: Name
                let spans: [Span]
            }
            struct Attributes: Decodable {
                struct Attribute: Decodable {
                    struct Value: Decodable { let stringValue: String }
                    let key: String
                    let value: Value
                }
                let attributes: [Attribute]
            }
            let resource: Attributes
            let scopeSpans: [Scope]
        }
        let resourceSpans: [Resource]
    }

    private func names(_ batch: TraceQueue.Batch) throws -> [String] {
        let body = try JSONDecoder().decode(Body.self, from: Data(batch.body))
        let resource = try #require(body.resourceSpans.first)
        let scopes = resource.scopeSpans
        #expect(resource.resource.attributes.map(\.key) == ["service.name", "service.version"])
        #expect(resource.resource.attributes.map(\.value.stringValue) == ["voice \"north\"", sluiceVersion])
        #expect(scopes.first?.scope.name == "sluice" && scopes.first?.scope.version == sluiceVersion)
        return try #require(scopes.first).spans.map(\.name)
    }

    @Test func `makes one request of what waits, in its order`() throws {
        var empty = TraceQueue()
        #expect(batches(&empty).isEmpty && empty.count == 0)
        var queue = queue((1...3).map { trace($0, count: $0) })
        #expect(queue.count == 6 && !queue.hasWholeBatch)
        let batches = batches(&queue)
        #expect(try batches.map(names) == [["1", "2", "2", "3", "3", "3"]])
        #expect(batches.map(\.count) == [6] && queue.count == 0)
    }

    @Test func `makes requests of so many spans, and cuts no trace`() throws {
        var queue = queue((1...200).map { trace($0, count: 3) })
        #expect(queue.hasWholeBatch)
        #expect(batches(&queue).map(\.count) == [510, 90])
        #expect(!queue.hasWholeBatch)
    }

    @Test func `makes requests of so many bytes`() throws {
        var queue = queue((1...30).map { trace($0, padding: 30_000) })
        let batches = batches(&queue)
        #expect(batches.allSatisfy { $0.body.count < TraceQueue.batchBytesMax + 1_000 })
        #expect(try batches.flatMap(names) == (1...30).map { "\($0)" })
    }

    @Test(arguments: [(1, 0, 2048), (10, 0, 204), (1, 100_000, 10)])
    func `takes no more than there is room for, and has room again when some has been taken out`(
        count: Int, padding: Int, tracesMax: Int
    ) {
        var queue = TraceQueue()
        func taken(_ traces: Int) -> Int { (0..<traces).count { queue.add(trace($0, count: count, padding: padding)) } }
        #expect(taken(3_000) == tracesMax)
        _ = queue.takeBatch(behind: TraceQueue.start(of: "voice \"north\""))
        #expect(taken(1) == 1)
        let (waiting, left) = (queue.count, queue.removeAll())
        #expect(left == waiting && queue.count == 0)
        // What it has let go of takes no room.
        #expect(taken(3_000) == tracesMax)
    }
}

/// What is told of spans that are dropped.
@Suite struct `The health of traces` {
    @Test func `tells when spans begin to be dropped, and when no longer, and not of each`() throws {
        let pipe = LogPipe()
        let log = try Log(Settings.Log(), in: pipe.environment)
        let table = try MetricTable()
        let health = TraceHealth(log.logger, Metrics(table))
        health.sent(3, isAll: true)
        #expect(pipe.read() == "")
        for _ in 0..<100 { health.dropped(2, because: "connection refused") }
        health.dropped(0, because: "nothing")
        let begun = pipe.read()
        #expect(begun.split(separator: "\n").count == 1)
        #expect(begun.contains(#""level":"warning""#) && begun.contains("spans are dropped"))
        #expect(begun.contains(#""reason":"connection refused""#))
        // Others wait still.
        health.sent(5, isAll: false)
        #expect(pipe.read() == "")
        health.sent(7, isAll: true)
        let ended = pipe.read()
        #expect(ended.contains("the collector takes spans again") && ended.contains(#""total":200"#))
        health.sent(1, isAll: true)
        #expect(pipe.read() == "")
        let told = table.series.filter { $0.metric == .traceSpans }
        let counts = Dictionary(uniqueKeysWithValues: told.map { (String(decoding: $0.labels, as: UTF8.self), $0.values) })
        #expect(counts == [#"outcome="sent""#: [16], #"outcome="dropped""#: [200]])
    }

    @Test func `tells of spans that are rejected once a minute, and counts each`() throws {
        let pipe = LogPipe()
        let log = try Log(Settings.Log(), in: pipe.environment)
        let table = try MetricTable()
        let health = TraceHealth(log.logger, Metrics(table))
        let start = Instant.current
        health.rejected(0, because: "nothing", at: start)
        #expect(pipe.read() == "")
        for second in 0..<60 { health.rejected(2, because: "too old: \(second)", at: start + .seconds(second)) }
        let first = pipe.read()
        #expect(first.split(separator: "\n").count == 1 && first.contains("the collector rejects some of the spans"), "\(first)")
        #expect(first.contains(#""reason":"too old: 0""#) && first.contains(#""total":2"#))
        #expect(first.contains(#""level":"warning""#))
        health.rejected(1, because: nil, at: start + .seconds(60))
        let second = pipe.read()
        #expect(second.contains(#""reason":"it gives none""#) && second.contains(#""total":119"#), "\(second)")
        let told = table.series.filter { $0.metric == .traceSpans }
        #expect(told.map(\.values) == [[121]])
        #expect(told.map { String(decoding: $0.labels, as: UTF8.self) } == [#"outcome="dropped""#])
    }
}

/// What a collector says to spans that it has taken.
@Suite struct `The collector's answer` {
    @Test func `shows no token of a header, whether its scheme stands ahead of it or not`() {
        #expect(UpstreamKey.secrets(of: "Bearer  tok123") == [Array("Bearer  tok123".utf8), Array("tok123".utf8)])
        #expect(UpstreamKey.secrets(of: "zebra") == [Array("zebra".utf8)])
    }

    @Test(arguments: [
        (#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#, 3, "too old"),
        (#"{"partialSuccess":{"rejectedSpans":3}}"#, 3, nil),
        (#"{"partialSuccess":{"errorMessage":"soon full"}}"#, 0, "soon full"),
        (
            #"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"for sesame-open\u0007\n sk-proj-abcdefgh1234"}}"#, 1,
            "for *** ***"
        ),
        (#"{"partialSuccess":{"rejectedSpans":"999999999999999999"}}"#, 999_999_999_999_999_999, nil),
        (#"{"partialSuccess":{"rejectedSpans":"9223372036854775807"}}"#, .max, nil),
        (#"{"partialSuccess":{"rejectedSpans":"99999999999999999999"}}"#, .max, nil),
        (#"{"partialSuccess":{"rejectedSpans":99999999999999999999}}"#, .max, nil),
        (#"{"partialSuccess":{"rejectedSpans":"-99999999999999999999"}}"#, 0, nil),
        (#"{"partialSuccess":{"rejectedSpans":""}}"#, 0, nil), (#"{"partialSuccess":{"rejectedSpans":"3 spans"}}"#, 0, nil),
        (#"{"partialSuccess":{"rejectedSpans":"-3"}}"#, 0, nil), (#"{"partialSuccess":{"rejectedSpans":-3}}"#, 0, nil),
        (#"{"partialSuccess":{"rejectedSpans":{"a":1}}}"#, 0, nil), (#"{"partialSuccess":7}"#, 0, nil), ("{}", 0, nil),
        ("", 0, nil), ("[]", 0, nil), ("ok", 0, nil), (#"{"partialSuccess":{"rejectedSpans":"3"#, 0, nil),
        (String(repeating: "[", count: 5_000), 0, nil),
    ])
    func `tells how many it has not taken, and why`(body: String, count: Int, words: String?) {
        let answer = CollectorAnswer(Array(body.utf8))
        #expect(answer.rejectedCount == count && answer.words(without: [Array("sesame-open".utf8)]) == words)
    }
}
