// What ties the spans of several programs together (W3C Trace Context, Recommendation of 2021-11-23).

import Choosing

/// A trace's 128 bits, which are not all zero (§3.2.2.3).
struct TraceID: Equatable {
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

    static func random() -> TraceID { TraceID(high: SplitMix().next(), low: max(1, SplitMix().next())) }
}

/// A span's 64 bits, which are not all zero (§3.2.2.4).
struct SpanID: Equatable {
    let bits: UInt64

    static func random() -> SpanID { SpanID(bits: max(1, SplitMix().next())) }
}

/// What a caller says by `traceparent`: whose span the request is part of, and whether that is recorded.
struct TraceParent: Equatable {
    let trace: TraceID
    let span: SpanID
    let isSampled: Bool

    /// What version 00 has.
    private static let count = 55

    /// Reads `version-trace-span-flags` (§3.2). Of a version to come it reads what this one has, as that wants it.
    ///
    /// - Returns: nil for what is no such value: then there is no caller's trace.
    init?(_ text: String) {
        let bytes = text.utf8Span.span
        guard bytes.count >= Self.count, let version = bytes.hexadecimal(0..<2), version != 0xFF,
            bytes.count == Self.count || version != 0 && bytes[Self.count] == Self.dash,
            bytes[2] == Self.dash, bytes[35] == Self.dash, bytes[52] == Self.dash,
            let high = bytes.hexadecimal(3..<19), let low = bytes.hexadecimal(19..<35), high | low != 0,
            let span = bytes.hexadecimal(36..<52), span != 0, let flags = bytes.hexadecimal(53..<55)
        else { return nil }
        (trace, self.span, isSampled) = (TraceID(high: high, low: low), SpanID(bits: span), flags & 1 == 1)
    }

    private static let dash = UInt8(ascii: "-")
}

extension Span<UInt8> {
    /// The number that digits of lower case write, 16 at most; nil where there is another byte among them.
    fileprivate func hexadecimal(_ range: Range<Int>) -> UInt64? {
        var number: UInt64 = 0
        for index in range {
            switch self[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt64(self[index] - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 | UInt64(self[index] - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return number
    }
}

extension [UInt8] {
    /// Appends 16 digits of lower case.
    private mutating func append(hexadecimal bits: UInt64) {
        for place in 0..<16 {
            let digit = UInt8(truncatingIfNeeded: bits >> UInt64(60 - 4 * place)) & 15
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }

    mutating func append(_ id: TraceID) {
        append(hexadecimal: id.high)
        append(hexadecimal: id.low)
    }

    mutating func append(_ id: SpanID) { append(hexadecimal: id.bits) }
}
