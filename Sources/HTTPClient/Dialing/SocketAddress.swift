// Where a socket connects to, as a value.

import CLinux
import EventLoop
import Glibc

/// An address of a stream socket: IPv4 or IPv6 with a port, or a unix socket's path or abstract name.
struct SocketAddress: Hashable, Sendable {
    private enum Kind: Hashable {
        case ip4(UInt32, port: UInt16)
        /// - Parameter scope: the interface's number of a link-local address (RFC 4007 §6), or 0.
        case ip6(UInt128, port: UInt16, scope: UInt32)
        case unix(path: String)
        /// Without the NUL ahead of it (unix(7)).
        case abstract(name: String)
    }
    private let kind: Kind

    private init(_ kind: Kind) { self.kind = kind }

    /// What an address holds besides one NUL.
    static let unixBytesMax = UnixAddress.pathBytesMax

    /// An IPv4 address in four decimals, or an IPv6 address without brackets, also with a zone (`fe80::1%eth0`).
    ///
    /// `nil` for anything else, such as a name.
    init?(numeric: String, port: UInt16) {
        guard !numeric.utf8.contains(0) else { return nil }
        var (ip4, ip6) = (in_addr(), in6_addr())
        if unsafe inet_pton(AF_INET, numeric, &ip4) == 1 {
            kind = .ip4(UInt32(bigEndian: ip4.s_addr), port: port)
        } else if unsafe inet_pton(AF_INET6, numeric, &ip6) == 1 {
            kind = .ip6(ip6.number, port: port, scope: 0)
        } else if numeric.utf8.contains(UInt8(ascii: "%")), let zoned = Self.zoned(numeric) {
            self = zoned.with(port: port)
        } else {
            return nil
        }
    }

    /// The bytes of an IP address in the network's order, four or sixteen; nil unless `text` is one, without brackets and zone.
    static func bytes(ofIP text: String) -> [UInt8]? {
        guard !text.utf8.contains(0) else { return nil }
        let (family, count) = text.utf8.contains(UInt8(ascii: ":")) ? (AF_INET6, 16) : (AF_INET, 4)
        var bytes = [UInt8](repeating: 0, count: count)
        return unsafe inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }

    /// - Throws: `.invalidRequest` for a path that is empty, too long for the kernel or holds a NUL.
    init(path: String) throws(HTTPError) {
        try Self.checkUnix(path)
        kind = .unix(path: path)
    }

    /// - Parameter name: without the NUL ahead of it.
    /// - Throws: `.invalidRequest` for a name that is empty or too long for the kernel.
    init(abstractName name: String) throws(HTTPError) {
        try Self.checkUnix(name, mayHoldNUL: true)
        kind = .abstract(name: name)
    }

    private static func checkUnix(_ text: String, mayHoldNUL: Bool = false) throws(HTTPError) {
        guard (1...unixBytesMax).contains(text.utf8.count) else {
            throw .invalidRequest(reason: "a unix socket's address has 1 to \(unixBytesMax) bytes")
        }
        guard mayHoldNUL || !text.utf8.contains(0) else {
            throw .invalidRequest(reason: "a unix socket's path holds a NUL")
        }
    }
}

extension SocketAddress {
    /// `AF_INET`, `AF_INET6` or `AF_UNIX`.
    var family: Int32 {
        switch kind {
        case .ip4: AF_INET
        case .ip6: AF_INET6
        case .unix, .abstract: AF_UNIX
        }
    }

    /// Whether it is reached by TCP, and not within the machine's file system or kernel.
    var isIP: Bool { family != AF_UNIX }

    /// Whether it is this machine: 127.0.0.0/8, ::1, or a unix socket.
    var isLoopback: Bool {
        switch kind {
        case .ip4(let number, _): number >> 24 == 127
        // The IPv4 addresses among IPv6's are ::ffff:0:0/96 (RFC 4291 §2.5.5.2).
        case .ip6(let number, _, _): number == 1 || number >> 24 == 0xFFFF_7F
        case .unix, .abstract: true
        }
    }

