// A worker's way to the collector of traces.

import Clock
import EventLoop
import HTTPClient
import Settings

/// Sends spans in batches, one behind another, by the worker's own client: a second after the first of them, or as soon as there is enough.
///
/// Each worker has one of its own, so that nothing of it needs a lock, and no request of one worker waits for another. It goes by callbacks
/// of the loop alone. A batch that the collector cannot take at present is sent again, ever later, and then dropped; so is what comes while
/// there is no room. On its loop's thread alone.
final class TraceExporter {
    private let loop: EventLoop
    private var queue = TraceQueue()
    /// What is on its way, or is to be sent again.
    private var batch: TraceQueue.Batch?
    private var transfer: Transfer?
    /// What the transfer has come to, until the timer sees to it: not in the midst of what has ended it.
    private var result: Result<Int, HTTPError>?
    /// How often the batch was sent in vain.
    private var tries = 0
    private var pause = TraceExporter.shortestPause
    /// Whether nothing is sent until the timer says so.
    private var isResting = false
    private var isEnding = false
    private var timer: Timer?
    /// Woken when all is sent, or given up, at an end.
    private var settled: Wakeup?
    /// Where it goes; nil while nothing is to be sent.
    private var destination: Destination?

    /// By the newest generation that has had something to send.
    private struct Destination {
        let number: Int
        let traces: Tracing
        let connections: UpstreamConnections
    }

    /// From the first span to when it is sent.
    private static let delay = Duration.seconds(1)
    private static let (connectTimeout, totalTimeout) = (Duration.seconds(3), Duration.seconds(5))
    private static let triesMax = 3
    /// Between two tries, at first and at most.
    private static let (shortestPause, longestPause) = (Duration.milliseconds(500), Duration.seconds(30))
    /// Behind them the same may be taken another time (OTLP 1.10, "Retryable Response Codes").
    private static let passingStatuses = [429, 502, 503, 504]

    init(on loop: EventLoop) { self.loop = loop }

    deinit {
        timer?.cancel()
        transfer?.cancel()
    }

    /// Takes what a request has done that is over.
    ///
    /// - Parameter generation: what the request went by.
    func add(_ spans: EncodedSpans, of generation: WorkerGeneration) {
        let number = generation.shared.number
        if let traces = generation.shared.traces, let connections = generation.upstreams.traceConnections,
            destination.map({ $0.number < number }) ?? true
        {
            destination = Destination(number: number, traces: traces, connections: connections)
        }
        guard queue.add(spans) else { return drop(spans.count, because: "there is no room for more") }
        if transfer != nil || isResting { return }
        if queue.hasWholeBatch { send() } else if timer?.isSet != true { setTimer(after: Self.delay) }
    }

    private func drop(_ count: Int, because reason: String) { destination?.traces.health.dropped(count, because: reason) }

    // MARK: Sending

    private func send() {
        timer?.cancel()
        isResting = false
        guard transfer == nil, let destination else { return }
        guard let batch = batch ?? queue.takeBatch(behind: destination.traces.batchStart) else { return becameIdle() }
        self.batch = batch
        let traces = destination.traces
        var request = HTTPRequest(
            .post, traces.endpoint, common: traces.fields, connectTimeout: Self.connectTimeout, totalTimeout: Self.totalTimeout,
            options: traces.options)
        request.body = HTTPBody(batch.body)
        do throws(HTTPError) {
            transfer = try destination.connections.session.start(request, keepsStart: true) { [weak self] result in
                guard let self else { return }
                self.result = result
                setTimer(after: .zero)
            }
        } catch {
            failed("\(error)", mayPass: false)
        }
    }

    private func setTimer(after duration: Duration) {
        let timer = timer ?? Timer(on: loop) { [unowned self] in timePassed() }
        self.timer = timer
        timer.set(at: loop.now + duration)
    }

    private func timePassed() {
        guard let result = exchange(&result, with: nil) else { return send() }
        let body = exchange(&transfer, with: nil)?.takeBytes() ?? []
        switch result {
        case .success(let status) where (200..<300).contains(status): sent(CollectorAnswer(body))
        case .success(let status): failed("status \(status)", mayPass: Self.passingStatuses.contains(status))
        // It may have taken all of it.
        case .failure(.timedOut(.total, _)): failed("no answer within \(Self.totalTimeout.setting)", mayPass: false)
        case .failure(let error): failed("\(error)", mayPass: true)
        }
    }

    /// - Parameter answer: what the collector says to a batch that it does not refuse.
    private func sent(_ answer: CollectorAnswer) {
        if let traces = destination?.traces, let batch {
            let rejectedCount = min(answer.rejectedCount, batch.count)
            traces.health.rejected(rejectedCount, because: answer.words(without: traces.secrets), at: loop.now)
            traces.health.sent(batch.count - rejectedCount, isAll: queue.count == 0)
        }
        (batch, tries, pause) = (nil, 0, Self.shortestPause)
        if queue.count == 0 { return becameIdle() }
        if isEnding || queue.hasWholeBatch { send() } else { setTimer(after: Self.delay) }
    }

    /// - Parameters:
    ///   - reason: a phrase; nothing secret.
    ///   - mayPass: whether the same may be taken another time.
    private func failed(_ reason: String, mayPass: Bool) {
        tries += 1
        if isEnding { return giveUp(reason) }
        if !mayPass || tries == Self.triesMax {
            drop(batch?.count ?? 0, because: reason)
            (batch, tries) = (nil, 0)
        }
        isResting = true
        // As all workers and machines may do the same now, each at a time of its own.
        setTimer(after: pause * Double.random(in: 0.75...1.25))
        pause = min(pause * 2, Self.longestPause)
    }

    /// What keeps the generation's connections is let go.
    private func becameIdle() {
        destination = nil
        settled?.wake()
    }

    // MARK: The end

    /// Sends all that waits, at an end. What has not been taken by then, or is not taken the first time, is dropped.
    func end(until deadline: Instant) async {
        isEnding = true
        let settled = Wakeup(on: loop)
        self.settled = settled
        if transfer == nil { send() }
        while hasWork, loop.now < deadline { await settled.wait(until: deadline) }
        if hasWork { giveUp("there is no more time") }
        self.settled = nil
    }

    private var hasWork: Bool { batch != nil || queue.count > 0 }

    private func giveUp(_ reason: String) {
        let count = (batch?.count ?? 0) + queue.removeAll()
        drop(count, because: reason)
        transfer?.cancel()
        (batch, transfer, result) = (nil, nil, nil)
        timer?.cancel()
        becameIdle()
    }
}
