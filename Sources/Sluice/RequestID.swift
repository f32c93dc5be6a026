// The name under which one request is found again: in the response, in the log, and at the upstream.

struct RequestID: Equatable, Sendable, CustomStringConvertible {
    let description: String

    /// The caller's own `X-Request-Id` when it is sane (1 to 128 letters, digits, `-`, `_`, `.`, `:`), else a fresh random one.
    init(callers: String?) {
        if let callers, (1...128).contains(callers.utf8.count), callers.utf8.allSatisfy(Self.isSane) {
            description = callers
        } else {
            description = Self.random()
        }
    }

    /// 128 random bits in hexadecimal.
    private static func random() -> String {
        let digits = [UInt8]("0123456789abcdef".utf8)
        var generator = SystemRandomNumberGenerator()
        var text = [UInt8]("req_".utf8)
        for _ in 0..<2 {
            let bits = generator.next()
            for shift in stride(from: 60, through: 0, by: -4) { text.append(digits[Int(bits >> UInt64(shift) & 15)]) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func isSane(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
        }
    }
}
