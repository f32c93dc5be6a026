// Where all workers and all processes count.

import EventLoop
import Glibc

/// A row of numbers for each series, in memory that all processes share. Each number is one word, which changes in one step: nobody waits
/// for anybody, whoever asks any process is told of all, and what a process has counted is there when it is not.
///
/// A series is found by the hash of its labels. It has its row for good, so that nothing has to be looked after; those beyond what there
/// is room for have one row in common for each metric.
final class MetricTable: Sendable {
    /// Where a series is.
    struct Row: Hashable, Sendable { fileprivate let index: Int }

    private let words: SharedWords

    // MARK: Where what is

    /// How many series there may be.
    static let rowsMax = 2048
    private static let indexCount = 2 * rowsMax
    private static let probesMax = 64

    /// Ahead of all: what hashes begin with, how many rows are taken, and how many of each metric.
    private static let (seedWord, usedWord, countsWord) = (0, 1, 2)
    private static let indexWord = countsWord + Metric.allCases.count
    private static let rowsWord = indexWord + indexCount
    /// Of a row: its metric, by one more than its number; the process whose alone it is, likewise; the length of its labels' text, and that;
    /// and the values: one, or the buckets' and the sum.
    private static let (metricWord, slotWord, lengthWord, textWord) = (0, 1, 2, 3)
    private static let textBytesMax = 512
    private static let valuesWord = textWord + textBytesMax / 8
    private static let valuesCount = MetricBuckets.countMax + 1
    private static let rowWords = valuesWord + valuesCount
    private static let wordsCount = rowsWord + rowsMax * rowWords

    private static func word(_ word: Int, of row: Int) -> Int { rowsWord + row * rowWords + word }

    /// What stands in the index beside the row's number.
    private static let tag = ~UInt64(0xFFFF)

    // MARK: Beginnings

    /// Those of this process alone.
    ///
    /// - Throws: `SystemError` when the process is out of memory.
    init() throws(SystemError) {
        words = try SharedWords(count: Self.wordsCount)
        begin()
    }

    /// One of several processes, to be passed on.
    ///
    /// - Throws: `SystemError` when the process is out of descriptors or memory.
    init(passedOn: Void) throws(SystemError) {
        words = try SharedWords(passedOn: Self.wordsCount)
        begin()
    }

    /// The one that another process has made.
    ///
    /// - Throws: `SystemError` when the process is out of memory, or it is none.
    init(_ descriptor: consuming Descriptor) throws(SystemError) {
        words = try SharedWords(descriptor)
        guard words.count >= Self.wordsCount else { throw SystemError("the metrics", code: EINVAL) }
    }

    /// The first rows are those of each metric as a whole: of what has no labels, and of what there is no room for.
    private func begin() {
        words[Self.seedWord] = .random(in: 0 ... .max)
        for metric in Metric.allCases {
            let labels: MetricLabels = metric.description.labels.isEmpty ? .none : .other
            write(metric, labels.text(of: metric), of: nil, to: metric.rawValue)
        }
        words[Self.usedWord] = UInt64(Metric.allCases.count)
    }

    /// To pass it on.
    var number: Int32 { words.number }

    // MARK: Rows

    /// Of a metric without labels, or of all its series that there is no room for.
    func commonRow(of metric: Metric) -> Row { Row(index: metric.rawValue) }

    /// Of a series, which it may be the first to have.
    ///
    /// - Parameter slot: the process whose value it is; nil for all of them.
    func row(_ metric: Metric, _ labels: MetricLabels, of slot: Int? = nil) -> Row {
        let seed = words[Self.seedWord] &+ UInt64(metric.rawValue) &+ UInt64(slot.map { $0 + 1 } ?? 0) << 32
        let hash = labels.hash(from: seed)
        // An entry of the index that is 0 is nobody's.
        let tag = max(hash & Self.tag, 0x10000)
        var made: Int?
        for step in 0..<Self.probesMax {
            let place = Self.indexWord + (Int(hash >> 20) + step) % Self.indexCount
            var entry = words[place]
            if entry == 0 {
                made = made ?? newRow(metric, labels, of: slot)
                guard let row = made else { return commonRow(of: metric) }
                if words.exchange(0, for: tag | UInt64(row), at: place) { return Row(index: row) }
                // Whoever was quicker may have made the same. A row in vain is one of no value.
                entry = words[place]
            }
            let index = Int(entry & ~Self.tag)
            if entry & Self.tag == tag, index < Self.rowsMax { return Row(index: index) }
        }
        return commonRow(of: metric)
    }

