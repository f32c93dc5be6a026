// What tells one series of a metric from another.

/// The values of a series' labels, in the order in which its metric names them; an empty one is none. It is looked up by their bytes,
/// without memory of its own.
struct MetricLabels {
    /// As many as any metric has.
    private static let countMax = 4

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

    /// FNV-1a, from a number of the process's own on: none of the values is a caller's.
    func hash(from seed: UInt64) -> UInt64 {
        var hash = seed
        func take(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for index in 0..<Self.countMax {
            for byte in self[index].utf8 { take(byte) }
            // No text has this byte.
            take(0xFF)
        }
        // What two texts differ in at their ends is to reach all bits.
        hash = (hash ^ hash >> 32) &* 0x9E37_79B9_7F4A_7C15
        return hash ^ hash >> 29
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

    /// Of all series that there is no room for.
    static let other = MetricLabels("other", "other", "other", "other")
}
