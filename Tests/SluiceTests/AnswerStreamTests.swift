import Chat
import EventLoop
import Foundation
import TestSupport
import Testing

@testable import Settings
@testable import Sluice

@Suite(.ownThread) struct AnswerStreamTests {
    private let role = Chunks.role()
    private let hello = Chunks.content("Hello")

    // MARK: The gate

    @Test(arguments: [
        Chunks.content("Hello"), Chunks.toolCall(0, id: "c", name: "f", arguments: ""), Chunks.chunk(#"{"refusal":"No."}"#),
        Chunks.chunk(#"{"audio":{"data":"AA=="}}"#), Chunks.chunk(#"{"function_call":{"name":"f"}}"#), Chunks.finish("length"),
    ])
    func `the gate opens with the first token, and not with what only leads up to it`(token: String) throws {
        let before = [role, Chunks.reasoning("Hm."), Chunks.chunk(#"{"reasoning":"Hm."}"#), Chunks.content("")]
        let script = try AnswerScript(before + [token, Chunks.content("more")])
        try script.openEvents()
        #expect(try script.parts() == [before.joined() + token])
        #expect(script.stream.firstEvent != nil)
        #expect((script.stream.firstToken == nil) == token.contains("length"))
    }

    @Test func `reasoning opens it where that counts, and is no token even so`() throws {
        let script = try AnswerScript([role, Chunks.reasoning("Hm."), hello, Chunks.finish()], as: .reasoningCounts)
        try script.openEvents()
        #expect(try script.parts() == [role + Chunks.reasoning("Hm.")])
        #expect(script.stream.firstEvent != nil && script.stream.firstToken == nil)
        while try script.stream.readable == .bytes {
            script.stream.takeBytes()
            _ = try script.parts()
        }
        #expect(script.stream.firstToken != nil)
    }

    /// Behind a filler, wherever the role is, and with whatever else is changed.
    @Test(arguments: [nil, "session"]) func `a role that is left out is so in all that comes`(session: String?) throws {
        var form = AnswerForm.reasoningCounts
        form.edits.systemFingerprint = session
        let each = ["a", "b"].map { Chunks.chunk(#"{"role":"assistant","content":"\#($0)"}"#) }
        let script = try AnswerScript(
            [role + Chunks.reasoning("Hm."), each[0], each[1], Chunks.finish() + Chunks.done], as: form)
        try script.openEvents()
        script.stream.leaveOutRole()
        var sent = try script.parts().joined()
        while try script.stream.readable == .bytes {
            script.stream.takeBytes()
            sent += try script.parts().joined()
        }
        #expect(script.stream.isDone && !sent.contains(#""role""#), "\(sent)")
        #expect(sent.contains(#""content":"a""#) && sent.contains(#""content":"b""#) && sent.contains("Hm."))
        #expect((sent.components(separatedBy: "session").count - 1) == (session == nil ? 0 : 5))
    }

    @Test func `a thought that is left out of the text does not open it`() throws {
        let thought = ["<think>", "Hm.", "</think>", "\n"].map(Chunks.content)
        let script = try AnswerScript([role] + thought + [hello, Chunks.content("more")], as: .spoken)
        try script.openEvents()
        #expect(try script.parts().joined().hasSuffix(hello))
    }

    @Test(arguments: [1, 3, 7, 64])
    func `what was cut by its arrival goes on as one, however small the pieces were`(bytes: Int) throws {
        let text = role + ": comment\n\n" + hello
        var pieces: [String] = []
        for start in stride(from: 0, to: text.utf8.count, by: bytes) {
            pieces.append(String(decoding: Array(text.utf8)[start..<min(start + bytes, text.utf8.count)], as: UTF8.self))
        }
        let script = try AnswerScript(pieces)
        try script.openEvents()
        #expect(try script.parts() == [text])
    }

    @Test func `comments and blank lines do not open the gate, nor an event that is left out`() throws {
        let form = AnswerForm(isStreaming: true, showsUsage: false)
        let left = [": waiting\n\n", "\n", "data:\n\n", Chunks.usage(prompt: 1, completion: 1)]
        #expect(throws: ChatError.upstreamFailed(.noAnswer)) { _ = try AnswerScript(left, as: form).stream.open() }
        let script = try AnswerScript(left + [hello], as: form)
        try script.openEvents()
        #expect(try script.parts().joined() == ": waiting\n\n\n" + hello)
    }

    @Test func `an error ahead of the gate is the attempt's, one behind it the stream's`() throws {
        let error = #"data: {"error":{"message":"no","type":"server_error"}}"# + "\n\n"
        #expect(throws: ChatError.self) { _ = try AnswerScript([role + error]).stream.open() }
        let script = try AnswerScript([role + hello + error + hello])
        try script.openEvents()
        let part = try #require(try script.stream.next())
        #expect(String(decoding: script.stream[part.events], as: UTF8.self) == role + hello)
        for _ in 0..<2 { #expect(throws: ChatError.self) { _ = try script.stream.next() } }
    }

    @Test(arguments: [false, true])
    func `an error behind the begin has its words, unless there is something that is not the caller's`(isOthers: Bool) throws {
        let error = #"data: {"error":{"message":"the engine died","type":"server_error"}}"# + "\n\n"
        let (sent, failure) = try AnswerScript([role + hello, error], withholdsWords: isOthers).play()
        #expect(sent == role + hello)
        let message = try #require(failure).message
        #expect(message.contains("the engine died") == !isOthers, "\(message)")
    }

    @Test(arguments: [nil, "session"])
    func `small events that come all at once are no large event, however many they are`(session: String?) throws {
        var limits = Settings.Limits()
        limits.eventBytes = 1024
        var form = AnswerForm.stream
        form.edits.systemFingerprint = session
        let events = Chunks.stream((0..<100).map { "word \($0)" })
        let script = try AnswerScript([events.joined()], as: form, limits: limits)
        let (sent, failure) = script.play()
        #expect(failure == nil)
        #expect(sent.split(separator: "\n\n").count == events.count)
        #expect(sent.hasSuffix(Chunks.done))
    }

    @Test(arguments: [nil, "session"], [1, 100])
    func `a long thought ahead of the first token is part of the answer`(session: String?, eventsAtOnce: Int) throws {
        var limits = Settings.Limits()
        limits.eventBytes = 1024
        var form = AnswerForm.stream
        form.edits.systemFingerprint = session
        let events = [role] + (0..<99).map { Chunks.reasoning("thought \($0)") } + Chunks.stream(["Hello"]).dropFirst()
        let pieces = stride(from: 0, to: events.count, by: eventsAtOnce).map { start in
            events[start..<min(start + eventsAtOnce, events.count)].joined()
        }
        let (sent, failure) = try AnswerScript(pieces, as: form, limits: limits).play()
        #expect(failure == nil)
        #expect(sent.split(separator: "\n\n").count == events.count)
    }

    @Test func `a thought that is longer than what may wait opens the gate, wherever it is cut`() throws {
        var limits = Settings.Limits()
        limits.eventBytes = 4096
        let thought = Chunks.reasoning(String(repeating: "x", count: 3600))
        let (half, rest) = (String(thought.prefix(2000)), String(thought.dropFirst(2000)))
        for pieces in [[role + thought, thought, half, rest + hello], [role + thought + thought + half, rest + hello]] {
            let script = try AnswerScript(pieces + [Chunks.finish() + Chunks.done], limits: limits)
            try script.openEvents()
            #expect(script.stream.firstToken == nil)
            #expect(try script.parts().joined() == role + thought + thought)
            let (sent, failure) = try AnswerScript(pieces + [Chunks.finish() + Chunks.done], limits: limits).play()
            #expect(failure == nil)
            #expect(sent == role + thought + thought + thought + hello + Chunks.finish() + Chunks.done)
        }
        let script = try AnswerScript([role + thought + thought + thought], limits: limits)
        try script.openEvents()
        #expect(try script.parts().joined() == role + thought + thought + thought)
    }

    @Test(arguments: [1, 40]) func `so does one that is left out of the text`(eventsAtOnce: Int) throws {
        var limits = Settings.Limits()
        limits.eventBytes = 1024
        let texts = ["<think>"] + (0..<39).map { "thought \($0) " + String(repeating: "x", count: 100) } + ["</think>Hello"]
        let events = Chunks.stream(texts)
        let pieces = stride(from: 0, to: events.count, by: eventsAtOnce).map { start in
            events[start..<min(start + eventsAtOnce, events.count)].joined()
        }
        let (sent, failure) = try AnswerScript(pieces, as: .spoken, limits: limits).play()
        #expect(failure == nil && sent.contains("Hello") && !sent.contains("thought") && sent.hasSuffix(Chunks.done))
    }

    @Test func `an end without line ends and without a finish reason is one`() throws {
        let done = Chunks.done.trimmingCharacters(in: .newlines)
        for pieces in [[role + hello, done], [role + hello + done]] {
            #expect(try AnswerScript(pieces).play() == (role + hello + Chunks.done, nil))
        }
        let (sent, failure) = try AnswerScript([role + Chunks.content("5 *"), done], as: .spoken).play()
        #expect(failure == nil && sent.contains(#""content":"*""#) && sent.hasSuffix(Chunks.done), "\(sent)")
    }

    @Test(arguments: [#"{"choices":[]}"#, #"{"choices":[{}]}"#, #"{"choices":[{"message":{"content":""}}]}"#])
    func `a completion that says nothing is no answer`(text: String) throws {
        for form in [AnswerForm.stream, AnswerForm(isStreaming: false, showsUsage: true)] {
            #expect(throws: ChatError.upstreamFailed(.noAnswer)) { _ = try AnswerScript([text], as: form).stream.open() }
        }
    }

    @Test func `a large event ahead of the first token is the attempt's failure`() throws {
        var limits = Settings.Limits()
        limits.eventBytes = 1024
        let large = Chunks.reasoning(String(repeating: "x", count: 5000))
        #expect(throws: ChatError.upstreamEventTooLarge(bytesMax: 1024)) {
            _ = try AnswerScript([role + large + hello], limits: limits).stream.open()
        }
    }

    @Test func `a large event among small ones that come with it fails behind them`() throws {
        var limits = Settings.Limits()
        limits.eventBytes = 1024
        let small = Chunks.content("word")
        let large = Chunks.content(String(repeating: "x", count: 1024))
        let (sent, failure) = try AnswerScript([role + small + large + small], limits: limits).play()
        #expect(sent == role + small)
        #expect(failure == .upstreamEventTooLarge(bytesMax: 1024))
    }

    /// A second mark is a field's name, which makes its line none of the events.
    @Test func `a role that is left out makes no event of what was none`() throws {
        let mark = "\u{FEFF}"
        for line in ["data: [DONE]", #"data: {"choices":[{"a":1","delta":{"role":"}"x",{"delta":{"role":1}}]"}"#, "data: oops"] {
            let script = try AnswerScript([mark + mark + line + "\n\n" + role + hello + Chunks.finish() + Chunks.done])
            try script.openEvents()
            script.stream.leaveOutRole()
            let sent = try script.parts().joined()
            #expect(sent.hasPrefix(mark + line) && sent.contains("Hello") && sent.hasSuffix(Chunks.done), "\(sent)")
            #expect(!sent.contains(#""role":"assistant""#))
        }
    }

    @Test func `what waits for a first token and goes out in other bytes is one part`() throws {
        var form = AnswerForm.stream
        form.edits.systemFingerprint = "s"
        let script = try AnswerScript([role] + (0..<100).map { Chunks.reasoning("thought \($0)") } + [hello], as: form)
        try script.openEvents()
        let parts = try script.parts()
        #expect(parts.count == 1 && parts[0].contains("thought 99") && parts[0].contains("Hello"))
    }

    @Test func `a completion in place of events is one, also behind blanks`() throws {
        for text in [Chunks.completion("Hi"), " \n\t" + Chunks.completion("Hi")] {
            let script = try AnswerScript([text])
            guard case .completion(let completion)? = try script.stream.open() else {
                Issue.record("no completion: \(text)")
                continue
            }
            #expect(completion.usage?.promptTokens == 3)
            let events = String(decoding: completion.bytes, as: UTF8.self)
            #expect(events.contains("Hi") && events.hasSuffix(Chunks.done))
        }
    }

    @Test func `a completion that goes on with half an answer may be larger than an event`() throws {
        var limits = Settings.Limits()
        limits.eventBytes = 1024
        let text = String(repeating: "x", count: 5000)
        let script = try AnswerScript([Chunks.completion("lo " + text)], limits: limits, behind: CutAnswer(saying: "Hel"))
        let (sent, failure) = script.play()
        #expect(failure == nil && script.stream.isDone)
        #expect(sent.contains("\"lo \(text)\"") && sent.hasSuffix(Chunks.done) && !sent.contains("role"))
    }

    @Test func `what is neither events nor a completion is none`() throws {
        for text in ["<html>", "{}", "[1]", "data: nonsense\n\n", ""] {
            #expect(throws: ChatError.self, "\(text)") { _ = try AnswerScript([text]).stream.open() }
        }
    }

    @Test func `an answer that was cancelled says so`() throws {
        let script = try AnswerScript([role])
        script.stream.cancel()
        #expect(throws: CancellationError.self) { _ = try script.stream.open() }
    }

    // MARK: The stream

    @Test func `a stream that breaks off never looks complete, wherever that is and however it came`() throws {
        let stream = [UInt8]((Chunks.stream(["Hello", " there"])).joined().utf8)
        let finished = stream.count - Chunks.done.utf8.count
        let loop = try EventLoop()
        for (count, pieceBytes) in (0...stream.count).flatMap({ count in [1, 16, 4096].map { (count, $0) } }) {
            let pieces = stride(from: 0, to: count, by: pieceBytes).map { start in
                String(decoding: stream[start..<min(start + pieceBytes, count)], as: UTF8.self)
            }
            let (sent, failure) = try AnswerScript(pieces, on: loop).play()
            let isWhole = count == finished || count >= stream.count - 2
            #expect((failure == nil) == isWhole, "\(count) bytes in pieces of \(pieceBytes)")
            #expect(String(decoding: stream, as: UTF8.self).hasPrefix(sent))
            // The line ends behind `[DONE]` are missed by nobody.
            if sent.contains("[DONE]") { #expect(count >= stream.count - 2) }
        }
    }

    @Test func `each event that is edited goes out in other bytes, in its place`() throws {
        var form = AnswerForm.stream
        form.edits.systemFingerprint = "session"
        for pieces in [Chunks.stream(["A", "B"]), [Chunks.stream(["A", "B"]).joined()]] {
            let (sent, failure) = try AnswerScript(pieces, as: form).play()
            #expect(failure == nil)
            let events = sent.split(separator: "\n\n")
            #expect(events.count == 5)
            #expect(events.dropLast().allSatisfy { $0.contains(#""system_fingerprint":"session""#) })
            #expect(events.last == "data: [DONE]")
        }
    }

    @Test func `plain events are taken at once, and what is special is left to the reader`() throws {
        let (more, end) = (Chunks.content("more"), Chunks.finish() + Chunks.done)
        let script = try AnswerScript([role + hello, more, end])
        _ = try script.stream.open()
        #expect(try script.parts() == [role + hello])
        let events = try #require(script.stream.takePlainEvents())
        #expect(String(decoding: script.stream[events], as: UTF8.self) == more)
        script.stream.discard()
        #expect(script.stream.takePlainEvents() == nil)
        #expect(try script.parts() == [end])
        #expect(script.stream.isDone)
    }

    @Test func `plain events that have to wait are the reader's next`() throws {
        let script = try AnswerScript([role + hello, hello, Chunks.content("more")])
        _ = try script.stream.open()
        _ = try script.parts()
        script.stream.putBack(try #require(script.stream.takePlainEvents()))
        #expect(try script.parts() == [hello])
        script.stream.takeBytes()
        #expect(try script.parts() == [Chunks.content("more")])
    }

    @Test func `what an answer cost and who gave it is known behind its end`() throws {
        let script = try AnswerScript([role + hello + Chunks.finish() + Chunks.usage(prompt: 5, completion: 6) + Chunks.done])
        #expect(script.play().failure == nil)
        #expect(script.stream.usage?.completionTokens == 6)
        #expect(script.stream.model?.name == "stub-1")
    }

    // MARK: Limits

    @Test func `an event above the limit is told, ahead of the gate and behind it`() throws {
        var limits = Settings.Limits()
        limits.eventBytes = 1000
        let large = Chunks.content(String(repeating: "a", count: 2000))
        #expect(throws: ChatError.upstreamEventTooLarge(bytesMax: 1000)) {
            _ = try AnswerScript([large], limits: limits).stream.open()
        }
        let (sent, failure) = try AnswerScript([hello, large], limits: limits).play()
        #expect(sent == hello)
        #expect(failure == .upstreamEventTooLarge(bytesMax: 1000))
    }

    @Test func `what it keeps counts, and counts no more when it has been handed out`() throws {
        let budget = MemoryBudget(limit: 1 << 20)
        let part = "data: " + String(repeating: " ", count: 100_000)
        let script = try AnswerScript([hello, part, Chunks.content("x").dropFirst(6) + ""], budget: budget)
        _ = try script.stream.open()
        _ = try script.parts()
        script.stream.takeBytes()
        #expect(try script.parts() == [])
        #expect(budget.usedBytes > 100_000)
        script.stream.takeBytes()
        #expect(try script.parts().count == 1)
        #expect(budget.usedBytes == 0)
    }

    @Test func `an answer for which there is no memory ends with that`() throws {
        let budget = MemoryBudget(limit: 1 << 20)
        let other = budget.share(ofAnswer: 1 << 20)
        let script = try AnswerScript(["{" + String(repeating: " ", count: 100_000)], budget: budget)
        #expect(throws: ChatError.memoryFull) { _ = try script.stream.open() }
        withExtendedLifetime(other) {}
    }
}
