import Glibc
import TestSupport
import Testing

@testable import EventLoop
@testable import HTTPClient

/// So long that a test never comes to its end.
private let never = Duration.seconds(3_600)

@Suite(.timeLimit(.minutes(5))) struct DialerTests {
    @Test(arguments: ["127.0.0.1", "localhost", "::1"])
    func `a host's name or number becomes a connected socket, and nothing else is left`(host: String) async throws {
        let port = try freePort()
        let listeners = [try KernelListener(address("127.0.0.1", port)), try KernelListener(address("::1", port))]
        try await LoopActor.run { worker in
            let socket = try await worker.dial(.host(host, port: port)).get()
            #expect(socket.connectionError() == 0)
            #expect(worker.leftovers == (0, false))
            socket.setInterest(.readable)
            #expect(worker.leftovers == (1, false))
            let inodes = worker.watchedSockets
            #expect(inodes.isSubset(of: openSockets()))
            socket.close()
            #expect(!socket.isOpen)
            #expect(inodes.isDisjoint(with: openSockets()))
            #expect(worker.leftovers == (0, false))
        }
        withExtendedLifetime(listeners) {}
    }

    @Test func `a unix socket connects inside the start, by its path or its abstract name`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("server")
        let listeners = [
            try KernelListener(SocketAddress(path: path)), try KernelListener(SocketAddress(abstractName: path + "\0é")),
        ]
        try await LoopActor.run { worker in
            for target in [DialTarget.unix(path: path), .abstract(name: path + "\0é")] {
                var result: Result<StreamSocket, HTTPError>?
                let dialer = Dialer(to: target, nameLifetime: .zero, on: worker.loop) { result = $0 }
                dialer.start()
                let socket = try #require(try result?.get())
                socket.setAcknowledgementTimeout(1000)
                #expect(socket.send("hello") == .bytes(5))
            }
            #expect(worker.leftovers == (0, false))
        }
        withExtendedLifetime(listeners) {}
    }

    @Test func `a unix socket that nobody listens at refuses, and one that is not there is told so`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("server")
        let bound = try KernelListener(SocketAddress(path: path), isListening: false)
        try await LoopActor.run { worker in
            #expect(await worker.dial(.unix(path: path)).error == .refused)
            #expect(await worker.dial(.abstract(name: path)).error == .refused)
            let missing = await worker.dial(.unix(path: path + "2")).error
            #expect(missing == .unreachable(reason: "No such file or directory"))
            guard case .invalidRequest? = await worker.dial(.unix(path: String(repeating: "p", count: 108))).error else {
                Issue.record("the kernel takes no such path")
                return
            }
        }
        withExtendedLifetime(bound) {}
    }

    @Test func `a unix socket whose queue is full is tried until there is room`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("server")
        let listener = try KernelListener(SocketAddress(path: path), isDeaf: true)
        try await LoopActor.run { worker in
            let done = Wakeup(on: worker.loop)
            var result: Result<StreamSocket, HTTPError>?
            let dialer = Dialer(to: .unix(path: path), nameLifetime: .zero, on: worker.loop) {
                result = $0
                done.wake()
            }
            dialer.start()
            #expect(result == nil)
            _ = listener.accept()
            await done.wait()
            _ = try result?.get()
        }
    }

    @Test func `all addresses that refuse are a refusal`() async throws {
        let port = try freePort()
        let resolver = try fixedResolver(["::1", "127.0.0.1", "127.0.0.2"])
        try await LoopActor.run { worker in
            #expect(await worker.dial(.host("name", port: port), resolver, delay: never).error == .refused)
            #expect(worker.leftovers == (0, false))
        }
    }

    @Test func `after a refusal the next address is tried at once`() async throws {
        let port = try freePort()
        let listener = try KernelListener(address("127.0.0.3", port))
        let resolver = try fixedResolver(["::1", "127.0.0.1", "127.0.0.2", "127.0.0.3"])
        try await LoopActor.run { worker in
            _ = try await worker.dial(.host("name", port: port), resolver, delay: never).get()
        }
        withExtendedLifetime(listener) {}
    }

    @Test func `a good address beside a deaf one wins, and goes first from then on`() async throws {
        let port = try freePort()
        let deaf = try KernelListener(address("127.0.0.2", port), isDeaf: true)
        let good = try KernelListener(address("127.0.0.1", port))
        let resolver = try fixedResolver(["127.0.0.2", "127.0.0.1"])
        try await LoopActor.run { worker in
            let socket = try await worker.dial(.host("name", port: port), resolver, delay: .milliseconds(5)).get()
            #expect(worker.leftovers == (0, false))
            let second = try await worker.dial(.host("name", port: port), resolver, delay: never).get()
            #expect(worker.leftovers == (0, false))
            withExtendedLifetime((socket, second)) {}
        }
        withExtendedLifetime((deaf, good)) {}
    }

    @Test func `a name that cannot be resolved is told with its name`() async throws {
        let resolver = Resolver(answer: { _ in .noSuchName })
        try await LoopActor.run { worker in
            for _ in 0..<2 {
                #expect(await worker.dial(.host("name", port: 80), resolver).error == .cannotResolve(host: "name"))
            }
        }
    }

    @Test func `out of descriptors an idle connection makes way for a call, but not for one that is to stand ready`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.path("server")
            let listener = try KernelListener(SocketAddress(path: path))
            // It keeps its ends open.
            let server = try ScriptServer { peer in
                _ = peer.request()
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                Gate().wait()
            }
            try await LoopActor.run { worker in
                let session = Session(on: worker.loop, .patient)
                let calls = try (0..<2).map { _ in try session.start(.get(server.url), waking: Wakeup(on: worker.loop)) }
                for call in calls { _ = try await call.rest() }
                guard session.context.idle.count == 2 else { exit(1) }
                useUpDescriptors()
                let warm = try session.keepWarm("unix:\(path)", count: 1, connectTimeout: .seconds(10)) { _ in }
                await worker.loop.sleep(for: .milliseconds(1))
                guard session.context.idle.count == 2 else { exit(2) }
                withExtendedLifetime(warm) {}
                for left in [1, 0] {
                    let call = try session.start(.get("unix:\(path)"), waking: Wakeup(on: worker.loop))
                    guard case .http1 = call.place, session.context.idle.count == left else { exit(3) }
                }
                guard case .unavailable? = await session.failure(of: .get("unix:\(path)")).error else { exit(4) }
            }
            withExtendedLifetime((directory, listener)) {}
        }
    }

    @Test func `without a descriptor there is no connection, and that is nobody's fault`() async {
        await #expect(processExitsWith: .success) {
            try await LoopActor.run { worker in
                var limit = rlimit(rlim_cur: 0, rlim_max: 0)
                unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                let error = await worker.dial(.host("127.0.0.1", port: 80)).error
                guard error == .unavailable(reason: "Too many open files") else { exit(1) }
            }
        }
    }

    @Test(arguments: [(31, true), (32, false)])
    func `at most 32 addresses are tried`(refusing: Int, connects: Bool) async throws {
        let port = try freePort()
        let good = try KernelListener(address("127.0.1.200", port))
        let resolver = try fixedResolver((0..<refusing).map { "127.0.1.\($0 + 1)" } + ["127.0.1.200"])
        try await LoopActor.run { worker in
            #expect(await worker.dial(.host("name", port: port), resolver).error == (connects ? nil : .refused))
        }
        withExtendedLifetime(good) {}
    }

    @Test func `a ninth attempt takes the place of the oldest`() async throws {
        let port = try freePort()
        let hosts = (1...12).map { "127.0.2.\($0)" }
        let deaf = try hosts.map { try KernelListener(address($0, port), isDeaf: true) }
        let good = try KernelListener(address("127.0.0.1", port))
        let (deafOnly, both) = (try fixedResolver(hosts), try fixedResolver(hosts + ["127.0.0.1"]))
        try await LoopActor.run { worker in
            let dialer = worker.dialer(.host("name", port: port), deafOnly, delay: .zero)
            dialer.start()
            await worker.wait { worker.leftovers == (8, false) }
            let inodes = worker.watchedSockets
            dialer.cancel()
            #expect(inodes.isDisjoint(with: openSockets()))
            #expect(worker.leftovers == (0, false))
            _ = try await worker.dial(.host("name", port: port), both, delay: .zero).get()
        }
        withExtendedLifetime((deaf, good)) {}
    }
}

