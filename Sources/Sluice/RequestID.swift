// The name under which one request is found again: in the response, in the log, and at the upstream.

import Chat
import Synchronization

struct RequestID: Equatable, Sendable, CustomStringConvertible {
    let description: String

    /// The caller's own `X-Request-Id` when it is sane (1 to 128 letters, digits, `-`, `_`, `.`, `:`) and no phone number, which
    /// may not be logged; else a fresh random one.
    init(callers: String?) {
        if let callers, (1...128).contains(callers.utf8.count), callers.utf8.allSatisfy(\.isOfID),
            !callers.utf8.holdsPhoneNumber(besidesAtMost: 0)
        {
            description = callers
        } else {
            description = Self.fresh()
        }
    }

    /// 64 bits that name this process, and a count from a random start: unique without asking the kernel for each.
    private static let process = UInt64.random(in: .min ... .max)
    private static let count = Atomic<UInt64>(.random(in: .min ... .max))

    private static func fresh() -> String {
        var text = [UInt8]("req_".utf8)
        for bits in [process, count.wrappingAdd(1, ordering: .relaxed).newValue] {
            for shift in stride(from: 60 as UInt64, through: 0, by: -4) {
                let digit = UInt8(bits >> shift & 15)
                text.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
