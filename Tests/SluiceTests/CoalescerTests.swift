import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.timeLimit(.minutes(1))) struct `What many ask for` {
    private func values<Value>(of tasks: [Task<Value, any Error>]) async throws -> [Value] {
        var values: [Value] = []
        for task in tasks { values.append(try await task.value) }
        return values
    }

    @Test func `is done once for the first, and once more for all who ask meanwhile`() async throws {
        try await LoopActor.run { actor in
            let (coalescer, gate, times) = (Coalescer<Int>(on: actor.loop), OneTimeEvent(), Observed(0))
            let work: @Sendable () async -> Int = {
                let time = times.update {
                    $0 += 1
                    return $0
                }
                if time == 1 { await gate.wait() }
                return time
            }
            let first = actor.start { await coalescer.run(work) }
            while gate.waitingCount == 0 { await Task.yield() }
            let others = (0..<100).map { _ in actor.start { await coalescer.run(work) } }
            // All of them have asked before the first time is over.
            for _ in 0..<1000 { await Task.yield() }
            gate.come()
            let values = try await (first: first.value, others: values(of: others))
            #expect(values.first == 1)
            #expect(values.others == Array(repeating: 2, count: 100))
            #expect(times.value == 2)
            #expect(await coalescer.run(work) == 3)
        }
    }

    @Test func `is done in its turn for whoever asks for something else, and for nobody beside him`() async throws {
        try await LoopActor.run { actor in
            let (coalescer, gate, done) = (Coalescer<String>(on: actor.loop), OneTimeEvent(), Observed<[String]>([]))
            let first = actor.start {
                await coalescer.run {
                    await gate.wait()
                    done.update { $0.append("first") }
                    return "first"
                }
            }
            while gate.waitingCount == 0 { await Task.yield() }
            let alone = ["a", "b"].map { name in
                actor.start {
                    await coalescer.runAlone {
                        done.update { $0.append(name) }
                        return name
                    }
                }
            }
            for _ in 0..<100 { await Task.yield() }
            gate.come()
            let all = try await values(of: [first] + alone)
            #expect(all == ["first", "a", "b"])
            #expect(done.value == ["first", "a", "b"])
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct `A connection to the control socket` {
    private func pair() throws -> (ControlStream, LocalSocket) {
        let (server, client) = try LocalSocket.pair()
        return (ControlStream(accepted: server.takeDescriptor()), client)
    }

    @Test func `ends what is waited for when the client leaves`() async throws {
        try await LoopActor.run { actor in
            let (end, left) = (OneTimeEvent(), Observed(false))
            let (stream, client) = try pair()
            let waiting = actor.start {
                try await stream.whileConnected(on: actor.loop) {
                    await end.wait()
                    left.update { $0 = Task.isCancelled }
                }
            }
            while end.waitingCount == 0 { await Task.yield() }
            _ = client.takeDescriptor()
            try await waiting.value
            #expect(left.value)
        }
    }

    /// As a client does that has written all that it has to say.
    @Test func `waits for one that only has nothing more to say`() async throws {
        try await LoopActor.run { actor in
            let end = OneTimeEvent()
            let (stream, client) = try pair()
            #expect(shutdown(client.number, Int32(SHUT_WR)) == 0)
            let waiting = actor.start {
                try await stream.whileConnected(on: actor.loop) {
                    await end.wait()
                    stream.writeAtOnce(Task.isCancelled ? "left" : "over")
                }
            }
            while end.waitingCount == 0 { await Task.yield() }
            // The loop has looked at the connection more than once by then.
            await actor.loop.sleep(for: .milliseconds(5))
            end.come()
            try await waiting.value
            #expect(client.receive() == Array("over".utf8))
        }
    }
}
