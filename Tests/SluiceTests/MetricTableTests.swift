import Chat
import Choosing
import Clock
import EventLoop
import FastCGI
import Glibc
import Testing

@testable import Settings
@testable import Sluice

/// Where processes count.
@Suite struct `The table of the metrics` {
    private let table: MetricTable

    init() throws { table = try MetricTable() }

    private func series(_ metric: Metric, of table: MetricTable? = nil) -> [String: [UInt64]] {
        let all = (table ?? self.table).series.filter { $0.metric == metric }
        return Dictionary(all.map { (String(decoding: $0.labels, as: UTF8.self), $0.values) }) { first, _ in first }
    }

    @Test func `has one series for the same labels, and others for others`() {
        for ending in ["done", "cut", "done"] { table.add(1, to: table.row(.requests, MetricLabels(ending))) }
        #expect(series(.requests) == [#"ending="done""#: [2], #"ending="cut""#: [1]])
        // What two labels have in common at their border is not the same.
        table.add(1, to: table.row(.retries, MetricLabels("a", "bc")))
        table.add(1, to: table.row(.retries, MetricLabels("ab", "c")))
        #expect(series(.retries).count == 2)
        #expect(series(.hedges).isEmpty)
        // What has no labels is there from the start.
        #expect(series(.logLinesDropped) == ["": [0]])
    }

