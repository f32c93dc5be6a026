import Glibc
import Synchronization
import TestSupport
import Testing

@testable import EventLoop
@testable import HTTPClient

@Suite(.timeLimit(.minutes(5))) struct ResolverTests {
    @Test func `an answer in its last quarter is refreshed, and nobody waits for that`() async throws {
        let names = Names([firstAnswer, secondAnswer])
        let resolver = names.resolver()
        try await LoopActor.run { worker in
            _ = await worker.look(up: "name", in: resolver)
            names.hold()
            names.advance(by: .seconds(44))
            #expect(known(resolver, worker.loop) == addresses("192.0.2.1"))
            #expect(names.calls.value.count == 1)
            names.advance(by: .seconds(2))
            #expect(known(resolver, worker.loop) == addresses("192.0.2.1"))
            try await names.calls.wait(for: "the refresh") { $0.count == 2 }
            // Slow as it is, the old answer serves beyond its lifetime.
            names.advance(by: .seconds(100))
            #expect(known(resolver, worker.loop) == addresses("192.0.2.1"))
            names.open(1)
            await worker.wait { known(resolver, worker.loop) == addresses("192.0.2.2") }
            #expect(names.calls.value.count == 2)
        }
    }

    @Test func `an answer that nobody asked for in time is not given, and its successor is waited for`() async throws {
        let names = Names([firstAnswer, secondAnswer])
        let resolver = names.resolver()
        try await LoopActor.run { worker in
            _ = await worker.look(up: "name", in: resolver)
            names.advance(by: .seconds(60))
            #expect(await worker.look(up: "name", in: resolver) == .success(addresses("192.0.2.2")))
        }
    }

    @Test(arguments: [NameAnswer.noSuchName, .tryAgain])
    func `an old answer serves ten more lifetimes when there is no new one`(failure: NameAnswer) async throws {
        let names = Names([firstAnswer, failure])
        let resolver = names.resolver()
        try await LoopActor.run { worker in
            _ = await worker.look(up: "name", in: resolver)
            names.advance(by: .seconds(61))
            #expect(await worker.look(up: "name", in: resolver) == .success(addresses("192.0.2.1")))
            names.advance(by: .seconds(598))
            #expect(known(resolver, worker.loop) == addresses("192.0.2.1"))
            names.advance(by: .seconds(2))
            #expect(await worker.look(up: "name", in: resolver) == .failure(.cannotResolve(host: "name")))
        }
    }

    @Test func `a failure is kept for a second`() async throws {
        let names = Names([.noSuchName, firstAnswer])
        let resolver = names.resolver()
        try await LoopActor.run { worker in
            #expect(await worker.look(up: "name", in: resolver) == .failure(.cannotResolve(host: "name")))
            names.advance(by: .milliseconds(999))
            #expect(await worker.look(up: "name", in: resolver) == .failure(.cannotResolve(host: "name")))
            #expect(names.calls.value.count == 1)
            names.advance(by: .milliseconds(1))
            #expect(await worker.look(up: "name", in: resolver) == .success(addresses("192.0.2.1")))
        }
    }

    @Test func `a failure that may be over is not kept`() async throws {
        let names = Names([.tryAgain, firstAnswer])
        let resolver = names.resolver()
        try await LoopActor.run { worker in
            #expect(await worker.look(up: "name", in: resolver) == .failure(.cannotResolve(host: "name")))
            #expect(await worker.look(up: "name", in: resolver) == .success(addresses("192.0.2.1")))
        }
    }

    @Test(arguments: [false, true])
    func `a look-up that is cancelled or let go tells nobody, and its answer is kept`(isLetGo: Bool) async throws {
        let names = Names([firstAnswer], isHeld: true)
        let resolver = names.resolver()
        try await LoopActor.run { worker in
            var witness: Witness? = Witness()
            weak let weakWitness = witness
            var lookUp: Resolver.LookUp? = resolver.addresses(of: "name", lifetime: .seconds(60), on: worker.loop) {
                [witness] _ in
                Issue.record("told \(String(describing: witness))")
            }
            witness = nil
            try await names.calls.wait(for: "the look-up") { !$0.isEmpty }
            weak let answer = lookUp?.waiter?.answer
            #expect(answer != nil)
            if isLetGo { lookUp = nil } else { lookUp?.cancel() }
            #expect(weakWitness == nil)
            if isLetGo { #expect(answer == nil) }
            names.open(1)
            await worker.wait { known(resolver, worker.loop) != nil }
            #expect(names.calls.value.count == 1)
            withExtendedLifetime(lookUp) {}
        }
    }

    @Test func `beyond its number of names the one asked for longest ago makes way`() async throws {
        let names = Names([firstAnswer])
        let resolver = names.resolver(namesMax: 2)
        try await LoopActor.run { worker in
            for host in ["a", "b", "a", "c", "a", "b"] {
                names.advance(by: .milliseconds(1))
                _ = await worker.look(up: host, in: resolver)
            }
            #expect(names.calls.value == ["a", "b", "c", "b"])
        }
    }

    @Test func `names that are being looked up make way for nobody`() async throws {
        let names = Names([firstAnswer], isHeld: true)
        let resolver = names.resolver(namesMax: 1)
        try await LoopActor.run { worker in
            let slow = resolver.addresses(of: "slow", lifetime: .seconds(60), on: worker.loop) { _ in }
            let error = await worker.look(up: "other", in: resolver).error
            #expect(error == .unavailable(reason: "too many names are being looked up"))
            withExtendedLifetime(slow) { names.open(1) }
        }
    }

    @Test func `a numeric host waits for nobody`() async throws {
        let resolver = Resolver(answer: { _ in .noSuchName })
        try await LoopActor.run { worker in
            for host in ["192.0.2.1", "2001:db8::1"] {
                #expect(known(resolver, worker.loop, host) == addresses(host))
            }
            #expect(resolver.threadCount == 0)
        }
    }

    @Test(arguments: ["localhost", "LOCALHOST"]) func `the system knows localhost`(host: String) async throws {
        try await LoopActor.run { worker in
            let found = try await worker.look(up: host, in: Resolver()).get()
            #expect(!found.isEmpty)
            #expect(found.allSatisfy { $0.isLoopback })
        }
    }

    @Test(arguments: ["", "name.invalid", "localhost\0", String(repeating: "a", count: 300), "local host"])
    func `the system does not know other names`(host: String) async throws {
        try await LoopActor.run { worker in
            #expect(await worker.look(up: host, in: Resolver()) == .failure(.cannotResolve(host: host)))
        }
    }
}

private final class Witness {}

extension Resolver.LookUp {
    fileprivate var waiter: LookUpWaiter? { if case .pending(let pending) = self { pending.waiter } else { nil } }
    fileprivate func cancel() { if case .pending(let pending) = self { pending.cancel() } }
}
