// What the kernel calls a socket (getsockname(2)), and its peer (accept(2)).

import CLinux
import EventLoop
import Glibc

/// The address that a socket was bound to, or that of its peer.
struct SocketName {
    private let family: Int32
    /// All of it, as the kernel has written it.
    private let bytes: [UInt8]

    private static let pathPlace = MemoryLayout<sa_family_t>.size

    /// - Returns: nil when the kernel does not tell.
    init?(_ descriptor: Int32) {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = unsafe withUnsafeMutablePointer(to: &storage) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(descriptor, $0, &size) }
        }
        guard result == 0 else { return nil }
        self.init(storage, size)
    }

    /// - Parameter size: of what the kernel has written.
    init(_ storage: sockaddr_storage, _ size: socklen_t) {
        family = Int32(storage.ss_family)
        bytes = unsafe withUnsafeBytes(of: storage) { unsafe Array($0.prefix(Int(size))) }
    }

    /// Of TCP alone.
    var port: UInt16? {
        switch family {
        case AF_INET, AF_INET6: bytes.count < 4 ? nil : UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        default: nil
        }
    }

    /// As settings would name it; nil for what has no name there.
    var text: String? {
        switch family {
        case AF_UNIX: return path.map { "unix:\($0)" }
        case AF_INET, AF_INET6:
            guard let host, let port else { return nil }
            return ListenAddress.tcp(host: host, port: port).description
        default: return nil
        }
    }

    /// Up to its NUL; with an `@` in the place of the NUL ahead of one outside the file system (unix(7)).
    private var path: String? {
        let path = bytes.dropFirst(Self.pathPlace)
        guard let first = path.first else { return nil }
        if first == 0 { return "@" + String(decoding: path.dropFirst(), as: UTF8.self) }
        return String(decoding: path.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Of TCP alone.
    var address: IPAddress? { hostBytes.flatMap { IPAddress(bytes: $0) } }

    /// Behind family and port, and IPv6's flow label (ip(7), ipv6(7)); nil for what has none.
    private var hostBytes: [UInt8]? {
        let address: ArraySlice<UInt8>
        switch family {
        case AF_INET: address = bytes.dropFirst(4).prefix(4)
        case AF_INET6: address = bytes.dropFirst(8).prefix(16)
        default: return nil
        }
        return address.count == (family == AF_INET ? 4 : 16) ? Array(address) : nil
    }

    private var host: String? {
        guard let address = hostBytes else { return nil }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard unsafe inet_ntop(family, address, &text, socklen_t(text.count)) != nil else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
