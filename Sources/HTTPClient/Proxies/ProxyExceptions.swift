// Hosts that are asked without a proxy: NO_PROXY.

/// A list as curl has it since 7.86, with ports besides: names, which stand for all names under them too, addresses, blocks of
/// addresses (`10.0.0.0/8`), and `*` for everything. `HOST:PORT` means that port alone.
struct ProxyExceptions: Sendable {
    private enum Host {
        case all
        /// In lower case, without dots at its ends.
        case name(ArraySlice<UInt8>)
        /// Those whose first bits are these.
        case addresses(IPBytes, bits: Int)
    }

    private struct Entry {
        let host: Host
        let port: UInt16?
    }

    private let entries: [Entry]

    /// - Parameter list: separated by commas or blanks. What has no meaning excepts nothing.
    init(_ list: String) {
        entries = list.utf8.split { ", \t".utf8.contains($0) }.compactMap { Self.entry($0.map(\.lowercased)[...]) }
    }

    func contain(_ origin: Origin) -> Bool {
        let name = Array(origin.host.utf8)[...].withoutDots
        let address = IPBytes(origin.hostWithoutZone)
        return entries.contains { entry in
            guard entry.port ?? origin.port == origin.port else { return false }
            switch entry.host {
            case .all: return true
            case .name(let suffix): return address == nil && name.isName(under: suffix)
            case .addresses(let block, let bits): return address?.isEqual(to: block, bits: bits) == true
            }
        }
    }

    private static func entry(_ text: ArraySlice<UInt8>) -> Entry? {
        guard let (host, digits) = hostAndPort(text) else { return nil }
        let port = digits.flatMap { UInt16(String(decoding: $0, as: UTF8.self)) }
        guard port != nil || digits == nil, let host = Self.host(host) else { return nil }
        return Entry(host: host, port: port)
    }

    /// Without brackets; with more than one colon it is an IPv6 address, and has a port only behind brackets.
    private static func hostAndPort(_ text: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, ArraySlice<UInt8>?)? {
        let isBracketed = text.first == UInt8(ascii: "[")
        let host = isBracketed ? text.dropFirst().prefix { $0 != UInt8(ascii: "]") } : text.prefix { $0 != UInt8(ascii: ":") }
        let rest = text.dropFirst(host.count + (isBracketed ? 2 : 0))
        if rest.isEmpty { return (host, nil) }
        if isBracketed, rest.first == UInt8(ascii: "/") { return (host + rest, nil) }
        if isBracketed || !rest.dropFirst().contains(UInt8(ascii: ":")) {
            return rest.first == UInt8(ascii: ":") ? (host, rest.dropFirst()) : nil
        }
        return (text, nil)
    }

    private static func host(_ text: ArraySlice<UInt8>) -> Host? {
        if text.elementsEqual("*".utf8) { return .all }
        let address = text.prefix { $0 != UInt8(ascii: "/") }
        if let block = IPBytes(String(decoding: address, as: UTF8.self)) {
            let digits = text.dropFirst(address.count + 1)
            let bits = address.count == text.count ? block.bitCount : Int(String(decoding: digits, as: UTF8.self))
            return bits.flatMap { (0...block.bitCount).contains($0) ? .addresses(block, bits: $0) : nil }
        }
        let name = text.withoutDots
        return name.isEmpty || address.count < text.count ? nil : .name(name)
    }
}

/// An IP address, an IPv4 one among IPv6's (RFC 4291 §2.5.5.2) as IPv4.
private struct IPBytes {
    private let bytes: ArraySlice<UInt8>

    /// - Parameter text: without brackets and zone. `nil` when it is a name.
    init?(_ text: String) {
        guard let bytes = SocketAddress.bytes(ofIP: text) else { return nil }
        let isMapped = bytes.count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        self.bytes = bytes[(isMapped ? 12 : 0)...]
    }

    var bitCount: Int { 8 * bytes.count }

    func isEqual(to other: IPBytes, bits: Int) -> Bool {
        guard bytes.count == other.bytes.count else { return false }
        return zip(bytes, other.bytes).enumerated().allSatisfy { index, pair in
            let compared = min(max(bits - 8 * index, 0), 8)
            return (pair.0 ^ pair.1) >> (8 - UInt8(compared)) == 0
        }
    }
}

extension ArraySlice<UInt8> {
    fileprivate var withoutDots: ArraySlice<UInt8> {
        let start = drop { $0 == UInt8(ascii: ".") }
        return start.dropLast(start.reversed().prefix { $0 == UInt8(ascii: ".") }.count)
    }

    fileprivate func isName(under suffix: ArraySlice<UInt8>) -> Bool {
        guard self.suffix(suffix.count).elementsEqual(suffix) else { return false }
        return count == suffix.count || self.dropLast(suffix.count).last == UInt8(ascii: ".")
    }
}
