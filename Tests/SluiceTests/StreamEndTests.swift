// Whether a stream is whole, and what of it is kept.

import Chat
import Testing

@testable import Settings
@testable import Sluice

private func chunk(_ delta: String, finish: String = "null", index: Int = 0) -> String {
    #"data: {"choices":[{"index":\#(index),"delta":\#(delta),"finish_reason":\#(finish)}]}"# + "\n\n"
}

private let text = chunk(#"{"content":"a"}"#)
private let ending = chunk("{}", finish: #""stop""#)
private let second = chunk(#"{"content":"b"}"#, index: 1) + chunk("{}", finish: #""stop""#, index: 1)

/// A scanner that has had the events of a stream, and what the caller gets of them.
private struct Scanned {
    var scanner: EventScanner
    var sent = ""
    var failure: ChatError?
    var isDone = false

    init(_ stream: String, choices: Int = 1) {
        let form = AnswerForm(isStreaming: true, showsUsage: false, choices: choices > 1 ? ChoiceSet(count: choices) : nil)
        scanner = EventScanner(form, UpstreamKey(), Settings.Limits())
        scanner.append(Array(stream.utf8))
        while true {
            let stretch = scanner.next()
            sent += String(decoding: scanner.buffer[stretch.range], as: UTF8.self)
            switch stretch.stop {
            case .none: return
            case .done:
                isDone = true
                return
            case .failure(let error):
                failure = error
                return
            case .skip: continue
            case .replace(let bytes): sent += String(decoding: bytes, as: UTF8.self)
            }
        }
    }

    /// Whether it is whole if nothing more comes, be it for two seconds or at its end.
    var isWhole: Bool { failure == nil && scanner.isFinished && !scanner.isInsideEvent && scanner.failureAtEnd() == nil }
}

@Suite struct StreamEndTests {
    @Test(arguments: [
        #"{"content":"b"}"#, #"{"refusal":"b"}"#, #"{"tool_calls":[{"index":0}]}"#, #"{"reasoning_content":"b"}"#,
        #"{"role":"assistant","reasoning":"b"}"#, #"{"reasoning_details":[{"text":"b"}]}"#, #"{"audio":{"data":"b"}}"#,
    ])
    func `a choice that goes on behind its finish reason has not come to its end`(_ delta: String) {
        for choices in [1, 2] {
            let whole = text + second + ending
            #expect(Scanned(whole, choices: choices).isWhole)
            #expect(!Scanned(whole + chunk(delta), choices: choices).isWhole)
            #expect(Scanned(whole + chunk(delta) + ending, choices: choices).isWhole)
            #expect(Scanned(whole + chunk(delta), choices: choices).scanner.hasGoneOn)
        }
    }

    @Test(arguments: [
        "{}", #"{"role":"assistant","content":""}"#, #"{"reasoning_content":""}"#, #"{"reasoning":null,"tool_calls":[]}"#,
        #"{"role":"assistant"}"#, #"{"audio":{}}"#, #"{"index":1,"partial":true}"#,
    ])
    func `a delta that says nothing takes no finish reason back`(_ delta: String) {
        for choices in [1, 2] {
            #expect(Scanned(text + second + ending + chunk(delta), choices: choices).isWhole)
        }
    }

    @Test func `one choice that goes on takes back its own finish reason alone`() {
        let stream = text + second + ending + chunk(#"{"content":"c"}"#, index: 1)
        #expect(!Scanned(stream, choices: 2).isWhole)
        #expect(!Scanned(stream + ending, choices: 2).isWhole)
        #expect(Scanned(stream + chunk("{}", finish: #""stop""#, index: 1), choices: 2).isWhole)
    }

    @Test func `finish reasons in each chunk of two choices are an end with the last ones only`() {
        let first = chunk(#"{"content":"a"}"#, finish: #""stop""#) + chunk(#"{"content":"b"}"#, finish: #""stop""#, index: 1)
        #expect(!Scanned(first + text, choices: 2).isWhole)
        #expect(Scanned(first + first, choices: 2).isWhole)
    }

    @Test(arguments: ["data: [DONE]", "data: [DONE]\n", "[DONE]", "[DONE]\n", "error: [DONE]", "event: error\ndata:[DONE]\r"])
    func `a DONE that lacks but its line ends is no event that broke off`(_ done: String) {
        #expect(Scanned(text + ending + done).isWhole)
        #expect(!Scanned(text + ending + done.replacing("]", with: "")).isWhole)
        #expect(!Scanned(text + done).isWhole)
    }

    @Test(arguments: ["[DONE]\n\n", "error: [DONE]\n\n", "error:[DONE]\r\n\r\n", "event: error\ndata: [DONE]\n\n"])
    func `the caller gets DONE as data whatever field it came in`(_ done: String) {
        let scanned = Scanned(text + ending + done)
        #expect(scanned.sent == text + ending + "data: [DONE]\n\n")
        #expect(scanned.isDone && scanned.failure == nil)
        #expect(Scanned(done).failure == .upstreamFailed(.noAnswer))
    }

    @Test(arguments: ["data: [DONE]", "data:[DONE]\n", "[DONE]", ": x\ndata: [DONE]"])
    func `a DONE that lacks but its line ends is one when nothing follows`(_ done: String) {
        var scanner = Scanned(text + done).scanner
        let isCompleted = scanner.completeDone()
        #expect(isCompleted)
        _ = scanner.next()
        #expect(scanner.isDone && scanner.failureAtEnd() == nil)
        for other in [text, text + done.replacing("]", with: ""), done] {
            var scanner = Scanned(other).scanner
            let isCompleted = scanner.completeDone()
            #expect(!isCompleted, "\(other)")
        }
    }

    @Test(arguments: ["event: error\ndata: [DONE]\n\n", "error: [DONE]\n\n", ":HTTP_STATUS/429\nevent: error\ndata: [DONE]"])
    func `a DONE that is called an error is one behind half an answer`(done: String) {
        let scanned = Scanned(text + done)
        #expect(scanned.sent == text && !scanned.isDone)
        let failure = scanned.failure ?? scanned.scanner.failureAtEnd()
        #expect(failure != nil && (failure?.status == 429) == done.hasPrefix(":"), "\(String(describing: failure))")
        #expect(!Scanned(text + second + done, choices: 2).isDone && Scanned(text + second + ending + done, choices: 2).isWhole)
    }

    @Test func `a frame of no known kind is an error when nothing follows, or DONE alone`() {
        let frame = #"data: {"fault":"the engine died"}"# + "\n\n"
        let failure = Scanned(text + frame).scanner.failureAtEnd()
        #expect(failure?.message.contains("the engine died") == true)
        #expect(Scanned(text + frame + "data: [DONE]\n\n").failure == failure)
        #expect(Scanned(text + frame + ending).isWhole)
    }

    /// None of them says that something is wrong.
    @Test(arguments: [
        #"{"type":"usage.meta","usage":{"prompt_tokens":1,"completion_tokens":2}}"#, #"{"usage_meta":{"cost":0.1}}"#,
        #"{"type":"usage.meta","tokens":3,"message":""}"#, #"{"event":"done","cost":"0.1 USD"}"#, #"["done"]"#, "true",
    ])
    func `a frame of no known kind behind the last finish reason takes nothing from a whole answer`(_ frame: String) {
        let frame = "data: \(frame)\n\n"
        for choices in [1, 2] {
            let whole = text + second + ending
            for done in ["data: [DONE]\n\n", "data: [DONE]"] {
                let scanned = Scanned(whole + frame + done, choices: choices)
                #expect(scanned.failure == nil && scanned.scanner.failureAtEnd() == nil)
            }
            let scanned = Scanned(whole + frame + "data: [DONE]\n\n", choices: choices)
            #expect(scanned.isDone && scanned.sent == whole + "data: [DONE]\n\n")
            #expect(Scanned(whole + frame, choices: choices).isWhole)
        }
        // One choice has not come to its end.
        #expect(Scanned(second + frame, choices: 2).scanner.failureAtEnd() != nil)
    }

    @Test func `an error of a known kind is one behind the last finish reason, too`() {
        for frame in [#"{"error":{"message":"boom"}}"#, #"{"code":500,"message":"boom"}"#, #"{"detail":"boom"}"#] {
            let failure = Scanned(text + ending + "data: \(frame)\n\ndata: [DONE]\n\n").failure
            #expect(failure?.message.contains("boom") == true, "\(frame)")
        }
    }

    @Test func `what is kept counts twice where several lines make one event`() {
        let line = "data: " + String(repeating: "x", count: 1000) + "\n"
        #expect(Scanned(line).scanner.keptCount == line.utf8.count)
        #expect(Scanned(line + line).scanner.keptCount == 2 * line.utf8.count + 2001)
        #expect(Scanned(line + line + "\n").scanner.keptCount == 2 * line.utf8.count + 1)
    }
}
