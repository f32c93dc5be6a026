// When an upstream wants to be asked again.

import Chat
import Clock

/// Reads `retry-after` and `retry-after-ms`.
package enum RetryAfter {
    /// - Parameters:
    ///   - header: `retry-after`: seconds, or a date (RFC 9110 §10.2.3).
    ///   - milliseconds: `retry-after-ms`, OpenAI's own, which is more precise and comes first.
    ///   - unixTime: the time since 1970 by the wall clock, for a date.
    /// - Returns: nil when neither makes sense. A date in the past is zero; what no clock here can count is 292 years.
    package static func duration(_ header: String?, milliseconds: String? = nil, unixTime: Duration) -> Duration? {
        if let duration = milliseconds.flatMap({ decimal($0.trimmed, unit: 1_000_000) }) { return duration }
        guard let header = header?.trimmed else { return nil }
        return decimal(header, unit: 1_000_000_000)
            ?? HTTPDate.unixSeconds(header, unixTime: unixTime).map { max(.seconds($0) - unixTime, .zero) }
    }

    /// A number of units, of so many nanoseconds each. The grammar has whole ones only, servers send fractions too.
    private static func decimal(_ text: ArraySlice<UInt8>, unit: Int64) -> Duration? {
        let parts = text.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } }),
            let whole = parts.first?.drop(while: { $0 == UInt8(ascii: "0") })
        else { return nil }
        // All digits, so what cannot be read is too large.
        guard let number = whole.isEmpty ? 0 : Int(decimal: whole).map(Int64.init), number < .max / unit else {
            return Duration.nanoseconds(Int64.max)
        }
        var (sum, place) = (number * unit, unit)
        for digit in (parts.count > 1 ? parts[1] : []).prefix(9) {
            place /= 10
            sum += Int64(digit - UInt8(ascii: "0")) * place
        }
        return .nanoseconds(sum)
    }
}

extension String {
    /// The bytes without the white space around them (RFC 9110 §5.6.3).
    fileprivate var trimmed: ArraySlice<UInt8> {
        let isSpace = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        let bytes = [UInt8](utf8)
        guard let last = bytes.lastIndex(where: { !isSpace($0) }) else { return [] }
        return bytes[...last].drop(while: isSpace)
    }
}
