// Where a connection goes, in which order its addresses are tried, and why there is none.

import EventLoop
import Glibc

/// The other end of a connection, as its user names it.
enum DialTarget: Hashable, Sendable {
    /// A name or a numeric address, IPv6 without brackets.
    case host(String, port: UInt16)
    case unix(path: String)
    /// Without the NUL ahead of it (unix(7)).
    case abstract(name: String)
}

extension [SocketAddress] {
    /// In the order to try them: families in turns, IPv6 first (RFC 8305 §4), unless another address worked last, which leads then.
    ///
    /// Each comes once.
    func interleaved(preferring preferred: SocketAddress?) -> [SocketAddress] {
        var seen: Set<SocketAddress> = []
        let distinct = filter { seen.insert($0).inserted }
        let leader = preferred.flatMap { distinct.contains($0) ? $0 : nil }
        let family = leader?.family ?? AF_INET6
        let first = (leader.map { [$0] } ?? []) + distinct.filter { $0.family == family && $0 != leader }
        let second = distinct.filter { $0.family != family }
        let pairs = zip(first, second).flatMap { [$0, $1] }
        return pairs + first.dropFirst(second.count) + second.dropFirst(first.count)
    }
}

/// How the attempts for one connection failed.
struct DialFailures {
    /// An `errno` for each.
    private var codes: [Int32] = []

    mutating func note(_ code: Int32) { codes.append(code) }

    /// The most telling of them: that IPv6 has no route here says little where IPv4 was refused.
    var error: HTTPError {
        if let code = codes.last(where: Self.isShortage) { return .unavailable(reason: Self.words(code)) }
        let routed = codes.filter { !Self.isMissingRoute($0) }
        let telling = routed.isEmpty ? codes : routed
        guard !telling.isEmpty else { return .unreachable(reason: "no address") }
        guard let code = telling.last(where: { $0 != ECONNREFUSED }) else { return .refused }
        return .unreachable(reason: Self.words(code))
    }

    /// Of this process or machine: descriptors, memory, watches.
    private static func isShortage(_ code: Int32) -> Bool { [EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC].contains(code) }

    private static func isMissingRoute(_ code: Int32) -> Bool { [ENETUNREACH, EADDRNOTAVAIL, EAFNOSUPPORT].contains(code) }

    private static func words(_ code: Int32) -> String { SystemError("connect", code: code).reason }
}
