// What an upstream says that its models are, for callers who ask which there are.

import Chat
import Clock
import EventLoop
import HTTPClient
import Logging

/// When an upstream is asked for its models again: behind an answer after five minutes, behind a failure after five seconds, and after twice
/// as long each time that it fails again, up to the same.
struct ModelsPause {
    /// Before that it is not asked.
    private(set) var end: Instant
    private var behindFailure = firstBehindFailure

    private static let firstBehindFailure = Duration.seconds(5)
    private static let behindAnswer = Duration.seconds(300)

    /// - Parameter now: there is none yet.
    init(at now: Instant) { end = now }

    mutating func answered(at now: Instant) {
        end = now + Self.behindAnswer
        behindFailure = Self.firstBehindFailure
    }

    mutating func failed(at now: Instant) {
        end = now + behindFailure
        behindFailure = min(behindFailure * 2, Self.behindAnswer)
    }

    /// It was asked for somebody who has left, and has not answered.
    mutating func calledOff(at now: Instant) { end = now }
}

/// The models of one upstream, as one worker knows them. It is asked when somebody wants to know them, and then not again for a while;
/// all who want to know them meanwhile wait for the same answer.
///
///     list.ask(for: request, in: session, budget, waking: wakeup)
///     while list.isAwaited(by: wakeup) { await wakeup.wait(); list.proceed() }
///     list.names
final class UpstreamModels {
    /// How long an answer may take, its connection included.
    static let timeLimit = Duration.seconds(3)

    /// What it said when it last said something; nil for nothing yet.
    private(set) var names: [String]?
    private let upstream: String
    private let loop: EventLoop
    private let logger: Logger
    private var pause: ModelsPause
    private var answer: ListAnswer?
    /// Who has asked: whatever comes wakes this one.
    private var asker: Wakeup?
    /// Whether nobody wants to know it any more for whom it was asked.
    private var askerHasLeft = false
    /// Those who wait for an answer that another one has asked for.
    private var waiting: [Wakeup] = []

    /// - Parameter upstream: its name in the settings.
    init(of upstream: String, on loop: EventLoop, _ logger: Logger) {
        (self.upstream, self.loop, self.logger) = (upstream, loop, logger)
        pause = ModelsPause(at: loop.now)
    }

    /// Whether an answer is on its way.
    var isAsking: Bool { answer != nil }

    /// Whether it is time to ask.
    var isDue: Bool { !isAsking && loop.now >= pause.end }

    /// Whether somebody is to stay until there is an answer: also whoever has left, for the others that want it.
    func isAwaited(by wakeup: Wakeup) -> Bool { isAsking && (asker === wakeup || waiting.contains { $0 === wakeup }) }

    /// Asks, if it is time to. Whoever does it stays for as long as it is awaited.
    ///
    /// - Parameter wakeup: woken when there may be something new.
    func ask(for request: HTTPRequest, in session: Session, _ budget: MemoryBudget, waking wakeup: Wakeup) {
        if isAsking { return waiting.append(wakeup) }
        guard isDue else { return }
        do throws(HTTPError) {
            answer = ListAnswer(try session.start(request, waking: wakeup), budget)
            (asker, askerHasLeft) = (wakeup, false)
        } catch {
            pause.failed(at: loop.now)
            logger.modelsNotTold(upstream, "\(error)")
        }
    }

    /// Somebody does not want to know it any more. Where that was the last one the question is called off, and whoever comes next asks anew.
    func leave(_ wakeup: Wakeup) {
        guard isAwaited(by: wakeup) else { return }
        waiting.removeAll { $0 === wakeup }
        if asker === wakeup { askerHasLeft = true }
        guard askerHasLeft, waiting.isEmpty else { return }
        pause.calledOff(at: loop.now)
        end()
    }

    /// Takes what has come.
    func proceed() {
        guard let answer else { return }
        do throws(ListFailure) {
            guard let names = try answer.names() else { return }
            self.names = names
            pause.answered(at: loop.now)
        } catch {
            pause.failed(at: loop.now)
            logger.modelsNotTold(upstream, error.reason)
        }
        end()
    }

    private func end() {
        answer?.end()
        answer = nil
        for wakeup in exchange(&waiting, with: []) { wakeup.wake() }
        asker.take()?.wake()
    }
}

/// Why there is no list. The reason has nothing of what the upstream said.
private struct ListFailure: Error {
    let reason: String
}

/// An answer on its way.
private final class ListAnswer {
    private static let bytesMax = 1 << 20

    private let transfer: Transfer
    /// Nil until the head has come.
    private var status: Int?
    private var body: [UInt8] = []
    private var memory: AnswerMemory

    init(_ transfer: Transfer, _ budget: MemoryBudget) {
        self.transfer = transfer
        memory = AnswerMemory(budget)
    }

    /// Takes what has come.
    ///
    /// - Returns: the models, once the answer is whole; nil until then.
    func names() throws(ListFailure) -> [String]? {
        while true {
            let arrival = try arrival()
            if let status, !(200..<300).contains(status) { throw ListFailure(reason: "status \(status)") }
            switch arrival {
            case .bytes: try takeBytes()
            case .deadline, nil: return nil
            case .end:
                guard let names = ListedModels.names(in: body) else {
                    throw ListFailure(reason: "the answer is no list of models")
                }
                return names
            }
        }
    }

    private func arrival() throws(ListFailure) -> Transfer.Arrival? {
        do throws(HTTPError) {
            if status == nil {
                guard let head = try transfer.takeHead() else { return nil }
                status = head.status
            }
            return try transfer.arrived()
        } catch { throw ListFailure(reason: "\(error)") }
    }

    private func takeBytes() throws(ListFailure) {
        let bytes = transfer.takeBytes()
        body += bytes
        transfer.recycle(bytes)
        guard body.count <= Self.bytesMax else { throw ListFailure(reason: "the answer has more than 1 MiB") }
        do throws(ChatError) { try memory.reserve(body.count) } catch {
            throw ListFailure(reason: "there is no memory for the answer")
        }
    }

    func end() { transfer.cancel() }
}
