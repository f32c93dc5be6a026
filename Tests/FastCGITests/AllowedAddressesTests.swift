import EventLoop
import Glibc
import TestSupport
import Testing

@testable import FastCGI

/// Each test in a network of its own, where it has whatever address it likes: also 127.0.0.2 and ::1 need one elsewhere.
@Suite(.enabled(if: mayMakeNetworks, "network namespaces need root"), .timeLimit(.minutes(5)))
struct AllowedAddressesTests {
    /// The kernel has an address of IPv6 a moment later.
    private static let addresses = """
        ip addr add 10.1.0.1/16 dev lo; ip addr add fd00:1::1/64 dev lo nodad
        until ip -6 route get ::1 && ip -6 route get fd00:1::1 from fd00:1::1; do :; done >/dev/null 2>&1
        """

    /// How many of these peers are let in, and what is said of the others.
    private func outcome(
        of peers: [String], at address: String, by ranges: [String]?
    ) async throws -> (accepted: Int, refusals: [ConnectionRefusal]) {
        try await LoopActor.runInNetwork(Self.addresses) { worker in
            let access = SocketAccess(allowedAddresses: try ranges?.map { try AddressRange($0) })
            let socket =
                address == "both families"
                ? try ListeningSocket(.inherited(listenForBothFamilies()), access: access)
                : try ListeningSocket(.tcp(host: address, port: 0), access: access)
            let wakeup = Wakeup(on: worker.loop)
            var refusals: [ConnectionRefusal] = []
            var accepted = 0
            let listener = Listener(
                socket, on: worker.loop,
                onRefusal: {
                    refusals.append($0)
                    wakeup.wake()
                },
                handler: { _ in
                    accepted += 1
                    wakeup.wake()
                })
            for peer in peers {
                let refusedBefore = refusals.count
                let client = Peer(try connected(from: peer, toPort: try #require(socket.port)), on: worker.loop)
                await wakeup.wait()
                if refusals.count > refusedBefore { #expect(try await client.waitForEnd(), "\(peer) is told nothing") }
            }
            listener.close()
            return (accepted, refusals)
        }
    }

    @Test(
        arguments: [
            ("0.0.0.0", ["127.0.0.1", "127.0.0.2", "10.1.0.1"], nil, []),
            ("0.0.0.0", ["127.0.0.1", "127.0.0.2", "10.1.0.1"], ["127.0.0.1", "10.0.0.0/8"], ["127.0.0.2"]),
            ("127.0.0.1", ["127.0.0.1", "127.0.0.2"], ["::1", "127.0.0.2/31"], ["127.0.0.1"]),
            ("127.0.0.1", ["127.0.0.1"], ["::/0"], ["127.0.0.1"]),
            ("::", ["::1", "fd00:1::1"], ["0.0.0.0/0", "fd00::/8"], ["::1"]),
            (
                "both families", ["127.0.0.1", "10.1.0.1", "::1", "fd00:1::1"], ["127.0.0.0/8", "::1"], ["10.1.0.1", "fd00:1::1"]
            ),
            ("both families", ["10.1.0.1", "::1"], ["::/0"], ["10.1.0.1"]),
        ] as [(String, [String], [String]?, [String])])
    func `only allowed addresses are let in, and without a list all are`(
        address: String, peers: [String], ranges: [String]?, refused: [String]
    ) async throws {
        let (accepted, refusals) = try await outcome(of: peers, at: address, by: ranges)
        #expect(refusals == refused.map { .addressNotAllowed($0) })
        #expect(accepted == peers.count - refused.count)
    }

    @Test func `one that has left again before it is accepted is known by its address`() async throws {
        try await LoopActor.runInNetwork(Self.addresses) { worker in
            let access = SocketAccess(allowedAddresses: [try AddressRange("10.0.0.0/8")])
            let socket = try ListeningSocket(.tcp(host: "0.0.0.0", port: 0), access: access)
            for peer in ["127.0.0.1", "10.1.0.1"] {
                let client = try connected(from: peer, toPort: try #require(socket.port))
                var option = linger(l_onoff: 1, l_linger: 0)
                let size = socklen_t(MemoryLayout<linger>.size)
                _ = unsafe setsockopt(client.number, SOL_SOCKET, SO_LINGER, &option, size)
            }
            let wakeup = Wakeup(on: worker.loop)
            var refusals: [ConnectionRefusal] = []
            let listener = Listener(
                socket, on: worker.loop, onRefusal: { refusals.append($0) }, handler: { _ in wakeup.wake() })
            await wakeup.wait()
            #expect(refusals == [.addressNotAllowed("127.0.0.1")])
            listener.close()
        }
    }

    @Test func `unix sockets have no addresses that could be left out`() throws {
        let directory = try TemporaryDirectory()
        let access = SocketAccess(allowedAddresses: [try AddressRange("10.0.0.0/8")])
        let addresses = [ListenAddress.unix(directory.path("s")), .tcp(host: "127.0.0.1", port: 0)]
        #expect(try ListeningSocket.open(addresses, access: access).map { $0.allowedAddresses == nil } == [true, false])
    }

    @Test(arguments: [("0.0.0.0", true), ("127.0.0.1", false), ("::", true), ("::1", false)])
    func `a socket that was passed on is open to others, unless it is of this machine alone or has a list`(
        host: String, isOpen: Bool
    ) throws {
        let first = try ListeningSocket(.tcp(host: host, port: 0))
        #expect(try ListeningSocket(.inherited(dup(first.descriptor.number))).isOpenToOthers == isOpen)
        let access = SocketAccess(allowedAddresses: [try AddressRange("::1")])
        #expect(try !ListeningSocket(.inherited(dup(first.descriptor.number)), access: access).isOpenToOthers)
    }
}

/// As systemd makes them, unless it is told otherwise (systemd.socket(5), BindIPv6Only=).
private func listenForBothFamilies() throws -> Int32 {
    let number = try SystemError.check("socket", socket(AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
    var no: Int32 = 0
    _ = unsafe setsockopt(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &no, socklen_t(MemoryLayout<Int32>.size))
    _ = try SystemError.check("bind", unsafe withAddress("::", 0) { unsafe bind(number, $0, $1) })
    _ = try SystemError.check("listen", listen(number, 16))
    return number
}

/// A connection to a port at the address that it comes from.
private func connected(from host: String, toPort port: UInt16) throws -> Descriptor {
    let family = host.contains(":") ? AF_INET6 : AF_INET
    let client = Descriptor(
        owning: try SystemError.check("socket", socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)))
    _ = try SystemError.check("bind", unsafe withAddress(host, 0) { unsafe bind(client.number, $0, $1) })
    // A socket at 127.0.0.1 alone is reached from 127.0.0.2 too.
    let target = host.hasPrefix("127.") ? "127.0.0.1" : host
    _ = try SystemError.check("connect", unsafe withAddress(target, port) { unsafe connect(client.number, $0, $1) })
    return client
}

private func withAddress(_ host: String, _ port: UInt16, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    if host.contains(":") {
        var address = sockaddr_in6()
        (address.sin6_family, address.sin6_port) = (sa_family_t(AF_INET6), port.bigEndian)
        _ = unsafe inet_pton(AF_INET6, host, &address.sin6_addr)
        return unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe call($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
    }
    var address = sockaddr_in()
    (address.sin_family, address.sin_port) = (sa_family_t(AF_INET), port.bigEndian)
    _ = unsafe inet_pton(AF_INET, host, &address.sin_addr)
    return unsafe withUnsafePointer(to: &address) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe call($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}
