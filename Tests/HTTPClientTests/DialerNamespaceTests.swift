import Glibc
import TestSupport
import Testing

@testable import EventLoop
@testable import HTTPClient

private let never = Duration.seconds(3_600)

/// What is sent to these networks vanishes: the loopback interface brings it back, and nobody has such an address.
private let deafNetworks = "ip route add 10.9.0.0/24 dev lo src 127.0.0.1; ip -6 route add fd00:9::/64 dev lo"

@Suite(.enabled(if: mayMakeNetworks, "network namespaces need root"), .timeLimit(.minutes(1)))
struct DialerNamespaceTests {
    @Test(arguments: [("fd00:9::2", "127.0.0.1"), ("10.9.0.2", "::1")], [false, true])
    func `a deaf address of one family beside a good one of the other wins nothing, and the next call goes straight`(
        hosts: (deaf: String, good: String), isReversed: Bool
    ) async throws {
        let resolver = try fixedResolver(isReversed ? [hosts.good, hosts.deaf] : [hosts.deaf, hosts.good])
        try await LoopActor.runInNetwork(deafNetworks) { worker in
            let listener = try KernelListener(address(hosts.good, 8080))
            let socket = try await worker.dial(.host("name", port: 8080), resolver, delay: .milliseconds(10)).get()
            // A child of another test that has not come to its program yet holds copies of what was closed.
            await worker.wait { (try? openSockets(to: 8080)) == 1 }
            #expect(worker.leftovers == (0, false))
            for _ in 0..<3 {
                _ = try await worker.dial(.host("name", port: 8080), resolver, delay: never).get()
            }
            #expect(resolver.preferredAddress(of: "name") == (try address(hosts.good)))
            withExtendedLifetime((socket, listener)) {}
        }
    }

    @Test func `a connection that has not come to the server's last address is left to look for it alone`() async throws {
        let resolver = try fixedResolver((2...7).map { "10.9.0.\($0)" })
        try await LoopActor.runInNetwork(deafNetworks) { worker in
            var configuration = Session.Configuration()
            configuration.patience = .seconds(1)
            let session = Session(on: worker.loop, configuration, resolver)
            let call = try session.start(.get("http://name:8080/"), waking: Wakeup(on: worker.loop))
            await worker.wait { (try? openSockets(to: 8080)) ?? 0 >= 6 }
            #expect(session.pools.values.map(\.connecting.count) == [1])
            call.cancel()
            session.expectNothingLeft()
        }
    }

    @Test func `when what worked last falls silent the other one is found and goes first`() async throws {
        let resolver = try fixedResolver(["10.9.0.2", "::1"])
        try await LoopActor.runInNetwork(deafNetworks) { worker in
            let listener = try KernelListener(address("::1", 8080))
            _ = await worker.look(up: "name", in: resolver)
            resolver.prefer(try address("10.9.0.2"), of: "name")
            for delay in [Duration.milliseconds(5), never] {
                _ = try await worker.dial(.host("name", port: 8080), resolver, delay: delay).get()
            }
            withExtendedLifetime(listener) {}
        }
    }

    @Test func `a family without a route costs no time, and the other's words are told`() async throws {
        let resolver = try fixedResolver(["2001:db8::1", "10.8.0.1", "127.0.0.1"])
        try await LoopActor.runInNetwork("ip route add unreachable 10.8.0.0/24") { worker in
            let error = await worker.dial(.host("name", port: 8080), resolver, delay: never).error
            #expect(error == .unreachable(reason: "No route to host"))
            #expect(await worker.dial(.host("2001:db8::1", port: 80)).error == .unreachable(reason: "Network is unreachable"))
            let listener = try KernelListener(address("127.0.0.1", 8080))
            _ = try await worker.dial(.host("name", port: 8080), resolver, delay: never).get()
            withExtendedLifetime(listener) {}
        }
    }

    @Test func `unacknowledged SYNs end the attempt after the acknowledgement timeout`() async throws {
        try await LoopActor.runInNetwork(deafNetworks) { worker in
            let done = Wakeup(on: worker.loop)
            var error: HTTPError?
            let dialer = Dialer(
                to: .host("10.9.0.2", port: 80), nameLifetime: .zero, acknowledgementMilliseconds: 1, on: worker.loop
            ) {
                error = $0.error
                done.wake()
            }
            dialer.start()
            await done.wait()
            #expect(error == .unreachable(reason: "Connection timed out"))
            withExtendedLifetime(dialer) {}
        }
    }

    /// With two ports to choose from, a socket soon chooses the one that it connects to.
    @Test func `a socket that would connect to itself is refused`() async throws {
        try await LoopActor.runInNetwork("echo 40000 40001 >/proc/sys/net/ipv4/ip_local_port_range") { worker in
            for _ in 0..<8 {
                for host in ["127.0.0.1", "::1"] {
                    #expect(await worker.dial(.host(host, port: 40_000)).error == .refused)
                }
            }
        }
    }
}
