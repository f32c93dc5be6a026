import Foundation
import TestSupport
import Testing

/// `hook`: what is asked before each turn, and may put messages in, answer or refuse.
@Suite(.timeLimit(.minutes(20))) struct `A hook` {
    private static let system = #"{"role":"system","content":"Be brief."}"#
    private static let user = #"{"role":"user","content":"Hello"}"#

    private func call(_ messages: String = "\(system),\(user)", stream: Bool = true, model: String = "stub-1") -> ChatCall {
        ChatCall(#"{"model":"\#(model)","messages":[\#(messages)],"stream":\#(stream)}"#)
    }

    // MARK: What it is asked

    @Test(arguments: [
        (#"send = "last""#, #""message":\#(user)}"#), (#"send = "messages""#, #""messages":[\#(system),\#(user)]}"#),
    ])
    func `is told whose turn it is and what the user says, with its own headers`(send: String, said: String) async throws {
        let hook = try StubUpstream(.nothingToSay)
        let members = #"headers = {Authorization = "Bearer ${HOOK_KEY}", X-Tenant = "north"}, \#(send)"#
        try await HookSite.with(hook, members, environment: ["HOOK_KEY": "planted-key"]) { site in
            var call = ChatCall(
                #"{"model":"stub-1","messages":[\#(Self.system),\#(Self.user)],"stream":true,"call":{"id":"4f2c7a1e-vapi-call"}}"#
            )
            call.fields = [("X-Request-Id", "turn-1"), ("X-Client-Request-Id", "mine")]
            site.answers(try await site.site.call(call).ended())
            let request = try await hook.request()
            #expect(request.method == "POST" && request.path == "/turn")
            #expect(request.head["Content-Type"] == "application/json")
            #expect(request.head["Authorization"] == "Bearer planted-key" && request.head["X-Tenant"] == "north")
            #expect(request.head["X-Client-Request-Id"] == "mine")
            #expect(
                request.text == #"{"request":"turn-1","client":"first","call":"4f2c7a1e-vapi-call","model":"stub-1","route":"*","#
                    + said)
        }
    }

    @Test func `is nowhere shown with its headers' values, nor is what it and the caller say`() async throws {
        let hook = try StubUpstream { request in
            request.text.contains("first secret")
                ? .json(#"{"prepend":[{"role":"user","content":"planted-message"}]}"#) : .json(#"{"planted-member":1}"#)
        }
        let members = #"headers = {X-Key = "planted-header"}"#
        try await HookSite.with(hook, members, settings: #"log.level = "trace""#) { site in
            for text in ["first secret", "second secret"] { site.answers(try await site.site.call(chat(text)).ended()) }
            _ = try await site.line(2)
            let log = site.site.sluice.process.errors.value.text
            #expect(!log.contains("planted") && !log.contains("secret"))
            let path = site.site.directory.path("sluice.toml")
            let shown = try await SluiceRun(["check", "--config", path, "--show"])
            #expect(shown.exit == .code(0), "\(shown.errors)")
            #expect(!shown.output.contains("planted") && !shown.output.contains("/turn"))
            #expect(shown.output.contains(#"headers = {X-Key = "***"}"#))
        }
    }

    /// Over a connection that has served before.
    @Test func `is asked once also where it ends the connection without an answer`() async throws {
        let hook = try StubUpstream { $0.text.contains("act") ? .raw(.close) : .nothingToSay }
        try await HookSite.with(hook, #"timeout = "60s", on_failure = "deny""#, options: ["--workers", "1"]) { site in
            site.answers(try await site.site.call(chat("Hi")).ended())
            let answer = try await site.site.call(chat("act")).ended()
            #expect(answer.status == 503 && answer.error?.code == "hook_unavailable")
            #expect(hook.requests.value.count == 2 && hook.connectionsEver == 1)
            #expect(try await site.line(2).contains(#""hook":"cut","#))
        }
    }

    @Test func `is not quoted to callers by an upstream's error, ahead of the answer and behind its begin`() async throws {
        let hook = try StubUpstream(.json(#"{"append":[{"role":"user","content":"planted: account 12, balance 99"}]}"#))
        let upstream = try StubUpstream { request in
            let error = Chunks.error("failed for " + request.text)
            return request.text.contains("begun") ? .stream([Chunks.begun(), "data: \(error)\n\n"]) : .json(error, status: 400)
        }
        try await HookSite.with(hook, upstream: upstream) { site in
            for (text, status) in [("at once", 400), ("begun", 200)] {
                let answer = try await site.site.call(chat(text)).ended()
                #expect(answer.status == status && (answer.error ?? answer.errorFrame) != nil)
                #expect(!answer.text.contains("planted") && !answer.text.contains("balance"), "\(answer.text)")
            }
        }
    }

    // MARK: What it answers

    private static let (context, more) = (#"{"role":"system","content":"It rains."}"#, #"{"role":"user","content":"So?"}"#)

    /// Its answer, the messages that the upstream gets, and the word for it.
    private static let puttingIn: [(answer: Reply, messages: String, word: String)] = [
        (.nothingToSay, "\(system),\(user)", "passed"), (.json("{}"), "\(system),\(user)", "passed"),
        (.json(#"{"prepend":[],"append":null}"#), "\(system),\(user)", "passed"),
        (.json(#"{"prepend":[\#(context)]}"#), "\(system),\(context),\(user)", "put_in"),
        (.json(#"{"append":[\#(context),\#(more)]}"#), "\(system),\(user),\(context),\(more)", "put_in"),
        (.json(#"{"prepend":[\#(context)],"append":[\#(more)]}"#), "\(system),\(context),\(user),\(more)", "put_in"),
    ]

    @Test(arguments: [true, false])
    func `puts messages among the caller's, or none`(stream: Bool) async throws {
        let hook = try StubUpstream { request in
            Self.puttingIn[Int(request.text.components(separatedBy: "turn-")[1].prefix { $0.isNumber }) ?? 0].answer
        }
        try await HookSite.with(hook) { site in
            for (number, row) in Self.puttingIn.enumerated() {
                var call = call(stream: stream)
                call.fields = [("X-Request-Id", "turn-\(number)")]
                site.answers(try await site.site.call(call).ended(), stream: stream)
                let request = try await site.site.upstream.request(number)
                #expect(request.text.contains(#""messages":[\#(row.messages)]"#), "\(request.text)")
                let line = try await site.line(number + 1)
                #expect(line.contains(#""hook":"\#(row.word)","hook_ms":"#) && line.contains(#""ending":"done""#), "\(line)")
            }
        }
    }

    @Test func `has its messages go by the upstream's rules as the caller's do`() async throws {
        let hook = try StubUpstream(.json(#"{"prepend":[{"role":"developer","content":"a","time":1}]}"#))
        let rules = plainSettings + #"roles = {developer = "system"}"#
        try await HookSite.with(hook, rest: rules) { site in
            site.answers(try await site.site.call(chat()).ended())
            let request = try await site.site.upstream.request()
            #expect(request.text.contains(#""messages":[{"role":"system","content":"a"},\#(Self.user)]"#), "\(request.text)")
        }
    }

    @Test(arguments: [true, false])
    func `answers itself, and no model is asked`(stream: Bool) async throws {
        let hook = try StubUpstream(.json(#"{"say":"Good \"day\"."}"#))
        try await HookSite.with(hook) { site in
            let response = try await site.site.call(call(stream: stream)).ended()
            #expect(response.status == 200 && response.end == .complete)
            if stream {
                #expect(response.said.text == "Good \"day\"." && response.said.rolesCount == 1, "\(response.text)")
                #expect(response.frames.suffix(2).first?.contains(#""delta":{},"finish_reason":"stop""#) == true)
                #expect(response.frames.last == Chunks.done)
            } else {
                #expect(
                    response.text.contains(
                        #""model":"stub-1","choices":[{"index":0,"message":{"role":"assistant","content":"Good \"day\".","#
                            + #""refusal":null},"finish_reason":"stop"}]}"#), "\(response.text)")
                #expect(response.head?.contentType == "application/json")
            }
            #expect(!response.text.contains("usage"))
            #expect(site.site.upstream.requests.value.isEmpty)
            let line = try await site.line()
            #expect(
                line.contains(#""hook":"said","#) && line.contains(#""ending":"done""#) && !line.contains("upstream"), "\(line)")
        }
    }

    @Test func `that answers itself is an answer to the openai package`() async throws {
        let hook = try StubUpstream(.json(#"{"say":"Good day."}"#))
        try await HookSite.with(hook) { site in
            for script in ["stream", "complete"] {
                let child = try Python.start("sdk.py", [script], site: site.site)
                #expect(try await child.exited() == .code(0), "\(child.errors.value.text)")
                try await child.output.wait(for: "the end of its output") { $0.ended }
                #expect(child.output.value.text.contains("Good day."), "\(child.output.value.text)")
            }
        }
    }

    /// What it answers, and what its caller gets.
    private static let denials: [(answer: String, status: Int, type: String, message: String)] = [
        (#"{"deny":{"status":403,"message":"Not about that."}}"#, 403, "permission_error", "Not about that."),
        (#"{"deny":{"status":401,"message":"Who are you?"}}"#, 401, "authentication_error", "Who are you?"),
        (#"{"deny":{"status":429,"message":"Slowly."}}"#, 429, "rate_limit_error", "Slowly."),
        (#"{"deny":{"status":422,"message":"No."}}"#, 422, "invalid_request_error", "No."),
        (#"{"deny":{}}"#, 403, "permission_error", "This server does not answer this request."),
    ]

    @Test(arguments: [true, false])
    func `refuses in its own words, and no model is asked`(stream: Bool) async throws {
        let hook = try StubUpstream { request in
            .json(Self.denials[Int(request.text.components(separatedBy: "turn-")[1].prefix { $0.isNumber }) ?? 0].answer)
        }
        try await HookSite.with(hook) { site in
            for (number, row) in Self.denials.enumerated() {
                var call = call(stream: stream)
                call.fields = [("X-Request-Id", "turn-\(number)")]
                let response = try await site.site.call(call).ended()
                #expect(response.status == row.status)
                #expect(response.error?.type == row.type && response.error?.message == row.message)
                #expect(response.error?.code == "request_denied")
                let line = try await site.line(number + 1)
                #expect(line.contains(#""hook":"denied","#) && line.contains(#""ending":"request_denied""#), "\(line)")
                #expect(line.contains(#""level":"info""#) && !line.contains(row.message))
            }
            #expect(site.site.upstream.requests.value.isEmpty)
        }
    }

    // MARK: How it fails

    /// What it does, the word for that, and words of the reason.
    private static let failures: [(name: String, reply: Reply, word: String, reason: String)] = [
        ("noJSON", .json("sure"), "garbage", "it is no JSON"), ("empty", .json(""), "garbage", "it is no JSON"),
        ("page", Reply(contentType: "text/html", [.text("<html></html>")]), "garbage", "it is no JSON"),
        ("array", .json("[]"), "garbage", "it is no object"),
        ("misspelt", .json(#"{"prepent":[]}"#), "garbage", "one besides prepend, append, say and deny"),
        ("both", .json(#"{"say":"a","deny":{}}"#), "garbage", "it wants more than one thing"),
        ("noRole", .json(#"{"append":[{"content":"a"}]}"#), "garbage", "each an object with a role"),
        (
            "many", .json(#"{"append":[\#(Array(repeating: user, count: 65).joined(separator: ","))]}"#), "garbage",
            "it has more than 64 messages"
        ),
        ("notDenial", .json(#"{"deny":{"status":500}}"#), "garbage", "a status from 400 to 499"),
        (
            "large", Reply(contentType: "application/json", [.text(#"{"say":"\#(String(repeating: "a", count: 300_000))"}"#)]),
            "too_large", "larger than 256 KiB"
        ),
        ("broken", .json("{}", status: 500), "failed.500", "status 500"),
        ("gone", .json("{}", status: 404), "failed.404", "status 404"),
        ("moved", .json("{}", status: 302, fields: [("Location", "/turns")]), "failed.302", "status 302"),
        ("made", .json("{}", status: 201), "failed.201", "status 201"),
        ("noHTTP", .raw(.text("SSH-2.0-OpenSSH\r\n\r\n"), .close), "garbage", "malformed response"),
        ("closed", .raw(.close), "cut", "cut off"),
        (
            "half", .raw(.text("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"say\":\"a"), .close), "cut",
            "cut off after 9 bytes"
        ),
        ("late", .silence, "timeout", "not finished within 200ms"),
        ("slow", Reply(contentType: "application/json", [.text("{"), .silence]), "timeout", "not finished within 200ms"),
        ("nobody", .silence, "unreachable", "connection refused"),
    ]

    /// Models of each kind: for hooks that are late, for one that is not there, and for all others.
    private static func models(_ hook: StubUpstream) throws -> String {
        let nobody = "http://127.0.0.1:\(try freePort())/turn"
        return ["pass", "deny"].flatMap { failure in
            [("\(failure)-late", hook.turnURL, "200ms"), ("\(failure)-nobody", nobody, "60s"), (failure, hook.turnURL, "60s")].map
            {
                """
                [[models]]
                match = "\($0.0)"
                hook = {url = "\($0.1)", timeout = "\($0.2)", on_failure = "\(failure)"}

                """
            }
        }.joined()
    }

    @Test(arguments: ["pass", "deny"])
    func `that fails lets the request pass, or refuses it, and the log says why`(onFailure: String) async throws {
        let hook = try StubUpstream { request in
            Self.failures.first { request.text.contains(#""content":"\#($0.name)""#) }?.reply ?? .nothingToSay
        }
        try await HookSite.with(hook, rest: plainSettings + Self.models(hook)) { site in
            for (number, row) in Self.failures.enumerated() {
                let kind = row.name == "nobody" ? "-nobody" : row.word == "timeout" ? "-late" : ""
                let message = #"{"role":"user","content":"\#(row.name)"}"#
                let response = try await site.site.call(call(message, stream: number % 2 == 0, model: onFailure + kind)).ended()
                if onFailure == "pass" {
                    site.answers(response, stream: number % 2 == 0)
                } else {
                    #expect(response.status == 503 && response.error?.code == "hook_unavailable", "\(row.name): \(response.text)")
                    #expect(response.head?["Retry-After"] == "5")
                }
                #expect(!response.text.contains(row.reason))
                let line = try await site.line(number + 1)
                #expect(line.contains(#""hook":"\#(row.word)","#), "\(row.name): \(line)")
                let ending = onFailure == "pass" ? #""ending":"done""# : #""ending":"hook_unavailable""#
                #expect(line.contains(ending) && line.contains(#""level":"\#(onFailure == "pass" ? "info" : "warning")""#))
                #expect(
                    site.site.sluice.process.errors.value.lines.contains { line in
                        [#""message":"the hook failed""#, row.reason, #""on_failure":"\#(onFailure)""#, #""level":"warning""#]
                            .allSatisfy { line.contains($0) }
                    }, "\(row.name)")
            }
            #expect(site.site.upstream.requests.value.count == (onFailure == "pass" ? Self.failures.count : 0))
        }
    }

    @Test func `that fails again and again is told of once, and counted`() async throws {
        let hook = try StubUpstream(.json("{}", status: 500))
        try await HookSite.with(hook) { site in
            for _ in 0..<5 { site.answers(try await site.site.call(chat()).ended()) }
            #expect(try await site.site.requestLines(5).allSatisfy { $0.contains(#""hook":"failed.500""#) })
            #expect(site.site.sluice.process.errors.value.lines.count { $0.contains("the hook failed") } == 1)
        }
    }
}
