// The hook of one request, from the question to what it says.

import Chat
import Clock
import EventLoop
import FastCGI
import HTTPClient
import Logging
import Settings

/// Asks a hook once, whatever becomes of the attempts behind it. Meanwhile the caller gets what it gets while it waits for a token.
final class HookCall {
    private let question: Question
    private let hook: Hook
    private let loop: EventLoop
    private let logger: Logger
    private let upstreams: Upstreams
    private let depthMax: Int
    private let wakeup: Wakeup
    /// By the clock, as what Sluice itself takes is: the loop's stands still while it works.
    private let start = Instant.current
    /// Nil until it is over.
    private var end: Instant?
    private let signs: WaitingSigns
    private var transfer: Transfer?
    /// Nil until its head has come.
    private var status: Int?
    private var body: [UInt8] = []
    private var memory: AnswerMemory
    private var isCancelled = false
    /// What has become of it, in a word.
    private var outcome = "cancelled"

    init(_ hook: Hook, about question: Question, by generation: WorkerGeneration, on loop: EventLoop, _ logger: Logger) {
        (self.hook, self.question, self.loop, self.logger) = (hook, question, loop, logger)
        depthMax = generation.shared.settings.limits.jsonDepth
        upstreams = generation.upstreams
        wakeup = Wakeup(on: loop)
        signs = WaitingSigns(for: question, by: generation, from: loop.now)
        memory = AnswerMemory(question.memory.budget)
    }

    /// Returns what it says; where it fails, and a request may pass without it, that there is nothing to say.
    ///
    /// - Throws: `ChatError.hookFailed`, or `.memoryFull`; `CancellationError` when the caller left or the server is ending;
    ///   `FastCGIError` when a sign of life finds the caller gone.
    func run(_ reply: inout Reply) async throws -> HookAnswer {
        defer {
            transfer?.cancel()
            end = .current
        }
        do {
            try ask()
            while true {
                if isCancelled { throw CancellationError() }
                if let answer = try progress() {
                    outcome = answer.word
                    return answer
                }
                if loop.now >= signs.due { try await signs.show(to: &reply, for: question, on: loop) }
                await wakeup.wait(until: signs.due)
            }
        } catch let failure as HookFailure {
            outcome = failure.word
            logger.hookFailed(failure, question.caller.id, route: question.route.label, hook.onFailure)
            guard hook.onFailure == .pass else { throw ChatError.hookFailed }
            return .goOn
        } catch let error as ChatError {
            outcome = RequestRecord.outcome(of: error)
            throw error
        }
    }

    /// Ends it at once.
    func cancel() {
        isCancelled = true
        transfer?.cancel()
        wakeup.wake()
    }

    /// What the attempts behind it go on from.
    var wait: HookWait { HookWait(start: start, duration: duration, signs: signs) }

    /// For the log.
    var note: HookNote { HookNote(outcome, duration) }

    private var duration: Duration { (end ?? .current) - start }

    /// What has been said meanwhile.
    var fillers: FillerCounts { signs.fillers }

    private func ask() throws(HookFailure) {
        do throws(HTTPError) { transfer = try upstreams.ask(hook, question, waking: wakeup) } catch { throw .connection(error) }
    }

    /// What it says, once that has come whole.
    ///
    /// - Throws: `HookFailure`; `ChatError.memoryFull`; `CancellationError` when it was cancelled.
    private func progress() throws -> HookAnswer? {
        guard let transfer else { return nil }
        do {
            if status == nil {
                guard let head = try transfer.takeHead() else { return nil }
                status = head.status
                guard head.status == 200 || head.status == 204 else { throw HookFailure.status(head.status) }
            }
            while let arrival = try transfer.arrived() {
                switch arrival {
                case .bytes: try take(transfer.takeBytes())
                // Its end lets the connection serve again.
                case .end: return status == 204 ? .goOn : try answer()
                case .deadline: return nil
                }
            }
            return nil
        } catch HTTPError.cancelled {
            throw CancellationError()
        } catch let error as HTTPError {
            throw HookFailure.connection(error)
        }
    }

    private func take(_ bytes: [UInt8]) throws {
        guard body.count + bytes.count <= HookAnswer.bytesMax else { throw HookFailure.tooLarge }
        if body.isEmpty { body = bytes } else { body += bytes }
        try memory.reserve(body.count)
    }

    private func answer() throws(HookFailure) -> HookAnswer {
        do throws(HookNonsense) { return try HookAnswer(body: body, depthMax: depthMax) } catch { throw .nonsense(error) }
    }
}

/// What was waited for ahead of any attempt. An object, so that a stream has no room for it.
final class HookWait {
    let start: Instant
    let duration: Duration
    let signs: WaitingSigns

    init(start: Instant, duration: Duration, signs: WaitingSigns) {
        (self.start, self.duration, self.signs) = (start, duration, signs)
    }
}

extension Upstreams {
    /// Asks a hook. Whoever asks sees to it that the transfer is cancelled in the end.
    ///
    /// - Parameter wakeup: woken when there may be something new.
    /// - Throws: as `Session.start`.
    func ask(_ hook: Hook, _ question: Question, waking wakeup: Wakeup) throws(HTTPError) -> Transfer {
        guard let hookConnections else { throw .unavailable(reason: "there are no hooks") }
        return try session.start(hook.request(for: question, hookConnections.options), waking: wakeup)
    }
}
