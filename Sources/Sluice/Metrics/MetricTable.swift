// Where all workers and all processes count.

import Clock
import EventLoop
import Glibc

/// A row of numbers for each series, in memory that all processes share. Each number is one word, which changes in one step: nobody waits
/// for anybody, whoever asks any process is told of all, and what a process has counted is there when it is not.
///
/// A series is found by the hash of its labels. It has its row for good, so that nothing has to be looked after; those beyond the bound of
/// their metric have one row in common. A gauge is the sum of what each process says of itself, which it has a place of its own for.
final class MetricTable: Sendable {
    /// Where a series is.
    struct Row: Hashable, Sendable {
        let index: Int

        /// Whether it is one of a metric as a whole.
        var isCommon: Bool { index < Metric.allCases.count }
    }

    private let words: SharedWords

    // MARK: Where what is

    /// How many rows there are: as many series as all metrics may have, with the one of each that stands for what is beyond. No metric can
    /// take another one's.
    static let rowsMax = Metric.allCases.reduce(0) { $0 + 1 + $1.description.seriesMax }
    private static let indexCount = 2 * rowsMax
    private static let probesMax = 128

    /// Ahead of all: what hashes begin with, how many rows are taken, and how many of each metric.
    private static let (seedWord, usedWord, countsWord) = (0, 1, 2)
    private static let indexWord = countsWord + Metric.allCases.count
    private static let rowsWord = indexWord + indexCount
    /// Of a row: its metric, by one more than its number; its place among those of its metric; the length of its labels' text, and that; and
    /// the values: one, or the buckets' and the sum.
    private static let (metricWord, placeWord, lengthWord, textWord) = (0, 1, 2, 3)
    private static let textBytesMax = 1024
    private static let valuesWord = textWord + textBytesMax / 8
    private static let valuesCount = MetricBuckets.countMax + 1
    private static let rowWords = valuesWord + valuesCount
    /// Behind the rows, for each process: whether it has ever said anything, and what it says of each gauge.
    private static let slotsWord = rowsWord + rowsMax * rowWords
    /// Where the gauges' values begin in that, by the metrics' numbers; nil for what is no gauge. Behind the last one all ends.
    private static let (gaugeWords, slotWords): ([Int?], Int) = {
        var words: [Int?] = []
        var next = 1
        for metric in Metric.allCases {
            let isGauge = metric.description.kind == .gauge
            words.append(isGauge ? next : nil)
            if isGauge { next += 1 + metric.description.seriesMax }
        }
        return (words, next)
    }()

    private static func wordsCount(_ slotsCount: Int) -> Int { slotsWord + slotsCount * slotWords }

    private static func word(_ word: Int, of row: Int) -> Int { rowsWord + row * rowWords + word }

    private static func word(_ word: Int, ofSlot slot: Int) -> Int { slotsWord + slot * slotWords + word }

    /// What stands in the index beside the row's number.
    private static let tag = ~UInt64(0xFFFF)

    // MARK: Beginnings

    /// Those of this process alone.
    ///
    /// - Throws: `SystemError` when the process is out of memory.
    init() throws(SystemError) {
        words = try SharedWords(count: Self.wordsCount(1))
        begin()
    }

    /// One of several processes, to be passed on.
    ///
    /// - Parameter slotsCount: how many processes there may be.
    /// - Throws: `SystemError` when the process is out of descriptors or memory.
    init(passedOn slotsCount: Int) throws(SystemError) {
        words = try SharedWords(passedOn: Self.wordsCount(slotsCount))
        begin()
    }

    /// The one that another process has made.
    ///
    /// - Throws: `SystemError` when the process is out of memory, or it is none.
    init(_ descriptor: consuming Descriptor) throws(SystemError) {
        words = try SharedWords(descriptor)
        guard words.count >= Self.wordsCount(1) else { throw SystemError("the metrics", code: EINVAL) }
    }

    /// The first rows are those of each metric as a whole: of what has no labels, and of what there is no room for.
    private func begin() {
        words[Self.seedWord] = .random(in: 0 ... .max)
        for metric in Metric.allCases {
            let labels: MetricLabels = metric.description.labels.isEmpty ? .none : .beyond
            write(metric, labels.text(of: metric), at: 0, to: metric.rawValue)
        }
        words[Self.usedWord] = UInt64(Metric.allCases.count)
        // It is made when Sluice starts.
        set(secondsSince1970(), of: commonRow(of: .startTime))
    }

    /// To pass it on.
    var number: Int32 { words.number }

    /// How many processes may say something of themselves.
    private var slotsCount: Int { (words.count - Self.slotsWord) / Self.slotWords }

    // MARK: Rows

    /// Of a metric without labels, or of all its series that there is no room for.
    func commonRow(of metric: Metric) -> Row { Row(index: metric.rawValue) }