    @Test(arguments: [
        ("quote \" here", #"client="quote \" here""#), ("back\\slash", #"client="back\\slash""#),
        ("line\nbreak", #"client="line\nbreak""#),
        ("umlaut ä", "client=\"umlaut ä\""), ("", ""),
    ])
    func `escapes what would end a label`(value: String, text: String) {
        table.add(1, to: table.row(.clientRequests, MetricLabels(value)))
        #expect(series(.clientRequests)[text] == [1])
    }

    @Test func `leaves out labels without a value`() {
        table.add(1, toBucket: 0, sum: 1, to: table.row(.operationDuration, MetricLabels("openai", "other", "", "cut")))
        let labels =
            #"gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="other",error_type="cut""#
        #expect(series(.operationDuration).keys.contains(labels))
    }

    @Test func `counts together what is beyond a metric's bound, and what is too long`() {
        let bound = Metric.requests.description.seriesMax
        for number in 0..<(bound + 50) { table.add(1, to: table.row(.requests, MetricLabels("\(number)"))) }
        let found = series(.requests)
        #expect(found.count == bound + 1)
        #expect(found[#"ending="(others)""#] == [50])
        #expect(found[#"ending="0""#] == [1])
        table.add(1, to: table.row(.hedges, MetricLabels(String(repeating: "x", count: 2_000))))
        #expect(series(.hedges) == [#"outcome="(others)""#: [1]])
    }

    @Test func `has room for all that each metric may have, whatever others have`() {
        for metric in Metric.allCases where !metric.description.labels.isEmpty {
            let bound = metric.description.seriesMax
            for number in 0..<bound { #expect(table.row(metric, MetricLabels("\(number)")) != table.commonRow(of: metric)) }
            #expect(table.row(metric, MetricLabels("further")) == table.commonRow(of: metric))
            #expect(table.row(metric, MetricLabels("0")) != table.commonRow(of: metric))
        }
    }

    @Test func `holds a few names in a row, the first that come, for all processes`() throws {
        let table = try MetricTable(passedOn: 2)
        let number = try SystemError.check("dup", dup(table.number))
        let other = try MetricTable(Descriptor(owning: number))
        let rows = [table, other].map { $0.row(.knownModels, MetricLabels("stub", "plain")) }
        for name in 0..<MetricTable.namesMax { #expect(table.holds("name \(name)", in: rows[0])) }
        #expect(!table.holds("one more", in: rows[0]) && !other.holds("one more", in: rows[1]))
        #expect(other.holds("name 0", in: rows[1]))
        #expect(table.holds("one more", in: table.row(.knownModels, MetricLabels("stub", "another"))))
        #expect(series(.knownModels, of: table).isEmpty)
    }

    /// As many processes as settings may have, each with all those beside it that come to their end.
    @Test func `counts rightly with 64 processes and ten upstreams`() throws {
        let (placesCount, slotsCount) = (64, ProcessPlaces(count: 64).slotsCount)
        let table = try MetricTable(passedOn: slotsCount)
        let ofProcesses = Metric.allCases.filter { $0.description.labels == ["process"] }
        for slot in 0..<slotsCount {
            let metrics = Metrics(table, slot: slot, place: slot % placesCount)
            metrics.tell(
                ofProcesses.map { ($0, MetricLabels(metrics.process), 2) }
                    + (0..<10).map { (.upstreamOpen, MetricLabels("upstream-\($0)"), 3) })
        }
        for ending in ["done", "cut"] { table.add(1, to: table.row(.requests, MetricLabels(ending))) }
        #expect(series(.requests, of: table) == [#"ending="done""#: [1], #"ending="cut""#: [1]])
        let open = series(.upstreamOpen, of: table)
        #expect(open.count == 10 && open.values.allSatisfy { $0 == [UInt64(3 * slotsCount)] })
        for metric in ofProcesses {
            let found = series(metric, of: table)
            #expect(found.count == placesCount && found.values.allSatisfy { $0 == [UInt64(2 * slotsCount / placesCount)] })
        }
    }

    @Test func `tells what upstreams beyond its bound have together`() {
        let metrics = Metrics(table)
        let bound = Metric.upstreamOpen.description.seriesMax
        func tell(_ value: Int, of count: Int) {
            metrics.tell((0..<count).map { (.upstreamOpen, MetricLabels("\($0)"), value) })
        }
        tell(1, of: bound + 50)
        #expect(series(.upstreamOpen).count == bound + 1)
        #expect(series(.upstreamOpen)[#"upstream="(others)""#] == [50])
        tell(2, of: bound)
        #expect(series(.upstreamOpen)[#"upstream="(others)""#] == nil)
        #expect(series(.upstreamOpen)[#"upstream="0""#] == [2])
    }

    @Test func `is the same for all who have it, and keeps what one has counted that has ended`() throws {
        let table = try MetricTable(passedOn: 2)
        let number = try SystemError.check("dup", dup(table.number))
        let other = try MetricTable(Descriptor(owning: number))
        for each in [table, other] { each.add(2, to: each.row(.requests, MetricLabels("done"))) }
        other.set(7, of: other.row(.activeRequests, MetricLabels("2")), by: 1)
        table.set(3, of: table.row(.activeRequests, MetricLabels("1")), by: 0)
        #expect(series(.requests, of: table) == [#"ending="done""#: [4]])
        #expect(series(.activeRequests, of: table) == [#"process="1""#: [3], #"process="2""#: [7]])
        table.clear(slot: 1)
        #expect(series(.requests, of: other) == [#"ending="done""#: [4]])
        #expect(series(.activeRequests, of: other) == [#"process="1""#: [3], #"process="2""#: [0]])
    }

    @Test func `adds up what several processes have of the same`() throws {
        let table = try MetricTable(passedOn: 3)
        for slot in 0..<3 { table.set(slot + 1, of: table.row(.upstreamOpen, MetricLabels("stub")), by: slot) }
        #expect(series(.upstreamOpen, of: table) == [#"upstream="stub""#: [6]])
        table.clear(slot: 1)
        #expect(series(.upstreamOpen, of: table) == [#"upstream="stub""#: [4]])
    }

    @Test func `loses nothing where many count at once`() async {
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask { [table] in
                    for number in 0..<5_000 {
                        table.add(1, to: table.row(.requests, MetricLabels("\((number + worker) % 37)")))
                    }
                }
            }
        }
        let found = series(.requests)
        #expect(found.count == 37)
        #expect(found.values.reduce(0) { $0 + $1[0] } == 20_000)
    }
}

@Suite struct `Statuses that an upstream makes up` {
    @Test func `take no series from what Sluice has words for`() throws {
        let table = try MetricTable()
        let metrics = Metrics(table)
        func note(_ ending: Ending) {
            var record = RequestRecord(RequestID(callers: nil), at: .current)
            record.ending = ending
            metrics.note(record, at: .current, namesClients: false)
        }
        for status in 100..<1000 { note(.failed(.upstreamFailed(.status(status)))) }
        for ending in [Ending.answered, .callerLeft(), .failed(.upstreamCutOff), .failed(.upstreamRefused(status: 422, nil))] {
            note(ending)
        }
        let endings = table.series.filter { $0.metric == .requests }.map { String(decoding: $0.labels, as: UTF8.self) }
        for ending in [
            "done", "caller_left", "cut", "refused.422", "failed.500", "failed.503", "failed.402", "failed.4xx", "failed.9xx",
        ] {
            #expect(endings.contains("ending=\"\(ending)\""), "\(ending)")
        }
        #expect(!endings.contains(#"ending="(others)""#))
        #expect(endings.count < Metric.requests.description.seriesMax / 2)
    }
}

@Suite struct `Rows that are remembered` {
    private let table: MetricTable

    init() throws { table = try MetricTable() }

    private func values(_ metric: Metric) -> [String: [UInt64]] {
        let series = table.series.filter { $0.metric == metric }
        return Dictionary(uniqueKeysWithValues: series.map { (String(decoding: $0.labels, as: UTF8.self), $0.values) })
    }

    private func model(_ name: String) -> ServedModel? {
        let json = Array("{\"model\":\"\(name)\"}".utf8)
        var reader = ChatFrameReader(depthMax: 8)
        _ = reader.read(json.span)
        return reader.servedModel.flatMap { ServedModel($0, in: json.span, hiding: UpstreamKey()) }
    }

    @Test func `are looked up once, but for those that stand for many`() {
        let remembered = RememberedRow()
        let common = RememberedRow()
        var count = 0
        for _ in 0..<3 {
            let row = remembered.row {
                count += 1
                return table.row(.requests, MetricLabels("done"))
            }
            #expect(row == table.row(.requests, MetricLabels("done")))
        }
        #expect(count == 1)
        for _ in 0..<3 {
            _ = common.row {
                count += 1
                return table.commonRow(of: .requests)
            }
        }
        #expect(count == 4)
    }

    @Test func `are those of the model that has answered`() {
        let rows = TargetRows()
        let first = rows.answers(of: model("one")) { "one" }
        #expect(rows.answers(of: model("one")) { "another" } === first)
        #expect(rows.answers(of: model("two")) { "two" }.served.utf8.elementsEqual("two".utf8))
        #expect(rows.answers(of: nil) { "" }.served.isEmpty)
        #expect(rows.answers(of: model("one")) { "one" } !== first)
    }

    @Test func `count what happens to one target, each kind of it apart`() throws {
        let models = [ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: "first")])]
        let upstreams = [UpstreamSettings(name: "first", kind: .demo)]
        let settings = Settings(listen: [.inherited(0)], workers: 1, upstreams: upstreams, models: models)
        let target = try #require(Routes(settings).targets.first)
        let metrics = Metrics(table)
        for _ in 0..<2 {
            metrics.note([
                RequestRecord.Try(target, .first, .failed, .seconds(1), failure: "cut"),
                RequestRecord.Try(target, .retry, .won, .zero),
            ])
            var record = RequestRecord(RequestID(callers: nil), at: .current)
            (record.target, record.asked) = (target, .current)
            metrics.note(record, at: .current, namesClients: false)
            record.ending = .failed(.upstreamCutOff)
            metrics.note(record, at: .current, namesClients: false)
            record.ending = .answered
            record.hasEndedSpoken = true
            metrics.note(record, at: .current, namesClients: false)
        }
        let won = try #require(values(.attempts).first { $0.key.contains("outcome=\"won\"") })
        #expect(won.value == [2] && won.key.contains("upstream=\"first\""))
        #expect(values(.attempts).count == 2 && values(.attempts).allSatisfy { $0.value == [2] })
        #expect(values(.requests) == [#"ending="done""#: [2], #"ending="cut""#: [2], #"ending="spoken_cut""#: [2]])
        let durations = values(.operationDuration).mapValues { $0.dropLast().reduce(0, +) }
        #expect(durations.count == 2 && durations.allSatisfy { $0.value == 4 })
        #expect(durations.count { $0.key.contains("error_type=\"cut\"") } == 1)
    }
}

