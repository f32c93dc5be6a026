import Chat
import EventLoop
import FastCGI
import TestSupport
import Testing

@testable import Settings
@testable import Sluice

/// Streams of a script to a caller at the other end of a socket, on a loop.
@Suite(.timeLimit(.minutes(5))) struct RelayTests {
    /// What the caller has got at the end, and what went wrong.
    private struct Outcome: Sendable {
        var received: String
        var failure: ChatError?
        var hasCallerLeft = false
    }

    private func relayed(
        _ pieces: [String], after delay: Duration? = nil, every pause: Duration = .zero, heartbeat: Duration = .zero,
        idleTimeout: Duration = .seconds(60), firstTokenTimeout: Duration? = nil, limits: Settings.Limits = .init()
    ) async throws -> Outcome {
        try await LoopActor.run { actor in
            let call = try await Call(on: actor.loop)
            let script = try AnswerScript(
                pieces, limits: limits, idleTimeout: idleTimeout, firstTokenTimeout: firstTokenTimeout, after: delay,
                every: pause, on: actor.loop)
            while try script.stream.open() == nil { await script.stream.wakeup.wait() }
            var reply = call.reply()
            do {
                try await Relay(script.stream, heartbeat: heartbeat, on: actor.loop).run(&reply)
                _ = try await reply.finish()
                return Outcome(received: call.received())
            } catch let error as ChatError {
                return Outcome(received: call.received(), failure: error)
            }
        }
    }

    @Test func `a stream reaches its caller byte for byte, at once or piece by piece`() async throws {
        let stream = Chunks.stream(["Hello", " there"])
        for pieces in [stream, [stream.joined()], stream.joined().map(String.init)] {
            let outcome = try await relayed(pieces)
            #expect(outcome.failure == nil)
            #expect(outcome.received == stream.joined())
        }
    }

    @Test func `plain events that come while the task waits reach the caller too`() async throws {
        let stream = Chunks.stream(["Hello", " there", ", you"])
        let outcome = try await relayed(stream, every: .milliseconds(2))
        #expect(outcome.received == stream.joined())
    }

    @Test func `a caller who waits gets comments, between events`() async throws {
        let stream = Chunks.stream(["Hello"])
        let comment = ": keep-alive\n\n"
        var (received, pause) = ("", Duration.milliseconds(20))
        // On a busy machine a short silence may be over when it is looked at.
        while !received.contains(comment), pause < .seconds(10) {
            received = try await relayed(stream, every: pause, heartbeat: .milliseconds(2)).received
            #expect(
                received.split(separator: "\n\n").filter { $0 != ": keep-alive" }.map { $0 + "\n\n" }.joined()
                    == stream.joined())
            pause *= 5
        }
        #expect(received.contains(comment))
    }

    @Test func `a stream that ends behind a finish reason gets its end, and one that breaks off does not`() async throws {
        let whole = [Chunks.role(), Chunks.content("Hello"), Chunks.finish()]
        #expect(try await relayed(whole).received == whole.joined() + Chunks.done)
        let cut = try await relayed(Array(whole.dropLast()))
        #expect(cut.failure == .upstreamCutOff)
        #expect(cut.received == whole.dropLast().joined())
    }

    @Test func `an upstream that falls silent is given up`() async throws {
        let outcome = try await relayed(
            [Chunks.role() + Chunks.content("Hello"), Chunks.finish()], after: .zero, every: .seconds(3600),
            idleTimeout: .milliseconds(1))
        #expect(outcome.failure == .upstreamTimedOut(.idle, after: .milliseconds(1)))
        #expect(!outcome.received.contains("[DONE]"))
    }

    /// It is not read meanwhile, so that it may be kept from saying more.
    @Test func `an upstream is not silent while its caller holds it up`() async throws {
        let stream = [Chunks.role() + Chunks.content(String(repeating: "x", count: 900_000)), Chunks.finish() + Chunks.done]
        let received = try await LoopActor.run { actor in
            let call = try await Call(on: actor.loop, reads: false)
            let script = try AnswerScript(
                stream, idleTimeout: .milliseconds(500), after: .zero, every: .seconds(1), on: actor.loop)
            while try script.stream.open() == nil { await script.stream.wakeup.wait() }
            let reader = actor.start {
                await actor.loop.sleep(for: .milliseconds(800))
                try call.read(on: actor.loop)
            }
            var reply = call.reply()
            try await Relay(script.stream, heartbeat: .zero, on: actor.loop).run(&reply)
            _ = try await reply.finish()
            try await reader.value
            return call.received()
        }
        #expect(received == stream.joined())
    }

    /// What it thinks opens the gate by its size alone, and it may think on for as long as for a first token.
    @Test func `an upstream that falls silent behind its first word is given up, however long it may have thought`() async throws
    {
        var limits = Settings.Limits()
        limits.eventBytes = 1_000
        let thoughts = Array(repeating: Chunks.reasoning(String(repeating: "x", count: 500)), count: 5).joined()
        // The first piece is there at once, the second comes while the task waits, and the third too late.
        let outcome = try await relayed(
            [thoughts, Chunks.content("Hello"), Chunks.finish()], after: .milliseconds(20 - 60_000), every: .seconds(60),
            idleTimeout: .milliseconds(1), firstTokenTimeout: .seconds(3600), limits: limits)
        #expect(outcome.failure == .upstreamTimedOut(.idle, after: .milliseconds(1)))
        #expect(outcome.received == thoughts + Chunks.content("Hello"))
    }

    @Test func `an answer whose caller has left is read to its end for what it cost`() async throws {
        let stream = Chunks.stream(["Hello"]).dropLast() + [Chunks.usage(prompt: 3, completion: 4), Chunks.done]
        let tokens = try await LoopActor.run { actor in
            let call = try await Call(on: actor.loop)
            let script = try AnswerScript(Array(stream), every: .milliseconds(1), on: actor.loop)
            while try script.stream.open() == nil { await script.stream.wakeup.wait() }
            var reply = call.reply()
            call.leave()
            do {
                try await Relay(script.stream, heartbeat: .zero, on: actor.loop).run(&reply)
                Issue.record("the relay did not find out that the caller has left")
            } catch is FastCGIError {
                let callerHasLeft = reply.callerHasLeft
                #expect(callerHasLeft)
                #expect(script.stream.usage == nil)
                await Drain(script.stream, on: actor.loop).run()
            }
            return script.stream.usage?.completionTokens
        }
        #expect(tokens == 4)
    }
}
