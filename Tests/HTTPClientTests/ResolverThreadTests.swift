import Glibc
import Synchronization
import TestSupport
import Testing

@testable import EventLoop
@testable import HTTPClient

@Suite(.timeLimit(.minutes(5))) struct ResolverThreadTests {
    @Test func `400 callers behind a slow name cost one thread and one look-up, and all get the answer`() async throws {
        let names = Names([firstAnswer], isHeld: true)
        let resolver = names.resolver()
        try await LoopActor.run { worker in
            let done = Wakeup(on: worker.loop)
            var results: [Result<[SocketAddress], HTTPError>] = []
            var lookUps: [Resolver.LookUp] = []
            for _ in 0..<400 {
                lookUps.append(
                    resolver.addresses(of: "slow", lifetime: .seconds(60), on: worker.loop) {
                        results.append($0)
                        if results.count == 400 { done.wake() }
                    })
            }
            try await names.calls.wait(for: "the look-up") { !$0.isEmpty }
            #expect(resolver.threadCount == 1)
            names.open(1)
            await done.wait()
            #expect(results.allSatisfy { $0 == .success(addresses("192.0.2.1")) })
            #expect(names.calls.value == ["slow"])
            withExtendedLifetime(lookUps) {}
        }
    }

    @Test func `callers of several loops wait for one look-up`() async throws {
        let names = Names([firstAnswer], isHeld: true)
        let resolver = names.resolver()
        async let results = withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    try await LoopActor.run { await $0.look(up: "slow", in: resolver).error == nil }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        // Also when the wait fails: the others would wait for ever.
        defer { names.open(4) }
        try await names.calls.wait(for: "the look-up") { !$0.isEmpty }
        names.open(4)
        let all = try await results
        #expect(all == [true, true, true, true])
    }

    @Test func `a slow name does not hold up another`() async throws {
        let gate = Turnstile()
        let resolver = Resolver(answer: { host in
            if host == "slow" { gate.pass() }
            return firstAnswer
        })
        try await LoopActor.run { worker in
            let slow = resolver.addresses(of: "slow", lifetime: .seconds(60), on: worker.loop) { _ in }
            #expect(await worker.look(up: "quick", in: resolver) == .success(addresses("192.0.2.1")))
            withExtendedLifetime(slow) { gate.open() }
        }
    }

    @Test func `names beyond the threads wait their turn`() async throws {
        let names = Names([firstAnswer], isHeld: true)
        let resolver = names.resolver(threadsMax: 2)
        try await LoopActor.run { worker in
            let done = Wakeup(on: worker.loop)
            var count = 0
            let lookUps = (0..<5).map { number in
                resolver.addresses(of: "name\(number)", lifetime: .seconds(60), on: worker.loop) { _ in
                    count += 1
                    if count == 5 { done.wake() }
                }
            }
            try await names.calls.wait(for: "two look-ups") { $0.count == 2 }
            #expect(resolver.threadCount == 2)
            names.open(5)
            await done.wait()
            #expect(Set(names.calls.value).count == 5)
            withExtendedLifetime(lookUps) {}
        }
    }

    @Test func `threads without work end, and others come when there is some again`() async throws {
        let names = Names([.noSuchName])
        let resolver = names.resolver()
        try await LoopActor.run { worker in
            for number in 0..<3 {
                _ = await worker.look(up: "name\(number)", in: resolver)
                await worker.wait { resolver.threadCount == 0 }
            }
            #expect(names.calls.value.count == 3)
        }
    }

    @Test func `those who have gone are not remembered however long a look-up takes`() async throws {
        let names = Names([firstAnswer], isHeld: true)
        let resolver = names.resolver()
        try await LoopActor.run { worker in
            for _ in 0..<1000 { _ = resolver.addresses(of: "name", lifetime: .seconds(60), on: worker.loop) { _ in } }
            #expect(resolver.waiterCount(of: "name") == 0)
            #expect(worker.loop.remoteQueue.bodies.isEmpty)
            names.open(1)
        }
    }

    @Test func `the threads take no signal`() async throws {
        let isBlocked = Mutex(false)
        let resolver = Resolver(answer: { _ in
            var set = sigset_t()
            unsafe pthread_sigmask(SIG_BLOCK, nil, &set)
            isBlocked.withLock { $0 = unsafe sigismember(&set, SIGTERM) == 1 && sigismember(&set, SIGSEGV) == 0 }
            return .noSuchName
        })
        // A thread inherits what its maker blocks.
        try await LoopActor.run(preparing: unblockSignals) { _ = await $0.look(up: "name", in: resolver) }
        #expect(isBlocked.withLock { $0 })
    }

    @Test func `a process ends while a name is being looked up`() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let begun = Observed(false)
            let resolver = Resolver(answer: { _ in
                begun.update { $0 = true }
                while true { pause() }
            })
            let loop = try EventLoop()
            let lookUp = resolver.addresses(of: "name", lifetime: .seconds(60), on: loop) { _ in }
            try await begun.wait(for: "the look-up") { $0 }
            withExtendedLifetime(lookUp) { exit(7) }
        }
    }
}

private func unblockSignals() {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    unsafe pthread_sigmask(SIG_SETMASK, &set, nil)
}
