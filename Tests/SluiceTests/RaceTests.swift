import Chat
import Clock
import EventLoop
import FastCGI
import HTTPClient
import Logging
import TestSupport
import Testing

@testable import Choosing
@testable import Settings
@testable import Sluice

/// Races over demo targets, whose answers come after a moment.
@Suite(.timeLimit(.minutes(5))) struct RaceTests {
    /// A generation on a loop, with one route over as many demos as there are names.
    private static func generation(_ names: [String], on loop: EventLoop, queueMax: Int = 0) throws -> WorkerGeneration {
        let upstreams = names.map {
            UpstreamSettings(name: $0, kind: .demo, concurrentMax: 1, queueMax: queueMax, queueWait: .milliseconds(5))
        }
        return try generation(upstreams, on: loop)
    }

    private static func generation(_ upstreams: [UpstreamSettings], on loop: EventLoop) throws -> WorkerGeneration {
        let model = ModelSettings(match: ModelPattern("*"), targets: upstreams.map { TargetSettings(upstream: $0.name) })
        let settings = Settings(listen: [.inherited(0)], workers: 1, upstreams: upstreams, models: [model])
        return try WorkerGeneration(
            Generation(settings), on: loop, Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    /// Takes a target's only place, if it is free.
    private static func place(at index: Int, _ generation: WorkerGeneration, on loop: EventLoop) throws -> Place? {
        let route = try generation.shared.routes.route(for: "m")
        let attempt = Selection.PlannedAttempt(id: 0, target: index, reason: .first, isLastResort: false)
        let decision = generation.shared.board.enter(
            attempt, on: route.targets[index], of: route, at: loop.now, waking: Wakeup(on: loop))
        guard case .admitted(let admission) = consume decision else { return nil }
        return admission.succeeded(after: .zero, at: loop.now)
    }

    private static func isFree(_ index: Int, _ generation: WorkerGeneration, on loop: EventLoop) throws -> Bool {
        try place(at: index, generation, on: loop) != nil
    }

    /// What a race ends with that nobody wins.
    private static func error(of race: Race, _ reply: inout Sluice.Reply) async -> (any Error)? {
        do {
            _ = try await race.run(&reply)
            return nil
        } catch {
            return error
        }
    }

    @Test func `the target that answers keeps its place until the answer is over`() async throws {
        try await LoopActor.run { actor in
            let loop = actor.loop
            let generation = try Self.generation(["a"], on: loop)
            let call = try await Call(on: loop)
            var reply = call.reply()
            let race = Race(for: try call.question(generation), by: generation, on: loop)
            let attempt = try await race.run(&reply)
            race.end()
            #expect(attempt.completion == nil)
            #expect(race.tried.map(\.outcome) == ["won"])
            #expect(try !Self.isFree(0, generation, on: loop))
            attempt.end()
            #expect(try Self.isFree(0, generation, on: loop))
        }
    }

    @Test(arguments: [(["a", "b"], 1, "b"), (["a", "b", "c"], 2, "c"), (["a", "b"], 2, "a"), (["a"], 1, "a")])
    func `a target that has not failed goes on with an answer, or one that has where there is no other`(
        names: [String], failedCount: Int, asked: String
    ) async throws {
        try await LoopActor.run { actor in
            let loop = actor.loop
            let generation = try Self.generation(names, on: loop)
            let call = try await Call(on: loop)
            var reply = call.reply()
            let question = try call.question(generation)
            let continuation = Continuation(of: question, from: loop.now)
            continuation.note(failed: Array(question.route.targets.prefix(failedCount)))
            let race = Race(for: question, by: generation, on: loop, continuing: continuation)
            let attempt = try await race.run(&reply)
            race.end()
            #expect(attempt.target.upstreamName == asked)
            attempt.end()
        }
    }

    @Test func `a race that is given up gives all places back`() async throws {
        try await LoopActor.run { actor in
            let loop = actor.loop
            let generation = try Self.generation(["a"], on: loop)
            let call = try await Call(on: loop)
            var reply = call.reply()
            let race = Race(for: try call.question(generation), by: generation, on: loop)
            var wasFree: Bool?
            let timer = Timer(on: loop) {
                wasFree = try? Self.isFree(0, generation, on: loop)
                race.cancel()
            }
            timer.set(at: loop.now + .milliseconds(5))
            let error = await Self.error(of: race, &reply)
            #expect(error is CancellationError)
            race.end()
            #expect(wasFree == false)
            #expect(race.tried.map(\.outcome) == ["cancelled"])
            #expect(try Self.isFree(0, generation, on: loop))
        }
    }

    @Test func `a target without room leads to the next one, and none with room to an error`() async throws {
        try await LoopActor.run { actor in
            let loop = actor.loop
            let generation = try Self.generation(["a", "b"], on: loop)
            let call = try await Call(on: loop)
            var reply = call.reply()
            let question = try call.question(generation)
            let first = try Self.place(at: 0, generation, on: loop)
            let attempt = try await Race(for: question, by: generation, on: loop).run(&reply)
            #expect(attempt.target.upstreamName == "b")
            let race = Race(for: question, by: generation, on: loop)
            let error = await Self.error(of: race, &reply)
            #expect(error as? ChatError == .overloaded(retryAfter: .seconds(1)))
            #expect(race.tried.map(\.outcome) == ["full", "full"])
            attempt.end()
            _ = consume first
        }
    }

    @Test func `an attempt waits for its place, and gives up when that takes too long`() async throws {
        try await LoopActor.run { actor in
            let loop = actor.loop
            let generation = try Self.generation(["a"], on: loop, queueMax: 1)
            let call = try await Call(on: loop)
            var reply = call.reply()
            let question = try call.question(generation)
            let holder = Holder(try Self.place(at: 0, generation, on: loop))
            let late = await Self.error(of: Race(for: question, by: generation, on: loop), &reply)
            #expect(late as? ChatError == .overloaded(retryAfter: .seconds(1)))
            // It does not stand in the queue any more, so that the next one can.
            let timer = Timer(on: loop) { holder.place = nil }
            timer.set(at: loop.now + .milliseconds(1))
            let race = Race(for: question, by: generation, on: loop)
            let attempt = try await race.run(&reply)
            #expect(race.tried.map(\.outcome) == ["won"])
            attempt.end()
            #expect(try Self.isFree(0, generation, on: loop))
        }
    }

    @Test(arguments: [false, true])
    func `a target that cannot be asked counts as tried, and not one for which the request has no key`(lacksKey: Bool)
        async throws
    {
        try await LoopActor.run { actor in
            let loop = actor.loop
            var upstream = UpstreamSettings(name: "a", url: "http://127.0.0.1:1")
            if lacksKey { upstream.key = .passthrough }
            let generation = try Self.generation([upstream], on: loop)
            generation.upstreams.session.close()
            let call = try await Call(on: loop)
            var reply = call.reply()
            let race = Race(for: try call.question(generation), by: generation, on: loop)
            let error = await Self.error(of: race, &reply)
            race.end()
            #expect(error as? ChatError == (lacksKey ? .missingCallersKey : .upstreamFailed(.unreachable)))
            #expect(race.tried.map(\.outcome) == (lacksKey ? [] : ["upstream_unreachable"]))
        }
    }

    @Test func `what a hook has taken is taken from the first attempt's time for a token, and from no other's`() async throws {
        try await LoopActor.run { actor in
            let loop = actor.loop
            let generation = try Self.generation(["a"], on: loop)
            let call = try await Call(on: loop)
            var reply = call.reply()
            let question = try call.question(generation)
            let start = loop.now + .seconds(-3600)
            let hook = HookWait(
                start: start, duration: .seconds(3600), signs: WaitingSigns(for: question, by: generation, from: loop.now))
            let race = Race(for: question, by: generation, on: loop, behind: hook)
            let attempt = try await race.run(&reply)
            race.end()
            #expect(race.tried.map(\.outcome) == ["timeout.first_token", "won"])
            attempt.end()
        }
    }

    /// A place that a callback gives back.
    private final class Holder {
        var place: Place?
        init(_ place: consuming Place?) { self.place = place }
    }
}