@Suite struct `Buckets` {
    @Test(arguments: [(0, 0), (5_000_000, 0), (5_000_001, 1), (60_000_000_000, 16), (60_000_000_001, 17)] as [(UInt64, Int)])
    func `take what is not above their bound`(nanoseconds: UInt64, index: Int) {
        #expect(MetricBuckets.seconds.index(of: nanoseconds) == index)
    }

    @Test func `find room in a row, in order`() {
        for buckets in [MetricBuckets.seconds, .tokens] {
            #expect(buckets.bounds.count < MetricBuckets.countMax)
            #expect(buckets.bounds == buckets.bounds.sorted())
        }
        #expect(MetricBuckets.tokens.bounds.last == 67_108_864)
    }

    @Test func `of a stream's events are those of the metric`() {
        var times = ChunkTimes()
        #expect(!times.hasAny)
        let start = Instant.current
        for milliseconds in [0, 5, 6, 70_000] { times.note(ChunkTimes.Gap(from: start, to: start + .milliseconds(milliseconds))) }
        var counts: [Int: Int] = [:]
        times.forEachBucket { counts[$0] = $1 }
        #expect(counts == [0: 2, 1: 1, 17: 1])
        #expect(times.sum == .milliseconds(70_011))
    }
}

@Suite struct `What Sluice adds itself` {
    @Test func `is not what others are waited for`() {
        var time = OwnTime(from: Instant.current + .seconds(-10))
        time.waits(forOthers: true)
        let first = time.total
        #expect(first >= .seconds(10))
        time.waits(forOthers: true)
        #expect(time.total == first)
        time.waits(forOthers: false)
        time.waits(forOthers: true)
        #expect(time.total >= first)
    }

    @Test func `is told beside what others took, in milliseconds`() {
        var wait = FirstTokenWait(upstream: "stub", attemptsCount: 1, total: .seconds(1))
        (wait.connect, wait.waiting) = (.microseconds(12_400), .milliseconds(310))
        #expect(
            wait.serverTiming(added: .microseconds(214))
                == "queue;dur=0.000, connect;dur=12.400, upstream;dur=310.000, sluice;dur=0.214")
    }
}
