import Foundation
import TestSupport
import Testing

/// `filler`: what a caller on the phone hears while the model is silent.
@Suite struct `A filler` {
    private static let quick = #"filler = {after = "50ms", again = "50ms", texts = ["One moment.", "Let me check."]}"#

    private func settings(_ filler: String = quick, _ more: String = "") -> String {
        "heartbeat = \"20ms\"\ntimeouts = {first_token = \"10m\", idle = \"10m\"}\n\(filler)\n\(more)\n\(plainSettings)"
    }

    /// Chunks of Sluice's own have no `logprobs`.
    private func own(_ text: String, isFirst: Bool = false) -> String {
        (isFirst ? #"{"role":"assistant","content":"# : #"{"content":"#) + quoted(text).replacing(#"\/"#, with: "/") + "}"
    }

    private func rolesCount(_ response: Received) -> Int { response.text.components(separatedBy: #""role""#).count - 1 }

    /// What stands in the deltas of all frames, as JSON.
    private func deltas(_ response: Received) -> [String] {
        response.frames.compactMap { frame in
            guard let start = frame.firstRange(of: #""delta":"#), let end = frame.firstRange(of: #","finish_reason""#) else {
                return nil
            }
            return String(frame[start.upperBound..<end.lowerBound]).replacing(#","logprobs":null"#, with: "")
        }
    }

    @Test(arguments: WebServer.selected)
    func `is said while nothing comes, and the answer goes on behind it as one message`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(Reply([.wait(gate)] + Chunks.stream(["Hello", " there"]).map(Reply.Step.text)))
        try await Site.with(server, upstream: upstream, settings: settings()) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "One moment.")
            try await stream.arrival(of: "Let me check.")
            gate.open()
            let response = try await stream.ended()
            #expect(response.status == 200 && response.end == .complete)
            #expect(
                deltas(response) == [
                    own("One moment. ", isFirst: true), own("Let me check. "), #"{"content":"","refusal":null}"#, own("Hello"),
                    own(" there"), "{}",
                ])
            #expect(response.frames.last == Chunks.done && rolesCount(response) == 1)
            #expect(try await site.requestLines(1)[0].contains(#""fillers":2,"#))
        }
    }