    private func newRow(_ metric: Metric, _ labels: MetricLabels, of slot: Int?) -> Int? {
        let text = labels.text(of: metric)
        // Those of the processes are as many as these are, and stay apart.
        let isFull = slot == nil && words[Self.countsWord + metric.rawValue] >= UInt64(metric.description.seriesMax)
        guard !isFull, text.count <= Self.textBytesMax, let row = takeRow() else { return nil }
        words.add(1, to: Self.countsWord + metric.rawValue)
        write(metric, text, of: slot, to: row)
        return row
    }

    private func takeRow() -> Int? {
        while true {
            let used = words[Self.usedWord]
            guard used < UInt64(Self.rowsMax) else { return nil }
            if words.exchange(used, for: used + 1, at: Self.usedWord) { return Int(used) }
        }
    }

    private func write(_ metric: Metric, _ text: [UInt8], of slot: Int?, to row: Int) {
        words[Self.word(Self.slotWord, of: row)] = UInt64(slot.map { $0 + 1 } ?? 0)
        words[Self.word(Self.lengthWord, of: row)] = UInt64(text.count)
        for start in stride(from: 0, to: text.count, by: 8) {
            let bytes = text[start...].prefix(8)
            words[Self.word(Self.textWord + start / 8, of: row)] = bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        // Whoever reads sees it with all of that, or not at all.
        words[Self.word(Self.metricWord, of: row)] = UInt64(metric.rawValue + 1)
    }

    // MARK: Values

    /// Of a counter.
    func add(_ count: Int, to row: Row) { words.add(count, to: Self.word(Self.valuesWord, of: row.index)) }

    /// Of a gauge.
    func set(_ value: Int, of row: Row) { words[Self.word(Self.valuesWord, of: row.index)] = UInt64(max(0, value)) }

    /// Of a histogram.
    ///
    /// - Parameters:
    ///   - bucket: by its number.
    ///   - sum: of all values that it gets.
    func add(_ count: Int, toBucket bucket: Int, sum: Int, to row: Row) {
        words.add(count, to: Self.word(Self.valuesWord + bucket, of: row.index))
        if sum != 0 { words.add(sum, to: Self.word(Self.valuesWord + MetricBuckets.countMax, of: row.index)) }
    }

    /// A process has ended: nothing is as it has said last. What it has counted stays.
    func clear(slot: Int) {
        for row in rows where words[Self.word(Self.slotWord, of: row)] == UInt64(slot + 1) {
            words[Self.word(Self.valuesWord, of: row)] = 0
        }
    }

    private var rows: Range<Int> { 0..<Int(min(words[Self.usedWord], UInt64(Self.rowsMax))) }

    // MARK: What they have come to

    /// A series with its values.
    struct Series: Sendable {
        let metric: Metric
        /// As they stand between the braces of a sample.
        let labels: [UInt8]
        /// One, or how many are in each bucket, and the sum.
        fileprivate(set) var values: [UInt64]
    }

    /// All that are told of, by their metrics and labels. What each process has of its own is one series.
    var series: [Series] {
        var found: [Series] = []
        var places: [[UInt8]: Int] = [:]
        for row in rows {
            guard let series = series(at: row) else { continue }
            let key = [UInt8(series.metric.rawValue)] + series.labels
            if let place = places[key] {
                found[place].values = zip(found[place].values, series.values).map(&+)
            } else {
                places[key] = found.count
                found.append(series)
            }
        }
        return found.sorted {
            $0.metric == $1.metric
                ? $0.labels.lexicographicallyPrecedes($1.labels) : $0.metric.rawValue < $1.metric.rawValue
        }
    }

    /// Nil for one that is being made, that is not told of, or that stands for others that there are not.
    private func series(at row: Int) -> Series? {
        let number = words[Self.word(Self.metricWord, of: row)]
        guard (1...UInt64(Metric.allCases.count)).contains(number), let metric = Metric(rawValue: Int(number) - 1),
            !metric.description.name.isEmpty
        else { return nil }
        let isHistogram = if case .histogram = metric.description.kind { true } else { false }
        let values = (0..<(isHistogram ? Self.valuesCount : 1)).map { words[Self.word(Self.valuesWord + $0, of: row)] }
        if row < Metric.allCases.count, !metric.description.labels.isEmpty, values.allSatisfy({ $0 == 0 }) { return nil }
        let length = Int(min(words[Self.word(Self.lengthWord, of: row)], UInt64(Self.textBytesMax)))
        let labels = (0..<length).map { index in
            UInt8(truncatingIfNeeded: words[Self.word(Self.textWord + index / 8, of: row)] >> UInt64(8 * (index & 7)))
        }
        return Series(metric: metric, labels: labels, values: values)
    }
}
