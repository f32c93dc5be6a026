// How a deployment is asked. Whatever it does, a question comes back within its time, with so many bytes at most.

import Clock
import EventLoop
import HTTPClient

/// Asks a deployment, one question at a time, and keeps what came and when.
final class ProbeClient {
    /// What of an answer is looked at; nothing of it is used otherwise.
    enum Until: Sendable {
        case end
        /// The last event ahead of a silence of `sluice-probe`. Then the caller leaves.
        case silence
    }

    let loop: EventLoop
    /// The first connection that was made; nil for none so far.
    private(set) var firstConnection: NewConnection?
    /// How many were made.
    private(set) var connectionsCount = 0
    private let session: Session
    private let target: ProbeTarget
    private let options = (auto: ConnectionOptions(), http1: ConnectionOptions(version: .http1))
    /// For one question: an answer that does not end leaves time for others.
    private let shareTime: Duration
    /// When all questions are to be over.
    private let deadline: Instant
    /// Whether they are: the last one may have been cut short by that, and no other is asked.
    private(set) var isOver = false
    /// Runs while an answer comes: the loop then looks at what there is every few milliseconds, unless something keeps it.
    private var ticker: Timer?
    /// When the loop has looked last.
    private var lastLook = Instant.current

    /// Of an answer that is kept.
    static let bodyBytesMax = 2 << 20
    static let readsMax = 4096
    /// Within so many bytes an answer comes to its silence, or it is not waited for.
    private static let silenceBytesMax = 16 << 10
    private static let connectTimeout = Duration.seconds(10)
    /// So long one question may take in any case.
    private static let shareTimeMin = Duration.seconds(10)
    private static let tickTime = Duration.milliseconds(5)

    /// - Parameters:
    ///   - authoritiesFile: in place of the system's authorities.
    ///   - limit: for all questions together.
    init(_ target: ProbeTarget, authoritiesFile: String?, limit: Duration, on loop: EventLoop) {
        (self.loop, self.target, deadline) = (loop, target, Instant.current + limit)
        shareTime = Self.shareTime(of: limit)
        var configuration = Session.Configuration()
        configuration.userAgent = "sluice-probe/\(sluiceVersion)"
        configuration.authoritiesFile = authoritiesFile
        configuration.acknowledgementTimeout = .seconds(10)
        session = Session(on: loop, configuration)
        session.onConnected = { [unowned self] connection in
            firstConnection = firstConnection ?? connection
            connectionsCount += 1
        }
        ticker = Timer(on: loop) { [unowned self] in tick() }
    }

    /// What of a run's limit one question may take: a quarter, as long as that is enough for one.
    static func shareTime(of limit: Duration) -> Duration { max(limit / 4, shareTimeMin) }

    /// Closes its connections.
    func close() {
        ticker?.cancel()
        session.close()
    }

    private func tick() {
        lastLook = loop.now
        ticker?.set(at: loop.now + Self.tickTime)
    }

    /// A question.
    struct Question {
        var method = HTTPMethod.post
        var url: String
        var credentials = ProbeTarget.Credentials.right
        var body: [UInt8] = []
        /// Whether it goes over HTTP/1.1 whatever the server offers.
        var isHTTP1 = false
        var acceptsCompression = false
        /// For all of it.
        var timeout = Duration.seconds(30)
        /// Whether its answer is asked to take long, so that it may take more than its share of the limit.
        var isLong = false
        /// Ahead of the end.
        var until = Until.end
    }

    /// Asks, and waits for the answer. It is at its end when this returns, or was cancelled.
    func ask(_ question: Question) async -> ProbeAnswer {
        let asked = await begin(question)
        asked.leave()
        return asked.answer
    }

    /// As `ask`, but the answer's connection is open still when this returns, where it has not come to its end.
    func begin(_ question: Question) async -> AskedQuestion {
        let start = loop.now
        let timeLeft = deadline - start
        let timeout = min(question.isLong ? question.timeout : min(question.timeout, shareTime), timeLeft)
        var answer = ProbeAnswer()
        guard timeout > .zero else {
            isOver = true
            answer.failure = .timedOut(.total, after: .zero)
            return AskedQuestion(transfer: nil, answer: answer)
        }
        defer { isOver = isOver || loop.now - start >= timeLeft }
        var headers = target.headers(question.credentials)
        headers.append(("Accept", "text/event-stream, application/json"))
        if question.method == .post { headers.append(("Content-Type", "application/json")) }
        var request = HTTPRequest(
            question.method, question.url, headers: headers, body: question.body,
            // Less than all of it: where nobody takes a connection, that is what is to be told.
            connectTimeout: min(Self.connectTimeout, timeout * 9 / 10), totalTimeout: timeout,
            options: question.isHTTP1 ? options.http1 : options.auto)
        request.acceptsCompression = question.acceptsCompression
        let wakeup = Wakeup(on: loop)
        tick()
        defer { ticker?.cancel() }
        do throws(HTTPError) {
            let transfer = try session.start(request, waking: wakeup)
            await receive(transfer, into: &answer, since: start, question.until)
            return AskedQuestion(transfer: transfer, answer: answer)
        } catch {
            answer.failure = error
            return AskedQuestion(transfer: nil, answer: answer)
        }
    }

    private func receive(
        _ transfer: Transfer, into answer: inout ProbeAnswer, since start: Instant, _ until: Until
    ) async {
        defer { answer.duration = loop.now - start }
        do throws(HTTPError) {
            while answer.head == nil {
                answer.head = try transfer.takeHead()
                if answer.head == nil { await transfer.wakeup.wait() }
            }
            while case .bytes = try await transfer.next() {
                let bytes = transfer.takeBytes()
                let room = Self.bodyBytesMax - answer.body.count
                answer.body += bytes.prefix(room)
                let read = ProbeAnswer.Read(end: answer.body.count, moment: loop.now - start, blind: loop.now - lastLook)
                lastLook = loop.now
                answer.reads.append(read)
                transfer.recycle(bytes)
                if bytes.count > room || answer.reads.count >= Self.readsMax {
                    answer.isTooLarge = true
                    return
                }
                if until == .silence, answer.body.count > Self.silenceBytesMax || answer.hasComeToSilence { return }
            }
        } catch {
            answer.failure = error
        }
    }

    /// Waits.
    func sleep(for duration: Duration) async {
        let wakeup = Wakeup(on: loop)
        let deadline = loop.now + duration
        while loop.now < deadline { await wakeup.wait(until: deadline) }
    }
}

/// A question whose answer may be on its way still.
struct AskedQuestion {
    fileprivate let transfer: Transfer?
    let answer: ProbeAnswer

    /// The caller leaves, as one who hangs up.
    func leave() { transfer?.cancel() }
}