    @Test(arguments: WebServer.selected.prefix(1))
    func `changes nothing where the token is in time`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"])))
        let late = #"filler = {after = "1h", texts = ["One moment."]}"#
        try await Site.with(server, upstream: upstream, settings: settings(late)) { site in
            try await site.answers(Chunks.stream(["Hello"]))
            #expect(try await !site.requestLines(1)[0].contains("fillers"))
        }
    }

    @Test(arguments: [
        (#"mark = "vapi""#, "One moment. <flush />"), (#"mark = "elevenlabs""#, "One moment... "),
        (#"mark = "elevenlabs", texts = ["One moment ….."]"#, "One moment ... "),
        (#"mark = "none""#, "One moment. "),
    ])
    func `ends as the platform wants it`(mark: String, text: String) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(Reply([.wait(gate)] + Chunks.stream(["Hello"]).map(Reply.Step.text)))
        let texts = mark.contains("texts") ? "" : #"texts = ["One moment."], "#
        let filler = #"filler = {after = "20ms", \#(texts)max = 1, \#(mark)}"#
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings(filler)) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "One moment")
            gate.open()
            #expect(deltas(try await stream.ended()).first == own(text, isFirst: true))
        }
    }

    /// Turns of one call, as a platform sends them, and the text that each begins with.
    @Test func `is another one in each turn of a call`() async throws {
        let upstream = try StubUpstream(.silence)
        let filler = #"filler = {after = "20ms", texts = ["One.", "Two.", "Three."], max = 2, again = "1h"}"#
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings(filler)) { site in
            let user = #"{"role":"user","content":"Hi"}"#
            let assistant = { (text: String) in #"{"role":"assistant","content":"\#(text)"}"# }
            for (messages, text) in [
                ([user], "One."), ([user, assistant("One. Hello."), user], "Two."),
                ([user, assistant("x"), user, assistant("y"), user], "Three."),
                ([user, assistant("One… <flush /> Two. Hello."), user], "Three."),
                ([user, assistant("Three. I call."), #"{"role":"tool","tool_call_id":"c","content":"1"}"#], "One."),
            ] {
                let stream = try site.call(
                    ChatCall(#"{"model":"m","messages":[\#(messages.joined(separator: ","))],"stream":true}"#))
                _ = try await stream.received.wait(for: "a filler") { received in received.frames.first.map { $0.contains(text) }
                }
                #expect(stream.received.value.frames.first?.contains(quoted("\(text) ")) == true, "\(stream.received.value.text)")
                stream.close()
            }
        }
    }

    @Test(arguments: [("", false), ("spoken_error = \"Sorry.\"", true)])
    func `is never the whole answer`(more: String, isSpoken: Bool) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.raw([.wait(gate), .text("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")]))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings(Self.quick, more)) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "Let me check.")
            gate.open()
            let response = try await stream.ended()
            #expect(rolesCount(response) == 1)
            #expect(response.text.contains("[DONE]") == isSpoken)
            if isSpoken {
                #expect(deltas(response).suffix(2) == [own(" Sorry."), "{}"])
            } else {
                #expect(response.errorFrame?.type == "upstream_error")
            }
        }
    }

    @Test func `goes ahead of another target's answer, also of one in one piece`() async throws {
        let gate = try Gate()
        let slow = try StubUpstream(.silence)
        let other = try StubUpstream { request in
            request.text.contains("whole")
                ? Reply(contentType: "application/json", [.wait(gate), .text(Chunks.completion("b"))])
                : Reply([.wait(gate)] + Chunks.stream(["b"]).map(Reply.Step.text))
        }
        let file = """
            heartbeat = "0s"
            retries = 0
            \(Self.quick)
            timeouts.first_token = "300ms"
            [upstreams.slow]
            url = "\(slow.url)"
            [upstreams.other]
            url = "\(other.url)"
            [[models]]
            match = "*"
            targets = ["slow", {upstream = "other", first_token = "10m"}]
            """
        try await Site.with(WebServer.selected[0], upstream: slow, settings: file) { site in
            for text in ["streamed", "whole"] {
                let stream = try site.call(chat(text))
                try await stream.arrival(of: "One moment.")
                _ = try await other.request(containing: text)
                gate.open()
                let response = try await stream.ended()
                #expect(response.frames.last == Chunks.done && rolesCount(response) == 1, "\(response.text)")
                #expect(deltas(response).contains { $0.contains(#""content":"b""#) })
            }
        }
        try await other.stop()
    }

    @Test(arguments: [#","n":2"#, #","response_format":{"type":"json_object"}"#])
    func `is none where a sentence would be none`(members: String) async throws {
        let gate = try Gate()
        let answer =
            members.contains(#""n""#)
            ? [Chunks.finish(), Chunks.finish().replacing(#""index":0"#, with: #""index":1"#)] : [Chunks.finish()]
        let upstream = try StubUpstream(
            Reply([.wait(gate)] + (Chunks.stream(["{}"]).dropLast(2) + answer + [Chunks.done]).map(Reply.Step.text)))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings()) { site in
            let stream = try site.call(chat(members: members))
            // Longer than all fillers would have taken.
            try await stream.received.wait(for: "heartbeats") { $0.events.count { $0.hasPrefix(": keep-alive") } >= 12 }
            gate.open()
            let response = try await stream.ended()
            #expect(!response.text.contains("moment") && !response.text.contains("check"), "\(response.text)")
        }
    }

    @Test(arguments: WebServer.selected.filter(\.noticesLeavingClients))
    func `has the upstream told of a caller who leaves behind it`(server: WebServer) async throws {
        let upstream = try StubUpstream(.silence)
        try await Site.with(server, upstream: upstream, settings: settings()) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "One moment.")
            stream.close()
            try await upstream.peerClosed()
        }
    }

    @Test func `and the answer are one text to the openai package`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(Reply([.wait(gate)] + Chunks.stream(["Hello", " there"]).map(Reply.Step.text)))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings()) { site in
            let child = try Python.start("sdk.py", ["stream"], site: site)
            _ = try await ChildProcess.line(containing: "Let me check.", in: child.output)
            gate.open()
            #expect(try await child.exited() == .code(0), "\(child.errors.value.text)")
            try await child.output.wait(for: "the end of its output") { $0.ended }
            let lines = child.output.value.lines
            #expect(
                lines.first?.contains("One moment. ") == true && lines.suffix(3).first?.contains(" there") == true, "\(lines)")
            #expect(lines.contains { $0.contains("\"finish_reason\": \"stop\"") } && lines.last?.contains("end") == true)
        }
    }
}
