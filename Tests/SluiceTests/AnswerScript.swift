// An upstream's answer by a script, without an upstream.

import Chat
import Clock
import EventLoop
import TestSupport

@testable import Settings
@testable import Sluice

/// An upstream's answer that consists of given pieces. They come one after another, as fast as they are taken, and then the end.
struct AnswerScript {
    let loop: EventLoop
    let stream: AnswerStream

    /// - Parameters:
    ///   - secrets: what nobody may read.
    ///   - withholdsWords: whether something of the request is not the caller's.
    ///   - cut: what it goes on with; nil where it begins.
    ///   - delay: before the first piece, for a loop that runs; nil for `pause`.
    ///   - pause: before each other piece.
    init(
        _ pieces: [String], as form: AnswerForm = .stream, limits: Settings.Limits = .init(),
        idleTimeout: Duration = .seconds(30), firstTokenTimeout: Duration? = nil,
        budget: MemoryBudget = MemoryBudget(limit: 1 << 30), secrets: [String] = [], withholdsWords: Bool = false,
        behind cut: CutAnswer? = nil, after delay: Duration? = nil, every pause: Duration = .zero, on loop: EventLoop? = nil
    ) throws {
        self.loop = try loop ?? EventLoop()
        let pieces = pieces.map { [UInt8]($0.utf8) }
        let answer = DemoAnswer(pieces, after: delay ?? pause, every: pause, waking: Wakeup(on: self.loop), on: self.loop)
        var timeouts = Settings.Timeouts(all: idleTimeout)
        timeouts.firstToken = firstTokenTimeout ?? idleTimeout
        var key = UpstreamKey(secrets: secrets.map { [UInt8]($0.utf8) })
        key.withholdsWords = withholdsWords
        stream = AnswerStream(
            UpstreamAnswer(.demo(answer), jsonDepth: limits.jsonDepth, key: key, noted: { _ in }), as: form, limits: limits,
            timeouts: timeouts, memory: budget, behind: cut, on: self.loop)
    }

    /// Looks at what comes until the stream is known to be one of events, which it has to be.
    func openEvents() throws {
        guard case .events? = try stream.open() else { throw Unexpected() }
    }

    private struct Unexpected: Error {}

    /// What the stream hands out now.
    func parts() throws -> [String] {
        var parts: [String] = []
        while let part = try stream.next() {
            if !part.events.isEmpty { parts.append(String(decoding: stream[part.events], as: UTF8.self)) }
            if let replacement = part.replacement { parts.append(String(decoding: replacement, as: UTF8.self)) }
        }
        return parts
    }

    /// Reads the whole answer as a relay does.
    ///
    /// - Returns: what the caller would have got, and what it would have been told in place of the end.
    func play() -> (sent: String, failure: ChatError?) {
        var sent = ""
        do {
            guard case .events? = try stream.open() else { return (sent, .notAnObject) }
            while true {
                while let part = try stream.next() {
                    sent += String(decoding: stream[part.events], as: UTF8.self)
                    sent += String(decoding: part.replacement ?? [], as: UTF8.self)
                }
                if stream.isDone { return (sent, nil) }
                if try stream.readable == .bytes {
                    stream.takeBytes()
                } else if !stream.completeDone() {
                    return (sent, stream.failureAtEnd())
                }
            }
        } catch {
            return (sent, error as? ChatError)
        }
    }
}

extension CutAnswer {
    /// One that has said so much, for no voice.
    init(saying text: String) {
        let json = [UInt8](quoted(text).utf8)
        self.init(text: json, speech: SpeechEdits([]).goingOn(behind: json))
    }
}

extension AnswerForm {
    /// The upstream's stream as it is.
    static var stream: AnswerForm { AnswerForm(isStreaming: true, showsUsage: true) }
    /// The same, and reasoning makes an answer of it.
    static var reasoningCounts: AnswerForm { AnswerForm(isStreaming: true, countsReasoning: true, showsUsage: true) }
    /// Its text fit to be spoken.
    static var spoken: AnswerForm {
        AnswerForm(isStreaming: true, speech: [.think, .markdown, .emoji, .links], showsUsage: true)
    }
}
