// One look-up of a name, on a thread that may wait for it.

import Glibc

/// What a look-up of a name came to.
enum NameAnswer: Sendable {
    /// At least one, with port 0, in the order that the system recommends (RFC 6724).
    case addresses([SocketAddress])
    case noSuchName
    /// Nobody who would know has answered; the next look-up may go better.
    case tryAgain

    /// Asks the system: /etc/hosts, DNS, whatever nsswitch.conf(5) says. It may wait for half a minute or longer.
    static func fromSystem(_ host: String) -> NameAnswer {
        // No name in DNS is longer (RFC 1035 §3.1).
        guard (1...255).contains(host.utf8.count), !host.utf8.contains(0) else { return .noSuchName }
        // That flag hides ::1 on a machine whose only other address is an IPv4 one.
        let (addresses, code) = SocketAddress.lookUp(host, AF_UNSPEC, flags: isLocal(host) ? 0 : AI_ADDRCONFIG)
        switch code {
        case 0: return addresses.isEmpty ? .noSuchName : .addresses(addresses)
        case EAI_AGAIN, EAI_MEMORY, EAI_SYSTEM: return .tryAgain
        default: return .noSuchName
        }
    }

    /// `localhost` and names under it (RFC 6761 §6.3).
    private static func isLocal(_ host: String) -> Bool {
        let name = host.utf8.map { $0 | 0x20 }
        let local = Array("localhost".utf8)
        return name == local || name.suffix(local.count + 1) == ArraySlice([UInt8(ascii: ".") | 0x20] + local)
    }
}
