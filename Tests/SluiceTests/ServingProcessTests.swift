import Clock
import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Sluice

@Suite(.timeLimit(.minutes(1))) struct `A process, for its master,` {
    /// One that has "started", and its own end of the channel.
    private func started(_ actor: isolated LoopActor) throws -> (ServingProcess, MessageSocket) {
        let process = try ServingProcess(place: 0, slot: 0, watchdog: Watchdog(timeout: .seconds(30)))
        let (_, socket) = try #require(process.takeStart())
        process.pid = .max
        // Nobody is signalled.
        process.isReaped = true
        let start = ProcessStart(place: 0, slot: 0, generation: 1, period: .seconds(1), sockets: [])
        try process.begin(start, record: MemoryFile("test"), others: [], on: actor.loop)
        guard case .message(let text, let passed) = socket.receive() else { throw Missing() }
        #expect(MasterMessage(text: text) == .begin(start))
        #expect(passed.count == 1)
        return (process, socket)
    }

    private struct Missing: Error {}

    private func asked(_ socket: MessageSocket) throws -> (command: ProcessCommand, stream: PassedDescriptor) {
        guard case .message(let text, let passed) = socket.receive(), case .ask(let command)? = MasterMessage(text: text),
            let stream = passed.first
        else { throw Missing() }
        return (command, stream)
    }

    /// Answers, and closes the connection.
    private func answer(_ socket: MessageSocket, _ text: String) throws {
        let stream = try asked(socket).stream.take()
        let isSent = stream.sendAtOnce(Array(text.utf8))
        #expect(isSent)
    }

    @Test func `is heard a few times in a turn, however much it says, so that others are too`() async throws {
        try await LoopActor.run { actor in
            let (process, socket) = try started(actor)
            var heard: [ProcessReport] = []
            let all = Wakeup(on: actor.loop)
            process.onReport = { report in
                heard.append(report)
                if heard.count == 100 { all.wake() }
            }
            let said = (0..<100).map { ProcessReport.alive(ProcessLoad(streams: $0)) }
            for report in said { try socket.send(report.text) }
            // Each turn of the loop lets others go on.
            var heardAtTurn: [Int] = []
            while heard.count < 100 {
                await all.wait(until: .current)
                heardAtTurn.append(heard.count)
            }
            let steps = zip(heardAtTurn, [0] + heardAtTurn).map { $0 - $1 }
            #expect(steps.count > 3 && steps.allSatisfy { $0 <= MessageSocket.messagesPerTurn }, "\(steps)")
            #expect(heard == said)
        }
    }

    @Test func `is asked without a thread, and its answer may come in parts`() async throws {
        try await LoopActor.run { actor in
            let (process, socket) = try started(actor)
            let question = try process.ask(.status(StatusForm()), on: actor.loop)
            let (command, stream) = try asked(socket)
            #expect(command == .status(StatusForm()))
            let long = String(repeating: "x", count: 100_000)
            let connection = ControlConnection(stream.take(), on: actor.loop)
            connection.start {
                let bytes = ControlAnswer(.ok, [long, "end"]).bytes
                await connection.send(Array(bytes.prefix(60_000)))
                await connection.send(Array(bytes.dropFirst(60_000)))
            }
            let outcome = await question.outcome()
            #expect(outcome == .answered(ControlAnswer(.ok, [long, "end"])))
        }
    }

    @Test func `that breaks off, or is late, has not answered`() async throws {
        try await LoopActor.run { actor in
            let (process, socket) = try started(actor)
            let broken = try process.ask(.wait, on: actor.loop)
            try answer(socket, "ok 9\nhalf\n")
            #expect(await broken.outcome() == .closed)
            let late = try process.ask(.wait, within: .milliseconds(1), on: actor.loop)
            let stream = try asked(socket).stream
            #expect(await late.outcome() == .late)
            withExtendedLifetime(stream) {}
        }
    }

    @Test func `that says too much is told from one that says nothing`() async throws {
        try await LoopActor.run { actor in
            let (process, socket) = try started(actor)
            let question = try process.ask(.status(StatusForm(isJSON: true)), on: actor.loop)
            let connection = ControlConnection(try asked(socket).stream.take(), on: actor.loop)
            let long = String(repeating: "x", count: ProcessQuestion.bytesMax)
            connection.start { await connection.send(ControlAnswer(.ok, [long]).bytes) }
            #expect(await question.outcome() == .tooLarge)
        }
    }

    @Test func `hears that it is not waited for any more`() async throws {
        try await LoopActor.run { actor in
            let (process, socket) = try started(actor)
            let waiting = actor.start {
                let question = try process.ask(.wait, on: actor.loop)
                return await question.outcome()
            }
            await actor.turn()
            let connection = ControlConnection(try asked(socket).stream.take(), on: actor.loop)
            let left = OneTimeEvent()
            connection.start {
                await OneTimeEvent().wait()
                left.come()
            }
            waiting.cancel()
            #expect(try await waiting.value == .cancelled)
            await left.wait()
        }
    }

    /// As of one that stands still, which others ask again and again.
    @Test func `that does not take questions is late, and not gone`() async throws {
        try await LoopActor.run { actor in
            let (process, socket) = try started(actor)
            for _ in 0..<2_000 { _ = try process.ask(.wait, on: actor.loop) }
            let question = try process.ask(.take, on: actor.loop)
            question.waitWithoutLimit()
            #expect(await question.outcome() == .late)
            withExtendedLifetime(socket) {}
        }
    }

    @Test func `that is gone does not answer, and is not waited for`() async throws {
        try await LoopActor.run { actor in
            let (process, socket) = try started(actor)
            _ = consume socket
            let question = try process.ask(.wait, on: actor.loop)
            #expect(await question.outcome() == .closed)
            process.end()
        }
    }

    @Test func `opens its log again when it serves, if it was to while it started`() throws {
        let process = try ServingProcess(place: 0, slot: 0, watchdog: Watchdog(timeout: .seconds(30)))
        process.reopenLog()
        #expect(process.owesReopening)
        process.serves(Watchdog(timeout: .seconds(30)))
        #expect(!process.owesReopening)
    }
}