    /// Of a series, which it may be the first to have.
    func row(_ metric: Metric, _ labels: MetricLabels) -> Row {
        let hash = labels.hash(of: metric, from: words[Self.seedWord])
        // An entry of the index that is 0 is nobody's.
        let tag = max(hash & Self.tag, 0x10000)
        var made: Int?
        for step in 0..<Self.probesMax {
            let place = Self.indexWord + (Int(hash >> 20) + step) % Self.indexCount
            var entry = words[place]
            if entry == 0 {
                made = made ?? newRow(metric, labels)
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

    private func newRow(_ metric: Metric, _ labels: MetricLabels) -> Int? {
        let text = labels.text(of: metric)
        guard text.count <= Self.textBytesMax,
            let place = next(of: metric.description.seriesMax, by: Self.countsWord + metric.rawValue),
            let row = next(of: Self.rowsMax, by: Self.usedWord)
        else { return nil }
        // Place 0 is that of what is beyond.
        write(metric, text, at: 1 + place, to: row)
        return row
    }

    /// Takes the next one of so many, of which a word counts those that are taken; nil when all are.
    private func next(of countMax: Int, by word: Int) -> Int? {
        while true {
            let count = words[word]
            guard count < UInt64(countMax) else { return nil }
            if words.exchange(count, for: count + 1, at: word) { return Int(count) }
        }
    }

    private func write(_ metric: Metric, _ text: [UInt8], at place: Int, to row: Int) {
        words[Self.word(Self.placeWord, of: row)] = UInt64(place)
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

    /// Of a gauge, what one of the processes says.
    func set(_ value: Int, of row: Row, by slot: Int) {
        guard slot < slotsCount, let metric = metric(of: row.index), let word = gaugeWord(of: metric, in: row.index) else {
            return
        }
        // First, so that whatever stands there is cleared at the process's end.
        words[Self.word(0, ofSlot: slot)] = 1
        words[Self.word(word, ofSlot: slot)] = UInt64(max(0, value))
    }

    /// Of a gauge that is the same for all processes.
    func set(_ value: Int, of row: Row) { words[Self.word(Self.valuesWord, of: row.index)] = UInt64(max(0, value)) }

    /// Where a gauge has its value among those of a process; nil for what is no gauge.
    private func gaugeWord(of metric: Metric, in row: Int) -> Int? {
        guard let word = Self.gaugeWords[metric.rawValue] else { return nil }
        return word + Int(min(words[Self.word(Self.placeWord, of: row)], UInt64(metric.description.seriesMax)))
    }

    /// Of a histogram.
    ///
    /// - Parameters:
    ///   - bucket: by its number.
    ///   - sum: of all values that it gets.
    func add(_ count: Int, toBucket bucket: Int, sum: Int, to row: Row) {
        words.add(count, to: Self.word(Self.valuesWord + bucket, of: row.index))
        if sum != 0 { words.add(sum, to: Self.word(Self.valuesWord + MetricBuckets.countMax, of: row.index)) }
    }

    /// How many names a row holds that is no metric's.
    static let namesMax = 8

    /// Whether a name is one of those that a row holds, or becomes one as long as they are few. Their hashes stand where a metric has its
    /// values.
    func holds(_ name: String, in row: Row) -> Bool {
        let hash = max(MetricLabels(name).hash(from: words[Self.seedWord]), 1)
        for place in 0..<Self.namesMax {
            let word = Self.word(Self.valuesWord + place, of: row.index)
            if words[word] == hash || words.exchange(0, for: hash, at: word) || words[word] == hash { return true }
        }
        return false
    }

    /// A process has ended: nothing is as it has said last. What it has counted stays.
    func clear(slot: Int) {
        guard slot < slotsCount, words[Self.word(0, ofSlot: slot)] != 0 else { return }
        for word in 1..<Self.slotWords { words[Self.word(word, ofSlot: slot)] = 0 }
    }

    /// Those that have ever said something: to read what others would have said would take memory for it.
    private var slots: [Int] { (0..<slotsCount).filter { words[Self.word(0, ofSlot: $0)] != 0 } }

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

    /// All that are told of, by their metrics and labels.
    var series: [Series] {
        var found: [Series] = []
        var places: [[UInt8]: Int] = [:]
        let slots = slots
        for row in rows {
            guard let series = series(at: row, slots) else { continue }
            // Two who have made the same at once.
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
    private func series(at row: Int, _ slots: [Int]) -> Series? {
        guard let metric = metric(of: row), !metric.description.name.isEmpty else { return nil }
        let isHistogram = if case .histogram = metric.description.kind { true } else { false }
        var values = (0..<(isHistogram ? Self.valuesCount : 1)).map { words[Self.word(Self.valuesWord + $0, of: row)] }
        if let word = gaugeWord(of: metric, in: row) {
            for slot in slots { values[0] &+= words[Self.word(word, ofSlot: slot)] }
        }
        if row < Metric.allCases.count, !metric.description.labels.isEmpty, values.allSatisfy({ $0 == 0 }) { return nil }
        let length = Int(min(words[Self.word(Self.lengthWord, of: row)], UInt64(Self.textBytesMax)))
        let labels = (0..<length).map { index in
            UInt8(truncatingIfNeeded: words[Self.word(Self.textWord + index / 8, of: row)] >> UInt64(8 * (index & 7)))
        }
        return Series(metric: metric, labels: labels, values: values)
    }

    /// Nil for a row that is being made.
    private func metric(of row: Int) -> Metric? {
        let number = words[Self.word(Self.metricWord, of: row)]
        guard (1...UInt64(Metric.allCases.count)).contains(number) else { return nil }
        return Metric(rawValue: Int(number) - 1)
    }
}
