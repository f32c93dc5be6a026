// The one line that each request leaves in the log. Written by hand: it is the only one whose cost counts.

import Chat
import Clock
import Logging
import Settings

/// One worker's writer of request lines.
final class RequestLog {
    private let level: Logger.Level
    private let output: LogOutput?
    /// The memory of the line before, for the next one.
    private var buffer: [UInt8] = []
    private var clock = LogClock()

    /// - Parameters:
    ///   - level: of the least important lines that are written.
    ///   - output: where they go; without one they are made, and lost.
    init(level: Logger.Level, to output: LogOutput?) {
        self.level = level
        self.output = output
    }

    /// Writes the line of a request that ended just now. No message, key, token or phone number has a place in it.
    func write(_ record: RequestRecord, at end: Instant) {
        guard record.level >= level else { return }
        var line = exchange(&buffer, with: [])
        line.removeAll(keepingCapacity: true)
        clock.appendStart(of: record.level, to: &line)
        line.append(record, at: end)
        output?.write(line)
        buffer = line
    }
}

extension [UInt8] {
    /// Appends a request's line from the message on.
    fileprivate mutating func append(_ record: RequestRecord, at end: Instant) {
        append(#""answered""#)
        append(#","request":"#, record.id.description)
        append(#","client":"#, record.client)
        append(#","call":"#, record.call)
        append(#","route":"#, record.target?.match.description)
        append(#","upstream":"#, record.target?.upstreamName)
        append(#","model":"#, record.answer.model?.name)
        append(#","status":"#, record.status ?? statusOfNothing)
        append(#","ending":"#, record.ending.word)
        if let firstEvent = record.answer.firstEvent { append(#","first_event":"#, firstEvent - record.start) }
        append(#","seconds":"#, end - record.start)
        append(#","bytes":"#, record.answer.bytesCount)
        if let usage = record.answer.usage {
            append(#","prompt_tokens":"#, usage.promptTokens)
            append(#","completion_tokens":"#, usage.completionTokens)
        }
        if record.tried.count > 1 { append(record.tried) }
        append("}\n")
    }

    private mutating func append(_ tried: [RequestRecord.Try]) {
        append(#","tried":["#)
        for (index, attempt) in tried.enumerated() {
            let before = count
            append(index == 0 ? #"{"upstream":"# : #",{"upstream":"#, attempt.upstream)
            append(#","outcome":"#, attempt.outcome)
            append(#","seconds":"#, attempt.duration)
            append("}")
            // Three bytes end the line.
            if count + 3 > LogOutput.lineBytesMax {
                removeLast(count - before)
                break
            }
        }
        append("]")
    }

    /// What would leave too little room for the numbers is left out.
    ///
    /// - Parameter name: with all that stands ahead of the value.
    private mutating func append(_ name: String, _ value: String?) {
        guard let value else { return }
        let before = count
        append(name)
        appendJSONString(value)
        if count > LogOutput.lineBytesMax - 512 { removeLast(count - before) }
    }

    private mutating func append(_ name: String, _ value: Int) {
        append(name)
        append(decimal: value)
    }

    /// Appends a duration in seconds, to the millisecond.
    private mutating func append(_ name: String, _ value: Duration) {
        append(name)
        let milliseconds = Int(Swift.max(0, value.nanoseconds) / 1_000_000)
        append(decimal: milliseconds / 1000)
        append(UInt8(ascii: "."))
        append(decimal: milliseconds % 1000, digits: 3)
    }
}

/// What nginx logs for a client that closed its connection before any answer; no server sends it.
private let statusOfNothing = 499

extension RequestRecord {
    /// A mistake of the caller is its own business; a key that is refused is the operator's.
    fileprivate var level: Logger.Level {
        switch ending.error {
        case .upstreamRefusedKey, .internalDefect: .error
        case .upstreamFailed, .upstreamTimedOut, .upstreamCutOff, .upstreamEventTooLarge, .upstreamAnswerTooLarge, .overloaded,
            .memoryFull:
            .warning
        default: .info
        }
    }
}