    /// The same address at another port; a unix socket has none and stays as it is.
    func with(port: UInt16) -> SocketAddress {
        switch kind {
        case .ip4(let number, _): SocketAddress(.ip4(number, port: port))
        case .ip6(let number, _, let scope): SocketAddress(.ip6(number, port: port, scope: scope))
        case .unix, .abstract: self
        }
    }
}

// MARK: The kernel's form

extension SocketAddress {
    /// `nil` when it is neither IPv4 nor IPv6.
    @unsafe init?(_ pointer: UnsafePointer<sockaddr>) {
        switch unsafe Int32(pointer.pointee.sa_family) {
        case AF_INET:
            kind = unsafe pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                unsafe .ip4(UInt32(bigEndian: $0.pointee.sin_addr.s_addr), port: UInt16(bigEndian: $0.pointee.sin_port))
            }
        case AF_INET6:
            kind = unsafe pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                unsafe .ip6(
                    $0.pointee.sin6_addr.number, port: UInt16(bigEndian: $0.pointee.sin6_port), scope: $0.pointee.sin6_scope_id)
            }
        default: return nil
        }
    }

    /// Calls `body` with the address as the kernel takes it, and its length in bytes.
    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        switch kind {
        case .ip4(let number, let port): return unsafe Self.withPointer(to: sockaddr_in(number, port: port), body)
        case .ip6(let number, let port, let scope):
            return unsafe Self.withPointer(to: sockaddr_in6(number, port: port, scope: scope), body)
        case .unix(let path): return unsafe Self.withPointer(to: sockaddr_un(path.utf8), body)
        case .abstract(let name):
            // Its length is part of an abstract name.
            let length = MemoryLayout<sa_family_t>.size + 1 + name.utf8.count
            return unsafe Self.withPointer(to: sockaddr_un([0] + name.utf8), length: length, body)
        }
    }

    private static func withPointer<Address, Result>(
        to address: Address, length: Int = MemoryLayout<Address>.size, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        unsafe withUnsafePointer(to: address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, socklen_t(length)) }
        }
    }

    /// The zone's name is looked up among the machine's interfaces; nobody is asked.
    private static func zoned(_ numeric: String) -> SocketAddress? {
        lookUp(numeric, AF_INET6, flags: AI_NUMERICHOST).addresses.first
    }

    /// What `getaddrinfo` finds, at most 256 addresses, and what it returned.
    static func lookUp(_ name: String, _ family: Int32, flags: Int32) -> (addresses: [SocketAddress], code: Int32) {
        var hints = unsafe addrinfo()
        unsafe (hints.ai_family, hints.ai_flags) = (family, flags)
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(name, nil, &hints, &list)
        guard code == 0 else { return ([], code) }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = unsafe list
        while let entry = unsafe next, addresses.count < 256 {
            if let address = unsafe entry.pointee.ai_addr.flatMap({ unsafe SocketAddress($0) }) { addresses.append(address) }
            unsafe next = entry.pointee.ai_next
        }
        return (addresses, code)
    }
}

extension in6_addr {
    fileprivate var number: UInt128 {
        unsafe UInt128(bigEndian: withUnsafeBytes(of: self) { unsafe $0.loadUnaligned(as: UInt128.self) })
    }
}

extension sockaddr_in {
    fileprivate init(_ number: UInt32, port: UInt16) {
        self.init()
        sin_family = sa_family_t(AF_INET)
        sin_port = port.bigEndian
        sin_addr.s_addr = number.bigEndian
    }
}

extension sockaddr_in6 {
    fileprivate init(_ number: UInt128, port: UInt16, scope: UInt32) {
        self.init()
        sin6_family = sa_family_t(AF_INET6)
        sin6_port = port.bigEndian
        sin6_scope_id = scope
        unsafe withUnsafeMutableBytes(of: &sin6_addr) { unsafe $0.storeBytes(of: number.bigEndian, as: UInt128.self) }
    }
}

extension sockaddr_un {
    /// - Parameter bytes: at most as many as `sun_path` has, which was checked when the address was made.
    fileprivate init(_ bytes: some Collection<UInt8>) {
        self.init()
        sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &sun_path) { unsafe $0.copyBytes(from: bytes) }
    }
}
