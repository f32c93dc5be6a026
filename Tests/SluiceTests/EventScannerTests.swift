import Chat
import TestSupport
import Testing

@testable import Settings
@testable import Sluice

@Suite(.ownThread) struct EventScannerTests {
    private func scanner(_ form: AnswerForm = .stream) -> EventScanner { EventScanner(form, UpstreamKey(), Settings.Limits()) }

    /// All that can be forwarded of the bytes, as it is or replaced.
    private func forwarded(_ scanner: inout EventScanner, _ bytes: String) -> (text: String, failure: ChatError?) {
        var text = ""
        scanner.append([UInt8](bytes.utf8))
        while true {
            let stretch = scanner.next()
            text += String(decoding: scanner.buffer[stretch.range], as: UTF8.self)
            switch stretch.stop {
            case .none, .done: return (text, nil)
            case .skip: continue
            case .replace(let bytes): text += String(decoding: bytes, as: UTF8.self)
            case .failure(let error): return (text, error)
            }
        }
    }

    @Test func `a whole stream goes on byte for byte, and is done`() {
        let stream = Chunks.stream(["Hello", " there"]).joined()
        var scanner = scanner()
        #expect(forwarded(&scanner, stream) == (stream, nil))
        #expect(scanner.isDone && scanner.isFinished && scanner.hasToken)
    }

    /// With each line end that servers use.
    @Test(arguments: ["\n", "\r\n", "\r"])
    func `a stream that breaks off never looks complete, wherever that is`(lineEnd: String) {
        let parts = [
            Chunks.role(), Chunks.content("Hello"), Chunks.finish(), Chunks.usage(prompt: 1, completion: 2), Chunks.done,
        ]
        .map { $0.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: lineEnd) }
        let stream = [UInt8](parts.joined().utf8)
        let ends = parts.indices.map { parts[...$0].joined().utf8.count }
        for count in 0...stream.count {
            var scanner = scanner()
            _ = forwarded(&scanner, String(decoding: stream[..<count], as: UTF8.self))
            // An LF that is missing behind its CR is missed by nobody.
            let isEnd = { (end: Int) in count == end || lineEnd == "\r\n" && count == end - 1 }
            let isWhole = isEnd(ends[2]) || isEnd(ends[3]) || count > ends[3]
            // The `[DONE]` counts from its last letter on: what is missing then are line ends.
            let doneBytes = "data: [DONE]".utf8.count
            let isInDone = (ends[3] + 1..<ends[3] + doneBytes).contains(count)
            #expect((scanner.failureAtEnd() == nil) == (isWhole && !isInDone), "\(count) bytes")
            if count < ends[4] - lineEnd.utf8.count { #expect(!scanner.isDone, "\(count) bytes") }
        }
    }

    @Test func `what is kept of an answer that it goes on with counts until it is known to be no repetition`() {
        let said = String(repeating: "word ", count: 4_000)
        let text = [UInt8]("\"\(said)\"".utf8)
        let cut = CutAnswer(text: text, speech: SpeechEdits([]).goingOn(behind: text))
        var scanner = EventScanner(.stream, UpstreamKey(), Settings.Limits(), behind: cut)
        _ = forwarded(&scanner, Chunks.role() + Chunks.content("word word"))
        #expect(scanner.keptCount > said.utf8.count)
        _ = forwarded(&scanner, Chunks.content(" another"))
        _ = scanner.discard()
        #expect(scanner.keptCount < 1_000)
    }

