import Foundation
import TestSupport
import Testing

/// `on_cut = "continue"`: where an answer breaks off, another one goes on with it.
@Suite struct `An answer that another one goes on with` {
    private static func settings(_ more: String = "", idle: String = "10m") -> String {
        """
        heartbeat = "0s"
        on_cut = "continue"
        timeouts = {first_token = "10m", idle = "\(idle)"}
        \(more)
        \(plainSettings)
        """
    }

    private static let sentence = #"spoken_cut = "Sorry.""#

    /// First what breaks off, then what goes on.
    private static func upstream(_ first: [Reply.Step], _ second: Reply) throws -> StubUpstream {
        try StubUpstream { $0.isContinuation ? second : Reply(first) }
    }

    /// Expects one whole message with this text.
    private func expect(_ text: String, in response: Received) {
        let choices = response.choices
        #expect(response.status == 200 && response.end == .complete)
        #expect(choices.compactMap(\.delta.content).joined() == text, "\(response.text)")
        #expect(choices.compactMap(\.delta.role) == ["assistant"], "\(response.text)")
        #expect(choices.compactMap(\.finishReason) == ["stop"], "\(response.text)")
        let endsCount = response.frames.count { $0 == Chunks.done }
        #expect(response.frames.last == Chunks.done && endsCount == 1, "\(response.text)")
    }

