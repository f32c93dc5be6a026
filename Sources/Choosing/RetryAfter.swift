// When an upstream wants to be asked again.

import EventLoop

/// Reads `retry-after` and `retry-after-ms`.
package enum RetryAfter {
    /// - Parameters:
    ///   - header: `retry-after`: seconds, or a date (RFC 9110 §10.2.3).
    ///   - milliseconds: `retry-after-ms`, OpenAI's own, which is more precise and comes first.
    ///   - unixTime: the time since 1970 by the wall clock, for a date.
    /// - Returns: nil when neither makes sense. A date in the past is zero; what no clock here can count is 292 years.
    package static func duration(_ header: String?, milliseconds: String? = nil, unixTime: Duration) -> Duration? {
        if let duration = milliseconds.flatMap({ decimal($0, unit: 1_000_000) }) { return duration }
        guard let header else { return nil }
        return decimal(header, unit: 1_000_000_000)
            ?? HTTPDate.unixSeconds(header.trimmed, unixTime: unixTime).map { max(.seconds($0) - unixTime, .zero) }
    }

    /// A number of units, of so many nanoseconds each. The grammar has whole ones only, servers send fractions too.
    private static func decimal(_ text: String, unit: Int64) -> Duration? {
        let parts = text.trimmed.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } }),
            let whole = parts.first
        else { return nil }
        // All digits, so what cannot be read is too large.
        guard let number = Int64(whole), number < .max / unit else { return Duration.nanoseconds(Int64.max) }
        var (sum, place) = (number * unit, unit)
        for digit in (parts.count > 1 ? parts[1] : "").utf8.prefix(9) {
            place /= 10
            sum += Int64(digit - UInt8(ascii: "0")) * place
        }
        return .nanoseconds(sum)
    }
}

extension String {
    /// Without the white space around it (RFC 9110 §5.6.3).
    fileprivate var trimmed: Substring {
        let isSpace = { (character: Character) in character == " " || character == "\t" }
        guard let last = lastIndex(where: { !isSpace($0) }) else { return "" }
        return self[...last].drop(while: isSpace)
    }
}
