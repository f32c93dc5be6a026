import Chat
import Clock
import EventLoop
import FastCGI
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Choosing
@testable import Settings
@testable import Sluice

/// What an attempt comes to, and what it leaves behind on the board: in virtual time, but for upstreams that are real.
@Suite(.timeLimit(.minutes(5))) struct AttemptTests {
    private let loop: EventLoop
    private let board: Board
    private let route: Route
    private let changes = Changes()
    private let start = Instant(nanoseconds: 1_000_000_000)
    private let hello = Chunks.role() + Chunks.content("Hello")

    /// What the board has told of its target.
    private final class Changes: Sendable {
        private let told = Mutex<[TargetChange]>([])
        var all: [TargetChange] { told.withLock(\.self) }
        func add(_ change: TargetChange) { told.withLock { $0.append(change) } }
    }

    /// One place and one more in the queue; a target rests after two failures in a row.
    init() throws {
        var upstream = UpstreamSettings(name: "a", url: "http://a", concurrentMax: 1, queueMax: 1)
        upstream.rest = RestPlan(failuresMax: 2, restFor: .seconds(10))
        let target = TargetSettings(upstream: "a")
        var model = ModelSettings(match: ModelPattern("*"), targets: [target, target])
        model.hedgeAfter = .percentile(50)
        let settings = Settings(listen: [.inherited(0)], workers: 1, upstreams: [upstream], models: [model])
        let routes = Routes(settings)
        let changes = changes
        board = Board(settings, routes) { changes.add($1) }
        route = try routes.route(for: "m")
        loop = try EventLoop()
    }

    private func planned(_ reason: Selection.PlannedAttempt.Reason = .first) -> Selection.PlannedAttempt {
        Selection.PlannedAttempt(id: 0, target: 0, reason: reason, isLastResort: false)
    }

    private func enter() -> StartDecision {
        board.enter(planned(), on: route.targets[0], of: route, at: start, waking: Wakeup(on: loop))
    }

    /// An attempt that has its place, on an upstream that answers with these pieces: at once, unless there is a pause before each.
    private func attempt(_ pieces: [String] = [], every pause: Duration = .zero) throws -> Attempt {
        try attempt(enter(), pieces, every: pause)
    }

    private func attempt(
        _ decision: consuming StartDecision, _ pieces: [String] = [], every pause: Duration = .zero
    ) throws -> Attempt {
        let admission = try decision.admission()
        let stream = try AnswerScript(pieces, every: pause, on: loop).stream
        return Attempt(planned(), on: route.targets[0], stream, admission, at: start)
    }

    private func queued() throws -> QueuedPlace { try enter().queuedPlace() }

    /// What another attempt finds that starts now.
    private func found() -> Found { Found(enter()) }

    /// Every way in which an attempt is over.
    enum End: CaseIterable {
        case failed, refused, lost, answered, cancelled
    }

    private func end(_ attempt: Attempt, _ end: End) {
        switch end {
        case .failed: _ = attempt.fail("failed.500", countsAgainstTarget: true, at: start)
        case .refused: _ = attempt.fail("refused.400", countsAgainstTarget: false, at: start)
        case .lost: attempt.lose(at: start)
        case .answered:
            attempt.win(at: start)
            attempt.end()
        case .cancelled: attempt.end()
        }
    }

    // MARK: What it comes to

    private func word(_ attempt: Attempt, at now: Instant) throws -> String {
        switch try attempt.progress(at: now) {
        case .none: "none"
        case .failed(let failure): failure.countsAgainstTarget ? failure.error.code ?? "" : "verdict"
        case .won: attempt.completion == nil ? "events" : "completion"
        }
    }

    @Test(arguments: [
        ([Chunks.role(), Chunks.content("Hello")], "events"), ([Chunks.completion("Hello")], "completion"),
        ([], "upstream_no_answer"), ([Chunks.role()], "upstream_cut_off"), (["<html>"], "upstream_garbage"),
        ([#"data: {"error":{"message":"no","type":"server_error"}}"# + "\n\n"], "upstream_reported_error"),
        ([#"data: {"error":{"message":"no","type":"invalid_request_error","code":400}}"# + "\n\n"], "verdict"),
    ]) func `an answer wins, and all else is a failure`(pieces: [String], becomes: String) throws {
        #expect(try word(try attempt(pieces), at: start) == becomes)
    }

    @Test func `while nothing has come there is nothing to tell, and nothing is due`() throws {
        let attempt = try attempt([hello], every: .seconds(3600))
        #expect(try word(attempt, at: start) == "none")
        #expect(try word(attempt, at: start + .seconds(3600)) == "none")
        #expect(attempt.deadline == .distantFuture)
    }

    @Test(arguments: End.allCases.filter { $0 != .answered })
    func `an attempt that is over has ended its upstream's work, and says that it was cancelled`(end: End) throws {
        let attempt = try attempt([hello], every: .seconds(3600))
        self.end(attempt, end)
        #expect(attempt.stream.isOver)
        #expect(throws: CancellationError.self) { _ = try attempt.progress(at: start) }
    }

    @Test func `an attempt that has won goes on until its answer is over`() throws {
        let attempt = try attempt([hello, Chunks.content("more")])
        #expect(try word(attempt, at: start) == "events")
        attempt.win(at: start)
        #expect(!attempt.stream.isOver)
        attempt.end()
        #expect(attempt.stream.isOver)
    }

    @Test(arguments: [(500, true), (400, false)])
    func `the text of an error is not waited for when the status alone says whose fault it is`(
        status: Int, isGivenUp: Bool
    ) async throws {
        let upstream = try StubUpstream(Reply(status: status, contentType: "application/json", [.text("{"), .silence]))
        try await LoopActor.run { actor in
            let loop = actor.loop
            let target = UpstreamSettings(name: "a", kind: .compatible, url: upstream.url)
            let model = ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: "a")])
            let settings = Settings(listen: [.inherited(0)], workers: 1, upstreams: [target], models: [model])
            let generation = try WorkerGeneration(
                Generation(settings), on: loop, Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            let question = try (try await Call(on: loop)).question(generation)
            let wakeup = Wakeup(on: loop)
            let decision = generation.shared.board.enter(
                planned(), on: question.route.targets[0], of: question.route, at: start, waking: wakeup)
            guard case .admitted(let admission) = consume decision else { throw UnexpectedDecision() }
            let stream = AnswerStream(
                try generation.upstreams.ask(question.route.targets[0], question, waking: wakeup), as: question.form,
                limits: settings.limits, timeouts: Settings.Timeouts(all: .seconds(60)), memory: question.memory.budget, on: loop)
            let attempt = Attempt(planned(), on: question.route.targets[0], stream, admission, at: start)
            while true {
                #expect(try word(attempt, at: start) == "none")
                if stream.head != nil { break }
                await wakeup.wait(until: .distantFuture)
            }
            #expect((attempt.deadline != .distantFuture) == isGivenUp)
            let late = isGivenUp ? attempt.deadline : start + .seconds(3600)
            #expect(try word(attempt, at: late) == (isGivenUp ? "upstream_status" : "none"))
            attempt.end()
        }
        try await upstream.stop()
    }

    // MARK: Its place

    @Test(arguments: End.allCases, End.allCases)
    func `each end gives its place back, once, whatever comes behind it`(first: End, second: End) throws {
        let attempt = try attempt()
        #expect(found() == .queue)
        end(attempt, first)
        end(attempt, second)
        #expect(found() == .place)
        // Were it given back twice, there would be one for the second of these too.
        let holder = try self.attempt()
        end(attempt, second)
        #expect(found() == .queue)
        holder.end()
    }

    @Test func `the one that won keeps its place until its answer is over`() throws {
        let attempt = try attempt()
        attempt.win(at: start)
        #expect(found() == .queue)
        attempt.end()
        #expect(found() == .place)
    }

    @Test(arguments: [false, true]) func `one that is let go without an end gives its place back`(hasWon: Bool) throws {
        do {
            let attempt = try attempt()
            if hasWon { attempt.win(at: start) }
            #expect(found() == .queue)
        }
        #expect(found() == .place)
    }

    @Test(arguments: End.allCases) func `whoever waits has the place when the one before it is over`(end: End) throws {
        let first = try attempt()
        var waiting = try queued()
        self.end(first, end)
        #expect(found() == .queue)
        let decision = waiting.claim(at: start, isLate: false)
        guard let decision else { throw UnexpectedDecision() }
        let second = try attempt(decision)
        #expect(found() == .queue)
        second.end()
        #expect(found() == .place)
    }

    @Test(arguments: End.allCases, [false, true])
    func `one that is cancelled while it waits takes no place with it, be its turn come or not`(
        end: End, hasTurn: Bool
    ) throws {
        let first = try attempt()
        do {
            let waiting = try queued()
            #expect(found() == .full)
            if hasTurn { self.end(first, end) }
            _ = consume waiting
        }
        #expect(found() == (hasTurn ? .place : .queue))
        self.end(first, end)
        let holder = try attempt()
        #expect(found() == .queue)
        holder.end()
    }

    // MARK: What the board hears

    @Test func `failures make the target rest, and the board is told why`() throws {
        #expect(try !attempt().fail("timeout.first_token", countsAgainstTarget: true, at: start))
        #expect(changes.all == [])
        #expect(try attempt().fail("failed.500", countsAgainstTarget: true, at: start))
        #expect(changes.all == [.rests(for: .seconds(10), reason: "failed.500")])
        #expect(found() == .rest)
    }

    /// Whether the target rests when another failure follows an attempt that ended so.
    @Test(arguments: zip(End.allCases, [true, false, true, false, true]))
    func `a failure counts, an answer and a refusal end the row of them, and the rest says nothing`(
        end: End, rests: Bool
    ) throws {
        if end != .failed { _ = try attempt().fail("failed.500", countsAgainstTarget: true, at: start) }
        self.end(try attempt(), end)
        #expect(try attempt().fail("failed.500", countsAgainstTarget: true, at: start) == rests)
        #expect(changes.all.count == (rests ? 1 : 0))
    }

    @Test(arguments: End.allCases) func `what has ended has nothing more to say about its target`(first: End) throws {
        let attempt = try attempt()
        end(attempt, first)
        for _ in 0..<3 { #expect(!attempt.fail("failed.500", countsAgainstTarget: true, at: start)) }
        attempt.win(at: start)
        attempt.lose(at: start)
        #expect(found() == .place)
        #expect(changes.all == [])
    }

    @Test func `one that finds a target well that rested is told as that`() throws {
        for _ in 0..<2 { _ = try attempt().fail("failed.500", countsAgainstTarget: true, at: start) }
        let later = start + .seconds(10)
        let decision = board.enter(planned(), on: route.targets[0], of: route, at: later, waking: Wakeup(on: loop))
        let probe = try attempt(decision)
        probe.win(at: later)
        #expect(changes.all == [.rests(for: .seconds(10), reason: "failed.500"), .isBack])
        probe.end()
        #expect(found() == .place)
    }

    /// What the target is known to take to its first token, as the moment of a hedge shows.
    private func hedgeDelay() -> Duration? {
        var (selection, generator) = (board.selection(route, isStreaming: true, at: start), SystemRandomNumberGenerator())
        guard case .start(let attempt) = selection.next(at: start, using: &generator) else { return nil }
        selection.started(attempt.id, at: start)
        guard case .wait(let end) = selection.next(at: start, using: &generator) else { return nil }
        return end - start
    }

    @Test func `wins and losses tell how long the target takes, and other ends do not`() throws {
        let time = Duration.milliseconds(300)
        for end in [End.refused, .cancelled] {
            for _ in 0..<20 { self.end(try attempt(), end) }
        }
        let unknown = hedgeDelay()
        #expect(unknown != time)
        for number in 0..<20 {
            #expect(hedgeDelay() == unknown)
            let attempt = try attempt()
            if number.isMultiple(of: 2) { attempt.win(at: start + time) } else { attempt.lose(at: start + time) }
            attempt.end()
        }
        #expect(hedgeDelay() == time)
    }
}