@Suite(.timeLimit(.minutes(5))) struct DialerCancelTests {
    @Test(arguments: [false, true])
    func `a dialer that waits for a name leaves nothing when it goes`(isLetGo: Bool) async throws {
        let turnstile = Turnstile()
        let asked = Observed(0)
        let resolver = Resolver(answer: { _ in
            asked.update { $0 += 1 }
            turnstile.pass()
            return .noSuchName
        })
        try await LoopActor.run { worker in
            var dialer: Dialer? = worker.dialer(.host("name", port: 80), resolver)
            dialer?.start()
            try await asked.wait(for: "the look-up") { $0 == 1 }
            if !isLetGo { dialer?.cancel() }
            dialer = nil
            turnstile.open()
            // Who asks after it hears of what was under way.
            _ = await worker.look(up: "name", in: resolver)
            #expect(worker.leftovers == (0, false))
        }
    }

    @Test(arguments: [1, 2], [false, true])
    func `a dialer that tries addresses leaves nothing when it goes`(half: Int, isLetGo: Bool) async throws {
        let port = try freePort()
        let deaf = try ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map { try KernelListener(address($0, port), isDeaf: true) }
        let resolver = try fixedResolver(["127.0.0.1", "127.0.0.2", "127.0.0.3"].prefix(half + 1).map { $0 })
        try await LoopActor.run { worker in
            _ = await worker.look(up: "name", in: resolver)
            var dialer: Dialer? = worker.dialer(.host("name", port: port), resolver, delay: half == 1 ? never : .zero)
            dialer?.start()
            await worker.wait { worker.leftovers == (half == 1 ? (1, true) : (3, false)) }
            let inodes = worker.watchedSockets
            #expect(inodes.count == (half == 1 ? 1 : 3))
            if isLetGo { dialer = nil } else { dialer?.cancel() }
            #expect(worker.leftovers == (0, false))
            #expect(inodes.isDisjoint(with: openSockets()))
        }
        withExtendedLifetime(deaf) {}
    }

    @Test func `a dialer may be let go and cancelled inside its completion`() async throws {
        let port = try freePort()
        let listener = try KernelListener(address("127.0.0.1", port))
        try await LoopActor.run { worker in
            for target in [DialTarget.host("127.0.0.1", port: port), .host("127.0.0.2", port: port)] {
                let done = Wakeup(on: worker.loop)
                var dialer: Dialer?
                dialer = Dialer(to: target, nameLifetime: .zero, on: worker.loop) { _ in
                    dialer?.cancel()
                    dialer = nil
                    done.wake()
                }
                dialer?.start()
                await done.wait()
                #expect(worker.leftovers == (0, false))
            }
        }
        withExtendedLifetime(listener) {}
    }
}

