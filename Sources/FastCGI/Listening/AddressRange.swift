// Which addresses of IP may connect.

import Glibc

/// An address of IP, or all that begin with the same bits, as settings spell them: `::1`, `10.0.0.0/8`.
///
/// An address of IPv4 within IPv6 (`::ffff:10.0.0.1`, RFC 4291 §2.5.5.2) is IPv4's, as a socket of both families has it of its peers. A
/// range of IPv6 that has all of those in it, as `::/0`, is of IPv6 alone.
package struct AddressRange: Equatable, Sendable, CustomStringConvertible {
    private let first: IPAddress
    /// As if of IPv6 always: IPv4's bits are its last.
    private let prefixBits: Int

    /// - Throws: `AddressRangeError` that says what is wrong with `text`.
    package init(_ text: String) throws(AddressRangeError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = IPAddress(String(parts[0])) else { throw AddressRangeError(text, "is no address of IP") }
        let bitsMax = parts[0].utf8.contains(UInt8(ascii: ":")) ? 128 : 32
        var bits = bitsMax
        if parts.count > 1 {
            let isPlain = parts[1].utf8.first != UInt8(ascii: "0") || parts[1].utf8.count == 1
            guard isPlain, let number = Int(digits: parts[1]), number <= bitsMax else {
                throw AddressRangeError(text, "has no number of bits from 0 to \(bitsMax) behind its '/'")
            }
            bits = number
        }
        (self.first, prefixBits) = (first, bits + 128 - bitsMax)
        let beginning = first.keeping(bits: prefixBits)
        guard first == beginning else {
            let range = Self(beginning, prefixBits)
            throw AddressRangeError(text, "is either the range \(range) or the address \(first): name one of them")
        }
    }

    private init(_ first: IPAddress, _ prefixBits: Int) { (self.first, self.prefixBits) = (first, prefixBits) }

    package func contains(_ address: IPAddress) -> Bool {
        address.isIPv4 == isIPv4 && address.keeping(bits: prefixBits) == first
    }

    private var isIPv4: Bool { prefixBits >= 96 && first.isIPv4 }

    /// As settings spell it, so that `init(_:)` reads it back.
    package var description: String {
        if prefixBits == 128 { return first.description }
        return isIPv4 ? "\(first)/\(prefixBits - 96)" : "\(first)/\(prefixBits)"
    }
}

/// A text that is no range.
package struct AddressRangeError: Error, Equatable, CustomStringConvertible {
    /// As it was given.
    package let text: String
    /// What is wrong with it, to follow it.
    package let reason: String

    init(_ text: String, _ reason: String) { (self.text, self.reason) = (text, reason) }

    /// The text, what is wrong with it and what to write instead.
    package var description: String { "'\(text)' \(advice)" }

    /// What is wrong and what to write instead, without the text itself: to follow the name of a setting.
    package var advice: String { #"\#(reason); use an address or a range, as "192.0.2.7", "10.0.0.0/8" or "fd00::/8""# }
}

/// An address of IP: all of IPv6's, of which those of IPv4 within IPv6 stand for IPv4's.
package struct IPAddress: Equatable, Sendable, CustomStringConvertible {
    private let number: UInt128

    private init(number: UInt128) { self.number = number }

    /// - Parameter bytes: 4 of IPv4 or 16 of IPv6, in the network's order; nil for another number of them.
    init?(bytes: some Collection<UInt8>) {
        let number = bytes.reduce(0 as UInt128) { $0 << 8 | UInt128($1) }
        switch bytes.count {
        case 4: self.number = 0xFFFF << 32 | number
        case 16: self.number = number
        default: return nil
        }
    }

    /// - Parameter text: `192.0.2.7` or `2001:db8::7`; neither a name nor a zone counts.
    package init?(_ text: String) {
        // The C function reads up to a NUL.
        guard !text.utf8.contains(0) else { return nil }
        let isIPv6 = text.utf8.contains(UInt8(ascii: ":"))
        var bytes = [UInt8](repeating: 0, count: isIPv6 ? 16 : 4)
        guard unsafe inet_pton(isIPv6 ? AF_INET6 : AF_INET, text, &bytes) == 1 else { return nil }
        self.init(bytes: bytes)
    }

    var isIPv4: Bool { number >> 32 == 0xFFFF }

    /// Of this machine alone.
    var isLoopback: Bool { number == 1 || number >> 24 == 0xFFFF << 8 | 127 }

    /// The same beginning, and nothing behind it.
    func keeping(bits: Int) -> IPAddress { IPAddress(number: (number >> (128 - bits)) << (128 - bits)) }

    package var description: String {
        let bytes = (0..<16).map { UInt8(truncatingIfNeeded: number >> (120 - 8 * $0)) }
        if isIPv4 { return bytes.suffix(4).map { "\($0)" }.joined(separator: ".") }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard unsafe inet_ntop(AF_INET6, bytes, &text, socklen_t(text.count)) != nil else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