    /// A finish reason is none, nor is `[DONE]`; a call of a tool is more.
    @Test(arguments: [
        ("", false), (Chunks.reasoning("Hm."), false), (Chunks.content(""), false), (Chunks.content("lo"), true),
        (Chunks.content("Hel"), true), (Chunks.content("He"), true),
        (Chunks.toolCall(0, id: "c", name: "f", arguments: "{}"), true),
    ])
    func `what goes on with half a sentence, and says nothing, is not the end of that`(said: String, isEnd: Bool) {
        for reason in ["stop", "content_filter"] {
            var scanner = EventScanner(.stream, UpstreamKey(), Settings.Limits(), behind: CutAnswer(saying: "Hel"))
            #expect(forwarded(&scanner, Chunks.role() + said + Chunks.finish(reason)).failure == nil)
            #expect(scanner.isFinished == isEnd)
            #expect(scanner.failureAtEnd() == (isEnd ? nil : .upstreamFailed(.noAnswer)))
            #expect(forwarded(&scanner, Chunks.done).failure == (isEnd ? nil : .upstreamFailed(.noAnswer)))
            #expect(scanner.isDone == isEnd)
        }
    }

    @Test func `words of which nobody knows what they are stay known until the answer goes on`() {
        let (words, more) = (#"data: {"fault":"the engine died"}"# + "\n\n", #"data: {"x":1}"# + "\n\n")
        let usage = Chunks.usage(prompt: 1, completion: 1)
        for behind in ["", more, usage, more + usage, "data: {}\n\n"] {
            var scanner = scanner()
            #expect(forwarded(&scanner, Chunks.begun() + words + behind).failure == nil)
            #expect(scanner.failureAtEnd()?.message.contains("the engine died") == true, "\(behind)")
        }
        var goingOn = scanner()
        _ = forwarded(&goingOn, Chunks.begun() + words + Chunks.content(" there"))
        #expect(goingOn.failureAtEnd() == .upstreamCutOff)
        // Without words it is one, too.
        var nameless = scanner()
        #expect(forwarded(&nameless, Chunks.begun() + more + Chunks.done).failure != nil)
    }

    @Test func `an object with nothing in it says nothing`() {
        var scanner = scanner()
        #expect(forwarded(&scanner, Chunks.begun() + "data: {}\n\n").failure == nil)
        #expect(scanner.failureAtEnd() == .upstreamCutOff)
        #expect(forwarded(&scanner, Chunks.done).failure == nil && scanner.isDone)
    }

    @Test func `bytes that come one at a time say the same as all at once`() {
        let stream = Chunks.stream(["Hello", " there"]).joined()
        var (whole, single) = (scanner(), scanner())
        let expected = forwarded(&whole, stream)
        var text = ""
        for byte in stream.utf8 {
            text += forwarded(&single, String(decoding: [byte], as: UTF8.self)).text
        }
        #expect(text == expected.text)
        #expect(single.isDone && single.hasToken)
    }

    @Test func `what a caller has not asked for is left out, and what is edited replaced`() {
        var form = AnswerForm(isStreaming: true, showsUsage: false)
        form.edits.systemFingerprint = "session"
        var scanner = scanner(form)
        let (text, failure) = forwarded(
            &scanner, Chunks.content("Hello") + Chunks.usage(prompt: 3, completion: 4) + Chunks.finish() + Chunks.done)
        #expect(failure == nil)
        #expect(text.contains("Hello") && text.contains(#""system_fingerprint":"session""#) && !text.contains("prompt_tokens"))
        #expect(scanner.usage?.promptTokens == 3)
    }

    /// Whose text is kept.
    private var keeping: AnswerForm {
        var form = AnswerForm.stream
        form.keepsText = true
        return form
    }

    @Test func `another stream goes on with the text of one that breaks off, without a role and what it repeats`() throws {
        var first = scanner(keeping)
        _ = forwarded(&first, Chunks.reasoning("Hm") + Chunks.begun("Hel") + "data: {\"choices\":[{\"del")
        let cut = try #require(first.cutAnswer)
        #expect(cut.text == [UInt8](#""Hel""#.utf8))
        var next = EventScanner(.stream, UpstreamKey(), Settings.Limits(), behind: cut)
        #expect(forwarded(&next, Chunks.role() + Chunks.content("He")).failure == nil)
        #expect(!next.hasToken)
        let (text, failure) = forwarded(&next, Chunks.content("llo") + Chunks.content(" there") + Chunks.finish() + Chunks.done)
        #expect(failure == nil && next.hasToken && next.isDone)
        #expect(text == Chunks.content("lo") + Chunks.content(" there") + Chunks.finish() + Chunks.done)
        #expect(next.cutAnswer == nil)
    }

    @Test(arguments: [
        "", Chunks.role(), Chunks.reasoning("Hm"), Chunks.begun("Hel") + Chunks.finish(),
        Chunks.begun("Hel") + Chunks.finish() + Chunks.content("lo"),
        Chunks.begun("Hel") + Chunks.toolCall(0, id: "c", name: "f", arguments: "{"),
        Chunks.begun("Hel") + Chunks.chunk(#"{"refusal":"No"}"#), Chunks.begun("Hel") + Chunks.chunk(#"{"audio":{"id":"a"}}"#),
        Chunks.stream(["Hello"]).joined(), Chunks.begun(String(repeating: "a", count: 65 << 10)),
    ])
    func `none goes on with what is more than text, or no text, or has come to its end`(stream: String) {
        var kept = scanner(keeping)
        _ = forwarded(&kept, stream)
        #expect(kept.cutAnswer == nil)
    }

    @Test func `none goes on with a text that is not kept, and one that is counts as kept`() {
        var (plain, kept) = (scanner(), scanner(keeping))
        for _ in 0..<2 {
            _ = forwarded(&plain, Chunks.content("Hello"))
            _ = forwarded(&kept, Chunks.content("Hello"))
            _ = (plain.discard(), kept.discard())
        }
        #expect(plain.cutAnswer == nil && plain.keptCount == 0)
        #expect(kept.cutAnswer != nil && kept.keptCount == 10)
    }

    @Test func `with speech what waits goes on in the next one's text, and what is open is open there`() throws {
        var form = AnswerForm.spoken
        form.keepsText = true
        var first = scanner(form)
        #expect(contents(forwarded(&first, Chunks.begun("It is *")).text) == "It is ")
        var next = EventScanner(.spoken, UpstreamKey(), Settings.Limits(), behind: first.cutAnswer)
        let text = forwarded(&next, ["*so*", "* 2"].map(Chunks.content).joined() + Chunks.finish() + Chunks.done).text
        #expect(contents(text) == "so 2", "\(text)")
    }

    /// The texts of all deltas.
    private func contents(_ stream: String) -> String {
        stream.split(separator: "\n\n").compactMap { $0.firstMatch(of: /"content":"([^"]*)"/)?.1 }.joined()
    }

    @Test func `with speech the text goes out fit to be spoken, and all else as it is`() {
        var scanner = scanner(.spoken)
        let call = Chunks.toolCall(0, id: "c", name: "f_g_", arguments: #"{"x":"**y** 😀"}"#)
        let (text, failure) = forwarded(
            &scanner,
            Chunks.stream(["<think>", "Hm **", "</th", "ink>\n", "\nSo", " **", "it", "** is", " 🎉", " Yes"]).dropLast(2).joined()
                + call + Chunks.usage(prompt: 1, completion: 2) + Chunks.finish() + Chunks.done)
        #expect(failure == nil && scanner.isDone)
        #expect(
            text
                == (Chunks.stream(["", "", "", "", "So", " ", "it", " is", "", " Yes"]).dropLast(2) + [
                    call, Chunks.usage(prompt: 1, completion: 2), Chunks.finish(), Chunks.done,
                ]).joined())
        #expect(scanner.usage?.completionTokens == 2)
    }

    @Test func `with speech a text without signs goes on in one stretch with all around it`() {
        let stream = Chunks.stream(["Hello", ", it's", " 5 - 3 = 2", "\n", "你好。", " \"Yes\"", " (", "well", ")."]).joined()
        var scanner = scanner(.spoken)
        scanner.append([UInt8](stream.utf8))
        let stretch = scanner.next()
        #expect(String(decoding: scanner.buffer[stretch.range], as: UTF8.self) == stream)
        #expect(scanner.isDone && scanner.eventsCount == 12)
    }

    @Test func `with speech what has waited is said ahead of the end, and counted`() {
        for end in [Chunks.finish() + Chunks.done, Chunks.done] {
            var scanner = scanner(.spoken)
            let (text, failure) = forwarded(&scanner, Chunks.content("5 *") + end)
            let rest = Chunks.content("*").replacing(#""logprobs":null,"#, with: "")
            #expect(failure == nil && scanner.isDone)
            #expect(text == Chunks.content("5 ") + rest + end)
            #expect(scanner.eventsCount == (end == Chunks.done ? 3 : 4))
        }
    }

    @Test(arguments: [#""""#, #""My model""#, "7", #""\#(String(repeating: "m", count: 200))""#])
    func `with speech a model that is fit for no log is looked for in no other event`(model: String) {
        var scanner = scanner(.spoken)
        let chunk = { (text: String) in
            #"data: {"choices":[{"index":0,"delta":{"content":"\#(text)"}}],"model":\#(model)}"# + "\n\n"
        }
        let thoughts = ["<think>", String(repeating: "x", count: 500), "a", "", "</think>"].map(chunk).joined()
        let (text, failure) = forwarded(&scanner, thoughts + chunk("Hello") + Chunks.finish() + Chunks.done)
        #expect(failure == nil && scanner.isDone && text.contains("Hello") && !text.contains("xx"))
        #expect(scanner.model == nil)
    }

    @Test func `with speech a text that is held back whole is an answer all the same`() {
        var scanner = scanner(.spoken)
        let (text, failure) = forwarded(&scanner, Chunks.content("<") + Chunks.done)
        #expect(failure == nil && scanner.isDone && text.contains("\"<\""))
    }

    @Test func `with speech characters that come one at a time say the same as all at once`() {
        let stream = Chunks.stream(["**a", "** <", "b>", "c", "</b> 👩", "\u{200D}🚒", " [x", "](https", "://a.b) ", "*"]).joined()
        var (whole, single) = (scanner(.spoken), scanner(.spoken))
        let expected = forwarded(&whole, stream)
        var text = ""
        for character in stream.unicodeScalars {
            text += forwarded(&single, String(character)).text
            // It asks a copy, which says nothing of what it has asked.
            _ = single.isInsideEvent
        }
        #expect(expected.failure == nil && text == expected.text)
        #expect(single.isDone && single.failureAtEnd() == nil)
    }

    @Test func `with speech two choices are two texts`() {
        var form = AnswerForm.spoken
        form.choices = ChoiceSet(count: 2)
        var scanner = scanner(form)
        let second = { (chunk: String) in chunk.replacing(#""index":0"#, with: #""index":1"#) }
        let (text, failure) = forwarded(
            &scanner,
            Chunks.content("a *") + second(Chunks.content("* b")) + Chunks.content("*c**") + Chunks.finish()
                + second(Chunks.finish())
                + Chunks.done)
        #expect(failure == nil && scanner.isFinished)
        #expect(
            text
                == Chunks.content("a ") + second(Chunks.content("b")) + Chunks.content("c") + Chunks.finish()
                + second(Chunks.finish())
                + Chunks.done)
    }

    @Test func `a done that nothing came before is no end`() {
        var scanner = scanner()
        #expect(forwarded(&scanner, Chunks.role() + Chunks.done) == (Chunks.role(), .upstreamFailed(.noAnswer)))
        #expect(!scanner.isDone)
    }

    @Test func `nothing goes on from an error on`() {
        var scanner = scanner()
        let (text, failure) = forwarded(&scanner, Chunks.content("A") + "event: error\ndata: {}\n\n" + Chunks.content("B"))
        #expect(text == Chunks.content("A"))
        #expect(failure != nil)
    }
}
