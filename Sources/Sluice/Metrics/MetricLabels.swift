// What tells one series of a metric from another.

import Chat

/// The values of a series' labels, in the order in which its metric names them; an empty one is none. It is looked up by their bytes,
/// without memory of its own.
struct MetricLabels {
    private let values: (String, String, String, String)

    static let none = MetricLabels()

    init(_ first: String = "", _ second: String = "", _ third: String = "", _ fourth: String = "") {
        values = (first, second, third, fourth)
    }

    subscript(_ index: Int) -> String {
        switch index {
        case 0: values.0
        case 1: values.1
        case 2: values.2
        default: values.3
        }
    }

    /// Those of a metric. Its number is mixed in first, alone: beside the first label it would make up for another one's label.
    func hash(of metric: Metric, from seed: UInt64) -> UInt64 {
        var start = seed
        Self.mix(UInt64(metric.rawValue), into: &start)
        return hash(from: start)
    }

    /// From a number of the process's own on: none of the values is a caller's. Each request looks for several series.
    func hash(from seed: UInt64) -> UInt64 {
        var hash = seed
        Self.take(values.0, into: &hash)
        Self.take(values.1, into: &hash)
        Self.take(values.2, into: &hash)
        Self.take(values.3, into: &hash)
        return hash
    }

    /// Eight bytes at a time, and the length behind them.
    private static func take(_ value: String, into hash: inout UInt64) {
        let bytes = value.utf8Span.span
        var word: UInt64 = 0
        for index in bytes.indices {
            word = word << 8 | UInt64(bytes[index])
            guard index & 7 == 7 else { continue }
            mix(word, into: &hash)
            word = 0
        }
        // Of fewer than eight bytes, it leaves room for what tells lengths apart.
        mix(word ^ UInt64(truncatingIfNeeded: bytes.count) << 56, into: &hash)
    }

    /// As MurmurHash3's finalizer mixes: each bit reaches all others.
    private static func mix(_ word: UInt64, into hash: inout UInt64) {
        hash = (hash ^ word) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ hash >> 33) &* 0xC4CE_B9FE_1A85_EC53
        hash ^= hash >> 33
    }

    /// As they stand between the braces of a sample.
    func text(of metric: Metric) -> [UInt8] {
        var text = Array(metric.constantLabels.utf8)
        for (index, name) in metric.description.labels.enumerated() where !self[index].isEmpty {
            if !text.isEmpty { text.append(UInt8(ascii: ",")) }
            text += name.utf8
            text += "=\"".utf8
            for byte in self[index].utf8 { Self.append(byte, to: &text) }
            text.append(UInt8(ascii: "\""))
        }
        return text
    }

    /// Both formats escape these, and take all else as it is (OpenMetrics 1.0 §4.2.2).
    private static func append(_ byte: UInt8, to text: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\n"): text += "\\n".utf8
        case UInt8(ascii: "\\"), UInt8(ascii: "\""): text += [UInt8(ascii: "\\"), byte]
        default: text.append(byte)
        }
    }

    /// What stands for all names that there is no room for: no upstream can be called so.
    static let beyondName = "(others)"

    /// Of all series that there is no room for.
    static let beyond = MetricLabels(beyondName, beyondName, beyondName, beyondName)
}

extension MetricLabels {
    /// An outcome or an ending. An upstream may answer with any status: those that hardly any answers with have one series for each hundred,
    /// so that none takes the series of what Sluice itself has words for.
    static func text(ofOutcome outcome: String) -> String {
        let (bytes, failed) = (outcome.utf8, "failed.".utf8)
        guard bytes.count == failed.count + 3, bytes.starts(with: failed),
            let status = Int(decimal: bytes.dropFirst(failed.count))
        else { return outcome }
        switch status {
        case 301, 302, 307, 308, 402, 405, 408...410, 415, 451, 500...504, 520...526, 529, 530: return outcome
        default: return "failed.\(status / 100)xx"
        }
    }
}
