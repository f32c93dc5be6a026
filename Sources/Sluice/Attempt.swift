// One attempt on one target, until it has won or failed.

import Chat
import EventLoop

/// An answer on its way, looked at as far as it takes to know whether it is one. What was read for that goes on to the caller.
final class Attempt {
    enum Progress {
        /// One must wait.
        case none
        case failed(AttemptFailure)
        /// It is an answer: what there is of it.
        case won(Opening)
    }

    /// How an answer begins.
    enum Opening {
        /// With these bytes of a stream.
        case stream([UInt8])
        case whole(Completion)
    }

    let id: Int
    let target: Target
    let answer: UpstreamAnswer
    let admission: TargetHealth.Admission
    let start: Instant
    private let form: AnswerForm
    private let limits: Settings.Limits
    /// Whether a role or the like is no answer yet, since another target might be quicker.
    private let awaitsToken: Bool
    private var received: [UInt8] = []
    private var scanner: EventScanner

    init(
        _ attempt: Selection.Attempt, on target: Target, _ answer: UpstreamAnswer, _ admission: TargetHealth.Admission,
        as form: AnswerForm, awaitsToken: Bool, _ limits: Settings.Limits, at start: Instant
    ) {
        id = attempt.id
        self.target = target
        self.answer = answer
        self.admission = admission
        self.form = form
        self.awaitsToken = awaitsToken
        self.limits = limits
        self.start = start
        scanner = EventScanner(form, isCallersKey: answer.isCallersKey, limits)
    }

    /// What has become of it.
    ///
    /// - Throws: `CancellationError` when it was cancelled.
    func progress() throws(CancellationError) -> Progress {
        do {
            while let arrival = try answer.arrival {
                let isStream = form.isStreaming && answer.head?.isEventStream == true
                switch arrival {
                case .bytes:
                    try take(isStream: isStream)
                    if isStream, isOpen { return .won(.stream(received)) }
                case .end where isStream:
                    if scanner.isFinished, scanner.hasEvents { return .won(.stream(received)) }
                    throw scanner.hasEvents ? ChatError.upstreamCutOff : .upstreamFailed(.noAnswer)
                case .end: return .won(.whole(try Completion(received, of: answer, limits)))
                }
            }
            return .none
        } catch let error as ChatError {
            return .failed(AttemptFailure(error, retryAfter: answer.head?.retryAfter))
        } catch {
            throw CancellationError()
        }
    }

    private func take(isStream: Bool) throws(ChatError) {
        let bytes = answer.takeBytes()
        received += bytes
        guard isStream else {
            let bytesMax = answer.head?.status == 200 ? limits.answerBytes : limits.eventBytes
            guard received.count <= bytesMax else { throw .upstreamAnswerTooLarge(bytesMax: bytesMax) }
            return
        }
        scanner.append(bytes)
        var start = 0
        scan: while true {
            switch scanner.next(from: start).stop {
            case .none, .done: break scan
            case .skip(let event), .replace(let event, _): start = event.bytes.upperBound
            case .failure(let error):
                // Behind the first event it is the relay's to tell.
                if scanner.hasEvents, !awaitsToken || scanner.hasToken { break scan }
                throw error
            }
        }
        _ = scanner.discard()
        guard received.count <= 2 * limits.eventBytes else { throw .upstreamEventTooLarge(bytesMax: limits.eventBytes) }
    }

    /// Whether what has come opens the gate.
    private var isOpen: Bool {
        awaitsToken ? scanner.hasToken || scanner.isFinished : scanner.hasEvents
    }
}
