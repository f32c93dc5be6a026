// The one line that each request leaves in the log. Its cost counts, as that of no other.

import Chat
import Clock
import Logging
import Settings

/// One worker's writer of request lines.
final class RequestLog {
    private let log: Log?
    /// Of the log, as far as this one knows.
    private var version = 0
    private var level = Logger.Level.trace
    private var output: LogOutput?
    /// The memory of the line before, for the next one; nil while that is made.
    private var line: LogLine? = LogLine(LogForm(format: .json))

    /// - Parameter log: where lines go; without one they are made, and lost.
    init(_ log: Log?) { self.log = log }

    /// Writes the line of a request that ended just now. No message, key, token or phone number has a place in it.
    func write(_ record: RequestRecord, at end: Instant) {
        refresh()
        guard record.level >= level else { return }
        guard var line = line.take() else { preconditionFailure("one line is made at a time") }
        line.append(record, at: end)
        output?.write(line.bytes)
        self.line = consume line
    }

    /// Lets go of where lines went before, if they go elsewhere by now.
    func refresh() {
        if let log, log.version != version { take(log) }
    }

    private func take(_ log: Log) {
        // Ahead of what it belongs to: what changes in between changes it again.
        version = log.version
        let current = log.current
        (level, output, line) = (current.settings.level, current.output, LogLine(current.form))
    }
}

/// What a request's line has.
private enum Name {
    static let request = LogName("request")
    static let client = LogName("client")
    static let call = LogName("call")
    static let route = LogName("route")
    static let upstream = LogName("upstream")
    static let model = LogName("model")
    static let status = LogName("status")
    static let ending = LogName("ending")
    static let cause = LogName("cause")
    static let firstEvent = LogName("first_event")
    static let firstToken = LogName("first_token")
    static let added = LogName("added")
    static let hook = LogName("hook")
    static let hookMilliseconds = LogName("hook_ms")
    static let fillers = LogName("fillers")
    static let controlFillers = LogName("control_fillers")
    static let controlFillersFailed = LogName("control_fillers_failed")
    static let seconds = LogName("seconds")
    static let bytes = LogName("bytes")
    static let promptTokens = LogName("prompt_tokens")
    static let completionTokens = LogName("completion_tokens")
    static let tried = LogName("tried")
}

extension LogLine {
    /// Makes it a request's.
    fileprivate mutating func append(_ record: RequestRecord, at end: Instant) {
        begin(record.level, "answered")
        append(Name.request, record.id.description)
        append(Name.client, record.client)
        append(Name.call, record.call)
        append(Name.route, record.route)
        append(Name.upstream, record.upstream)
        // One answer needs no copy.
        if record.cut == nil { append(record, record.answer, at: end) } else { append(record, record.wholeAnswer, at: end) }
        self.end()
    }

    /// Appends what is known of the answer.
    private mutating func append(_ record: RequestRecord, _ answer: RequestRecord.Answer, at end: Instant) {
        append(Name.model, answer.model?.name)
        append(Name.status, record.status ?? statusOfNothing)
        let (ending, cause) = record.words
        append(Name.ending, ending)
        append(Name.cause, cause)
        if let hook = record.hook {
            append(Name.hook, hook.outcome)
            append(Name.hookMilliseconds, Int(hook.duration.nanoseconds / 1_000_000))
        }
        if let firstEvent = answer.firstEvent { append(Name.firstEvent, firstEvent - record.start) }
        if let firstToken = answer.firstToken { append(Name.firstToken, firstToken - record.start) }
        if let added = record.added { append(Name.added, milliseconds: added) }
        if record.fillers.streamed > 0 { append(Name.fillers, record.fillers.streamed) }
        if let posts = record.fillers.posts { append(posts) }
        append(Name.seconds, end - record.start)
        append(Name.bytes, answer.bytesCount)
        if let usage = answer.usage {
            append(Name.promptTokens, usage.promptTokens)
            append(Name.completionTokens, usage.completionTokens)
        }
        if record.tried.count > 1 { append(record.tried) }
    }

    private mutating func append(_ posts: FillerPosts) {
        if posts.said > 0 { append(Name.controlFillers, posts.said) }
        if posts.failed > 0 { append(Name.controlFillersFailed, posts.failed) }
    }

    private mutating func append(_ tried: [RequestRecord.Try]) {
        let isJSON = form.format == .json
        append(Name.tried, count: tried.count) { index, list in
            let attempt = tried[index]
            guard isJSON else {
                // Neither has anything in it that would need quotes: an upstream's name is a plain one.
                list.append(attempt.upstream)
                list.append(":")
                list.append(attempt.outcome)
                list.append(":")
                return list.append(seconds: attempt.duration)
            }
            list.append(#"{"upstream":"#)
            list.appendQuoted(attempt.upstream)
            list.append(#","outcome":"#)
            list.appendQuoted(attempt.outcome)
            list.append(#","seconds":"#)
            list.append(seconds: attempt.duration)
            list.append("}")
        }
    }
}

/// What nginx logs for a client that closed its connection before any answer; no server sends it.
private let statusOfNothing = 499

extension RequestRecord {
    /// A mistake of the caller is its own business; a key that is refused is the operator's, and so is an upstream that breaks off.
    var level: Logger.Level {
        switch ending.error ?? mendedError {
        case .upstreamRefusedKey, .unknownRoute, .internalDefect: .error
        case .upstreamFailed, .upstreamTimedOut, .upstreamCutOff, .upstreamEventTooLarge, .upstreamAnswerTooLarge, .overloaded,
            .memoryFull, .budgetsUnknown, .hookFailed:
            .warning
        default: .info
        }
    }
}