@Suite(.timeLimit(.minutes(5))) struct DialOrderTests {
    @Test(arguments: [
        ("4a 4b 6a 6b", "-", "6a 4a 6b 4b"), ("4a 4b 4c 6a", "-", "6a 4a 4b 4c"), ("6a 6b 6c 4a", "-", "6a 4a 6b 6c"),
        ("4a", "-", "4a"), ("4a 4b 6a 6b", "4b", "4b 6a 4a 6b"), ("4a 6a 6b", "6b", "6b 4a 6a"), ("6a 4a 6a 4a", "-", "6a 4a"),
        ("4a 6a", "4c", "6a 4a"), ("", "4a", ""),
    ])
    func `families take turns, IPv6 first or what worked last`(found: String, preferred: String, order: String) throws {
        let result = try named(found).interleaved(preferring: named(preferred).first)
        #expect(try result == named(order))
    }

    private func named(_ text: String) throws -> [SocketAddress] {
        try text.split(separator: " ").filter { $0 != "-" }.map {
            try address(($0.hasPrefix("4") ? "192.0.2." : "2001:db8::") + "\($0.utf8.last ?? 0)")
        }
    }

    private static let failures: [([Int32], HTTPError)] = [
        ([ECONNREFUSED], HTTPError.refused), ([ECONNREFUSED, ECONNREFUSED], .refused), ([ENETUNREACH, ECONNREFUSED], .refused),
        ([ECONNREFUSED, EHOSTUNREACH], .unreachable(reason: "No route to host")),
        ([EHOSTUNREACH, ECONNREFUSED], .unreachable(reason: "No route to host")),
        ([ETIMEDOUT, ENETUNREACH], .unreachable(reason: "Connection timed out")),
        ([ENETUNREACH], .unreachable(reason: "Network is unreachable")),
        ([EMFILE, ECONNREFUSED], .unavailable(reason: "Too many open files")),
    ]

    @Test(arguments: failures)
    func `the most telling failure is told`(codes: [Int32], error: HTTPError) {
        var failures = DialFailures()
        for code in codes { failures.note(code) }
        #expect(failures.error == error)
    }
}

extension LoopActor {
    fileprivate func dialer(_ target: DialTarget, _ resolver: Resolver, delay: Duration = .milliseconds(250)) -> Dialer {
        Dialer(to: target, resolver: resolver, nameLifetime: .seconds(60), delay: delay, on: loop) {
            Issue.record("told \($0)")
        }
    }
}
