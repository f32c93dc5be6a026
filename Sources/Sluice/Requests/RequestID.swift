// The name under which one request is found again: in the response, in the log, and at the upstream.

import Chat
import Synchronization

struct RequestID: Equatable, Sendable, CustomStringConvertible {
    let description: String

    /// The caller's own `X-Request-Id` when it is sane (1 to 128 letters, digits, `-`, `_`, `.`, `:`) and no phone number, which
    /// may not be logged; else a fresh random one.
    init(callers: String?) {
        if let callers, (1...128).contains(callers.utf8.count), callers.utf8.allSatisfy(\.isIDByte),
            !callers.utf8.holdsPhoneNumber(besidesAtMost: 0)
        {
            description = callers
        } else {
            description = Self.fresh()
        }
    }

    /// 64 bits that name this process, and a count from a random start: unique without asking the kernel for each.
    private static let start = [UInt8]("req_".utf8) + digits(of: .random(in: .min ... .max))
    private static let count = Atomic<UInt64>(.random(in: .min ... .max))

    /// Whether it is a fresh one of this process.
    static func isOwn(_ text: String) -> Bool {
        text.utf8.count == start.count + digitsCount && text.utf8.starts(with: start)
            && text.utf8.dropFirst(start.count).allSatisfy { $0.isHexadecimal }
    }

    private static func fresh() -> String {
        let count = count.wrappingAdd(1, ordering: .relaxed).newValue
        return unsafe String(unsafeUninitializedCapacity: start.count + digitsCount) { text in
            for (index, byte) in start.enumerated() { unsafe text[index] = byte }
            for place in 0..<digitsCount { unsafe text[start.count + place] = digit(place, of: count) }
            return start.count + digitsCount
        }
    }

    private static let digitsCount = 16

    private static func digits(of bits: UInt64) -> [UInt8] { (0..<digitsCount).map { digit($0, of: bits) } }

    private static func digit(_ place: Int, of bits: UInt64) -> UInt8 {
        let digit = UInt8(truncatingIfNeeded: bits >> UInt64(60 - 4 * place)) & 15
        return digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
}

extension UInt8 {
    /// Whether it is a hexadecimal digit.
    var isHexadecimal: Bool {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= self || UInt8(ascii: "a")...UInt8(ascii: "f") ~= self | 0x20
    }
}
