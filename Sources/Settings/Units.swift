// Durations, sizes and shares as settings write them.

extension Duration {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// A whole number with its unit: `800ms`, `5s`, `10m`, `1h`.
    init?(setting text: String) {
        guard let (number, unit) = splitQuantity(text),
            let milliseconds = Self.units.first(where: { $0.name == unit })?.milliseconds
        else { return nil }
        let product = Int64(number).multipliedReportingOverflow(by: milliseconds)
        guard !product.overflow else { return nil }
        self = .milliseconds(product.partialValue)
    }

    /// In the largest unit that keeps it whole.
    package var setting: String {
        let total = milliseconds
        guard total > 0, let unit = Self.units.first(where: { total.isMultiple(of: $0.milliseconds) }) else { return "0s" }
        return "\(total / unit.milliseconds)\(unit.name)"
    }

    private var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}

/// A number of bytes as settings write it.
package enum Size {
    private static let units: [(name: String, bytes: Int)] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)]

    /// The bytes of a whole number with its unit: `512B`, `64KiB`, `8MiB`, `1GiB`.
    static func bytes(_ text: String) -> Int? {
        guard let (number, unit) = splitQuantity(text), let bytes = units.first(where: { $0.name == unit })?.bytes else {
            return nil
        }
        let product = number.multipliedReportingOverflow(by: bytes)
        return product.overflow ? nil : product.partialValue
    }

    /// In the largest unit that keeps it whole.
    package static func setting(_ bytes: Int) -> String {
        guard bytes > 0, let unit = units.first(where: { bytes.isMultiple(of: $0.bytes) }) else { return "0B" }
        return "\(bytes / unit.bytes)\(unit.name)"
    }
}

/// A share as settings write it.
enum Percentage {
    /// The number of `20%`.
    static func percent(_ text: String) -> Int? {
        splitQuantity(text).flatMap { $0.unit == "%" ? $0.number : nil }
    }

    static func setting(_ percent: Int) -> String { "\(percent)%" }
}

/// The digits at the start of a text, and the rest.
private func splitQuantity(_ text: String) -> (number: Int, unit: Substring)? {
    let digits = text.prefix { "0"..."9" ~= $0 }
    return Int(digits).map { ($0, text[digits.endIndex...]) }
}