    @Test(
        arguments: WebServer.selected,
        [
            ([.close], "cut"), ([.read, .reset], "cut"), ([.silence], "timeout.idle"),
            ([.text("data: {\"choices\":[{\"del"), .close], "cut"),
            ([.text("data: \(Chunks.error("gone", type: "server_error"))\n\n"), .silence], "upstream_reported_error"),
            ([.text("data: garbage\n\n"), .silence], "upstream_garbage"),
        ] as [([Reply.Step], String)])
    func `is one with it for the caller, and the log says why`(server: WebServer, cut: (steps: [Reply.Step], cause: String))
        async throws
    {
        let rest = Chunks.stream(["lo", " there"]).joined()
        let upstream = try Self.upstream([.text(Chunks.begun("Hel"))] + cut.steps, .stream([rest]))
        let idle = cut.cause == "timeout.idle" ? "300ms" : "10m"
        try await Site.with(server, upstream: upstream, settings: Self.settings(Self.sentence, idle: idle)) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.text.hasPrefix(Chunks.begun("Hel")))
            expect("Hello there", in: response)
            #expect(upstream.requests.value.count == 2)
            let line = try await site.requestLines(1)[0]
            #expect(line.contains(#""level":"warning""#), "\(line)")
            #expect(line.contains(#""status":200,"ending":"continued","cause":"\#(cut.cause)""#), "\(line)")
            #expect(line.contains(#"{"upstream":"stub","outcome":"\#(cut.cause)""#), "\(line)")
            #expect(line.contains(#"{"upstream":"stub","outcome":"won""#), "\(line)")
        }
    }

    @Test func `is counted as such, and so is the attempt that broke off`() async throws {
        let upstream = try Self.upstream([.text(Chunks.begun("Hel")), .close], .stream([Chunks.stream(["lo"]).joined()]))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: Self.settings()) { site in
            expect("Hello", in: try await site.call(chat()).ended())
            try await eventually("it is counted") {
                try await Scrape(of: site).sum("sluice_requests_total", [#"ending="continued""#]) == 1
            }
            let scrape = try await Scrape(of: site)
            #expect(scrape.sum("sluice_requests_total") == 1)
            let operations = "gen_ai_client_operation_duration_seconds_count"
            #expect(scrape.sum(operations, [#"error_type="cut""#]) == 1)
            #expect(scrape.sum(operations) == 2)
        }
    }

    /// Each takes two seconds, and three are for both.
    @Test func `has what is left of the time for all of the answer`() async throws {
        let pause = Reply.Step.pause(.seconds(2))
        let upstream = try Self.upstream(
            [.text(Chunks.begun("Hel")), pause, .close],
            Reply([.text(Chunks.begun("lo")), pause] + Chunks.stream([" there"]).dropFirst().map(Reply.Step.text)))
        let settings = Self.settings().replacing(#"idle = "10m""#, with: #"idle = "10m", total = "3s""#)
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.errorFrame != nil && !response.text.contains("[DONE]"), "\(response.text)")
            let line = try await site.requestLines(1)[0]
            #expect(line.contains(#""status":200,"ending":"timeout.total""#), "\(line)")
            #expect(upstream.requests.value.count == 2)
        }
    }

    /// Lines of the upstream's table, and what follows the text in the messages and in the body.
    @Test(arguments: [
        ("", #"},{"role":"user","content":"Your last message was cut off."#, "\"stream\":true}"),
        ("continue.prompt = \"Weiter!\"", #"},{"role":"user","content":"Weiter!"}]"#, ""), ("continue.prompt = \"\"", "}]", ""),
        ("continue.message = {prefix = true}", #","prefix":true}]"#, ""),
        (
            "continue.set = {continue_final_message = true, add_generation_prompt = false}", "}]",
            #","continue_final_message":true,"add_generation_prompt":false}"#
        ),
    ])
    func `is asked for with the text so far, in the upstream's own way`(lines: String, behind: String, end: String) async throws {
        let upstream = try Self.upstream(
            [.text(Chunks.begun("Hel")), .text(Chunks.content("lo \"you\"\n")), .close],
            .stream([Chunks.stream(["there"]).joined()]))
        let settings = Self.settings() + "usage = false\n\(lines)\n"
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            expect("Hello \"you\"\nthere", in: try await site.call(chat("Hi")).ended())
            let requests = upstream.requests.value.map(\.text)
            #expect(requests.count == 2)
            #expect(!requests[0].contains("assistant") && !requests[0].contains("continue_final_message"))
            let messages = #""messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello \"you\"\n""#
            #expect(requests[1].contains(messages + behind) && requests[1].hasSuffix(end), "\(requests[1])")
        }
    }

    /// What has come, one object that goes on with it, and what the caller gets.
    @Test(arguments: [
        (
            "", "I have found three flights to Rome. ", "I have found three flights to Rome. The first",
            "I have found three flights to Rome. The first"
        ),
        (
            "speech = [\"markdown\", \"links\"]", "Hello there. See [the", " page](http://x.example/y) now.",
            "Hello there. See the page now."
        ),
        ("", "Hel", "lo", "Hello"),
    ])
    func `is as good in one piece`(settings: String, first: String, second: String, text: String) async throws {
        let upstream = try Self.upstream([.text(Chunks.begun(first)), .close], .json(Chunks.completion(second)))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: Self.settings(settings)) { site in
            let response = try await site.call(chat()).ended()
            expect(text, in: response)
            #expect(try await site.requestLines(1)[0].contains(#""ending":"continued""#))
        }
    }

    @Test func `comes from the next target, and from none that has failed before`() async throws {
        let cut = try Self.upstream([.text(Chunks.begun("Hel")), .close], .stream([Chunks.stream(["wrong"]).joined()]))
        let other = try StubUpstream(.stream([Chunks.stream(["lo"]).joined()]))
        let models = """
            [upstreams.down]
            url = "http://127.0.0.1:1/v1"
            [upstreams.other]
            url = "\(other.url)"
            [[models]]
            match = "*"
            targets = ["down", "stub", {upstream = "other", model = "m-2"}]
            """
        try await Site.with(WebServer.selected[0], upstream: cut, settings: Self.settings() + models) { site in
            expect("Hello", in: try await site.call(chat()).ended())
            #expect(cut.requests.value.count == 1)
            let request = try await other.request()
            #expect(request.isContinuation && request.text.contains(#""model":"m-2""#))
            let line = try await site.requestLines(1)[0]
            #expect(line.contains(#""upstream":"other","model":"#), "\(line)")
            #expect(line.components(separatedBy: #"{"upstream":"down""#).count == 2, "\(line)")
        }
        try await other.stop()
    }

    @Test func `comes from the same target again where the next one is late`() async throws {
        let upstream = try Self.upstream(
            [.text(Chunks.begun("Hel")), .close], .stream([Chunks.stream(["lo"]).joined()]))
        let slow = try StubUpstream(.begun(Chunks.stream([""])))
        let models = """
            [upstreams.slow]
            url = "\(slow.url)"
            [[models]]
            match = "*"
            targets = ["stub", {upstream = "slow", first_token = "300ms"}]
            """
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: Self.settings() + models) { site in
            expect("Hello", in: try await site.call(chat()).ended())
            try await slow.peerClosed()
            let line = try await site.requestLines(1)[0]
            #expect(line.contains(#"{"upstream":"slow","outcome":"timeout.first_token""#), "\(line)")
        }
        try await slow.stop()
    }

    /// More of the request, and what comes of the answer behind its first text.
    @Test(arguments: [
        (#","tools":[{"type":"function","function":{"name":"f"}}]"#, Chunks.toolCall(0, id: "c", name: "f", arguments: "{\"a")),
        (#","n":2"#, ""), (#","response_format":{"type":"json_object"}"#, ""), ("", Chunks.chunk(#"{"refusal":"No"}"#)),
        ("", Chunks.chunk(#"{"audio":{"id":"a"}}"#)), ("", Chunks.content(String(repeating: "a", count: 65 << 10))),
    ])
    func `is none behind more than text, nor for other answers than one text`(members: String, more: String) async throws {
        let upstream = try Self.upstream(
            [.text(Chunks.begun("Hel") + more), .close], .stream([Chunks.stream(["lo"]).joined()]))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: Self.settings()) { site in
            let response = try await site.call(chat(members: members)).ended()
            #expect(response.errorFrame?.code == "upstream_cut_off" && !response.text.contains("[DONE]"))
            #expect(upstream.requests.value.count == 1)
            #expect(try await site.requestLines(1)[0].contains(#""ending":"cut""#))
        }
    }

    /// An upstream's verdict on the answer holds for all; behind a finish reason there is nothing to go on with.
    @Test(arguments: [
        ("data: \(Chunks.error("not this", code: "400"))\n\n", false), (Chunks.finish() + "data: garbage\n\n", false),
        (Chunks.finish(), true),
    ])
    func `is none behind a verdict or a finish reason`(more: String, isWhole: Bool) async throws {
        let upstream = try Self.upstream(
            [.text(Chunks.begun("Hel") + more)], .stream([Chunks.stream(["lo"]).joined()]))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: Self.settings()) { site in
            let response = try await site.call(chat()).ended()
            #expect((response.errorFrame == nil) == isWhole && response.text.contains("[DONE]") == isWhole, "\(response.text)")
            #expect(upstream.requests.value.count == 1)
        }
    }

    /// What the second one does, with the sentence and without.
    @Test(
        arguments: [
            (.raw(.close), "upstream_no_answer"), (.json(Chunks.error("no"), status: 500), "failed.500"),
            (.json(Chunks.error("no"), status: 400), "refused.400"), (Reply([.text(Chunks.role()), .close]), "cut"),
            (Reply([.text(Chunks.begun("lo")), .close]), "cut"), (Reply([.text(Chunks.begun("lo")), .read, .reset]), "cut"),
            (.stream([Chunks.stream([""]).joined()]), "upstream_no_answer"),
            (.stream([Chunks.role() + Chunks.reasoning("Hm.") + Chunks.finish()]), "upstream_no_answer"),
            (.stream([Chunks.role() + Chunks.finish("content_filter") + Chunks.done]), "upstream_no_answer"),
            (.json(Chunks.completion("")), "upstream_no_answer"),
        ] as [(Reply, String)], [true, false])
    func `may fail itself: then the sentence is said, or the error told, and nobody goes on`(
        second: (reply: Reply, cause: String), isSpoken: Bool
    ) async throws {
        let upstream = try Self.upstream([.text(Chunks.begun("Hel")), .close], second.reply)
        try await Site.with(
            WebServer.selected[0], upstream: upstream, settings: Self.settings(isSpoken ? Self.sentence : "")
        ) { site in
            let response = try await site.call(chat()).ended()
            let line = try await site.requestLines(1)[0]
            let text = response.choices.compactMap(\.delta.content).joined()
            if isSpoken {
                expect(text, in: response)
                #expect(text.hasPrefix("Hel") && text.hasSuffix(" Sorry."))
                #expect(line.contains(#""ending":"spoken_cut","cause":"\#(second.cause)""#), "\(line)")
            } else {
                #expect(response.errorFrame != nil && !response.text.contains("[DONE]"), "\(response.text)")
                #expect(text.hasPrefix("Hel") && line.contains(#""ending":"\#(second.cause)""#), "\(line)")
            }
            #expect(upstream.requests.value.count == 2)
        }
    }

    @Test(arguments: WebServer.selected.filter(\.noticesLeavingClients))
    func `is called off when the caller leaves in between`(server: WebServer) async throws {
        let upstream = try Self.upstream([.text(Chunks.begun("Hel")), .close], .silence)
        try await Site.with(server, upstream: upstream, settings: Self.settings()) { site in
            let stream = try site.call(chat())
            let second = try await upstream.request(1)
            #expect(second.isContinuation)
            stream.close()
            try await second.closedByPeer()
            let line = try await site.requestLines(1)[0]
            #expect(line.contains(#""status":200,"ending":"caller_left""#), "\(line)")
        }
    }

    @Test(arguments: WebServer.selected.filter(\.noticesLeavingClients))
    func `is not asked for when the caller has left before`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try Self.upstream([.text(Chunks.begun("Hel")), .wait(gate), .close], .silence)
        try await Site.with(server, upstream: upstream, settings: Self.settings()) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "Hel")
            stream.close()
            try await upstream.peerClosed()
            #expect(try await site.requestLines(1)[0].contains(#""ending":"caller_left""#))
            #expect(upstream.requests.value.count == 1)
        }
    }

    @Test func `is the same message as a filler, and hears nothing of it`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            let first: [Reply.Step] = [.text(Chunks.begun("Hel")), .close]
            return Reply([.wait(gate)] + (request.isContinuation ? Chunks.stream(["lo"]).map(Reply.Step.text) : first))
        }
        let filler = #"filler = {after = "20ms", again = "20ms", texts = ["One moment."], max = 1}"#
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: Self.settings(filler)) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "One moment.")
            gate.open()
            let second = try await upstream.request(1)
            gate.open()
            expect("One moment. Hello", in: try await stream.ended())
            #expect(!second.text.contains("moment"))
            #expect(try await site.requestLines(1)[0].contains(#""fillers":1,"#))
        }
    }

    @Test func `has comments ahead of it while it is waited for`() async throws {
        let gate = try Gate()
        let upstream = try Self.upstream(
            [.text(Chunks.begun("Hel")), .close], Reply([.wait(gate)] + Chunks.stream(["lo"]).map(Reply.Step.text)))
        let settings = Self.settings().replacing("heartbeat = \"0s\"", with: "heartbeat = \"20ms\"")
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            let stream = try site.call(chat())
            _ = try await upstream.request(1)
            try await stream.arrival(of: ": keep-alive\n\n: keep-alive\n\n")
            gate.open()
            expect("Hello", in: try await stream.ended())
        }
    }

    @Test func `takes up the text as the model wrote it, and speech goes on where it was`() async throws {
        let upstream = try Self.upstream(
            [.text(Chunks.begun("It is **s")), .close], .stream([Chunks.stream(["o** far", " `away`"]).joined()]))
        let settings = Self.settings("speech = [\"markdown\"]")
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            expect("It is so far away", in: try await site.call(chat()).ended())
            #expect(upstream.requests.value[1].text.contains(#"{"role":"assistant","content":"It is **s"}"#))
        }
    }

    @Test(arguments: [
        (["Hello", " there"], ["Hello", " there", ", you"], "Hello there, you"),
        (
            ["I have found three flights."], ["three fl", "ights. One", " is early."],
            "I have found three flights. One is early."
        ),
        (["Well, no"], [" no."], "Well, no no."),
    ])
    func `is heard without what it repeats`(first: [String], second: [String], text: String) async throws {
        let upstream = try Self.upstream(
            [.text(Chunks.role() + first.map(Chunks.content).joined()), .close],
            Reply(Chunks.stream(second).map(Reply.Step.text)))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: Self.settings()) { site in
            expect(text, in: try await site.call(chat()).ended())
        }
    }

    /// What the first one says of its usage, if it says anything, and the tokens that a client's budget has less then.
    @Test(arguments: [true, false]) func `counts with it towards the client's budget and in the log`(isSaid: Bool) async throws {
        let usage = isSaid ? Chunks.usage(prompt: 5, completion: 1) : ""
        let whole = Chunks.stream(["lo"])
        let rest = (whole.dropLast() + [Chunks.usage(prompt: 9, completion: 700)] + whole.suffix(1)).joined()
        let upstream = try StubUpstream { request in
            if !request.text.contains(#""stream":true"#) { return .json(Chunks.completion("Hello")) }
            return request.isContinuation ? .stream([rest]) : Reply([.text(Chunks.begun("Hel") + usage), .close])
        }
        try await ProcessSite.with(
            "on_cut = \"continue\"", upstream: upstream, upstreamLines: "[clients.shop]\ntokens_per_day = 10000", options: []
        ) { site in
            let body = String(decoding: chat(stream: true).body, as: UTF8.self)
            let name = [(name: "SLUICE_CLIENT", value: "shop")]
            let call = try DirectCall(to: site.sluice.socket, "POST", "/v1/chat/completions", name, body: body)
            #expect(try await call.response().contains("[DONE]"))
            let next = String(decoding: chat(stream: false).body, as: UTF8.self)
            let answer = try BudgetAnswer(
                try await DirectCall(to: site.sluice.socket, "POST", "/v1/chat/completions", name, body: next).response())
            // Of the first one, without a word of its own, the request's estimate and a token for each event count.
            let first = isSaid ? 6 : (body.utf8.count + 3) / 4 + 2
            #expect(answer.tokensLeft == 10_000 - first - 709 - 5)
            let said = isSaid ? (14, 701) : (9, 700)
            try await site.logs(1, #""prompt_tokens":\#(said.0),"completion_tokens":\#(said.1)"#)
        }
    }

    /// What a client's day has besides the tokens of one request, and whether that is enough for the request once more.
    @Test(arguments: [(5, false), (200, true)])
    func `is asked for only where the client has as much left`(more: Int, isEnough: Bool) async throws {
        let upstream = try StubUpstream { request in
            request.isContinuation ? .stream(Chunks.stream(["lo"])) : Reply([.text(Chunks.begun("Hel")), .close])
        }
        let body = String(decoding: chat(members: #","max_tokens":1000"#).body, as: UTF8.self)
        // Four bytes are a token.
        let tokens = (body.utf8.count + 3) / 4 + 1000 + more
        try await ProcessSite.with(
            "on_cut = \"continue\"", upstream: upstream, upstreamLines: "[clients.shop]\ntokens_per_day = \(tokens)", options: []
        ) { site in
            let name = [(name: "SLUICE_CLIENT", value: "shop")]
            let call = try DirectCall(to: site.sluice.socket, "POST", "/v1/chat/completions", name, body: body)
            #expect(try await call.response().contains("[DONE]") == isEnough)
            try await site.logs(1, isEnough ? #""ending":"continued""# : #""ending":"cut""#)
            #expect(upstream.requests.value.count == (isEnough ? 2 : 1))
        }
    }

    @Test(arguments: ["stream", "async_stream"]) func `is a whole answer to the openai package`(script: String) async throws {
        let upstream = try Self.upstream(
            [.text(Chunks.begun("Hel")), .read, .reset], .stream(Chunks.stream(["lo", " there"])))
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: Self.settings()) { site in
            let lines = try await site.lines(of: "sdk.py", [script])
            let seen = try lines.map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: any Sendable] ?? [:] }
            #expect(seen.compactMap { $0["content"] as? String } == ["Hel", "lo", " there"], "\(lines)")
            #expect(seen.compactMap { $0["finish_reason"] as? String } == ["stop"] && seen.last?["end"] != nil, "\(lines)")
        }
    }
}

extension UpstreamRequest {
    /// Whether it has a text that it is to go on with.
    fileprivate var isContinuation: Bool { text.contains(#""role":"assistant""#) }
}

extension Received {
    /// What a chunk says of a choice.
    fileprivate struct Choice: Decodable {
        struct Delta: Decodable {
            let role: String?
            let content: String?
        }
        let delta: Delta
        let finishReason: String?
    }

    /// Those of all chunks, in their order.
    fileprivate var choices: [Choice] {
        struct Chunk: Decodable { let choices: [Choice] }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        // What is no chunk, as `[DONE]` or an error, has no choices.
        return frames.flatMap { (try? decoder.decode(Chunk.self, from: Data($0.utf8.dropFirst(6))))?.choices ?? [] }
    }
}
