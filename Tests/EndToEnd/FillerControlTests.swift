import Foundation
import TestSupport
import Testing

/// `filler.by = "control"`: what the call's own platform says while the model is silent.
@Suite(.timeLimit(.minutes(20))) struct `A filler that the platform says` {
    private static let texts = #"texts = ["One moment.", "Let me check."]"#

    /// A web server, Sluice, an upstream that waits for a gate, and a platform with TLS.
    private struct PlatformSite: Sendable {
        let site: Site
        let platform: StubUpstream
        let url: String

        func call(_ call: String? = nil, _ text: String = "Hello") throws -> HTTPStream {
            let call = call ?? #"{"id":"c1","monitor":{"controlUrl":\#(quoted(url))}}"#
            return try site.call(chat(text, members: #","call":\#(call)"#))
        }

        /// Waits for a line about a filler in the log, which has nothing of the URL but what allows its host.
        func told(_ reason: String) async throws {
            let line = try await ChildProcess.line(containing: "the platform was not asked", in: site.sluice.process.errors)
            #expect(line.contains(reason) && line.contains(#""level":"warning""#), "\(line)")
            #expect(!line.contains("secret"), "\(line)")
        }

        /// The one that it was asked to say counts as failed, and as none that it has said.
        func countsOneFailed() async throws {
            let line = try await site.requestLines(1)[0]
            #expect(line.contains(#""control_fillers_failed":1,"#) && !line.contains(#""control_fillers":"#), "\(line)")
            try await eventually("it is counted") { try await Scrape(of: site).sum("sluice_fillers_failed_total", []) == 1 }
            #expect(try await Scrape(of: site).sum("sluice_fillers_total", [#"speaker="control""#]) == 0)
        }
    }

    private static let frames = Chunks.stream(["Hello", " there"])

    /// - Parameters:
    ///   - filler: members of the setting.
    ///   - hosts: another place than the platform's.
    ///   - answer: another one of the upstream's.
    private static func with(
        _ platform: StubUpstream, _ gate: Gate, _ filler: String = #"again = "50ms""#, hosts: String? = nil,
        heartbeat: String = "0s", options: [String] = [], answer: Reply? = nil, server: WebServer = WebServer.selected[0],
        _ test: (PlatformSite) async throws -> Void
    ) async throws {
        let front = try await TLSFront(for: platform, in: TemporaryDirectory())
        let upstream = try StubUpstream(answer ?? Reply([.wait(gate)] + frames.map(Reply.Step.text)))
        let hosts = hosts ?? #""localhost:\#(front.port)""#
        // On a busy machine a handshake takes its time.
        let timeout = filler.contains("timeout") ? "" : #", timeout = "60s""#
        let settings = """
            heartbeat = "\(heartbeat)"
            authorities_file = "\(front.certificate.file)"
            timeouts = {first_token = "10m", idle = "10m"}
            filler = {after = "50ms", \(texts), by = "control", hosts = [\(hosts)], \(filler)\(timeout)}
            \(plainSettings)
            """
        try await Site.with(server, upstream: upstream, settings: settings, options: options, environment: [:]) { site in
            let url = "https://localhost:\(front.port)/secret/control?secret=1"
            try await test(PlatformSite(site: site, platform: platform, url: url))
            #expect(!site.sluice.process.errors.value.text.contains("secret"))
        }
        try await front.end()
        try await platform.stop()
    }

    @Test func `is posted to the call's control URL, and the stream has nothing of it`() async throws {
        let gate = try Gate()
        let platform = try StubUpstream(.json("{}"))
        try await Self.with(platform, gate) { site in
            let stream = try site.call()
            let posts = [try await platform.request(0), try await platform.request(1)]
            gate.open()
            let response = try await stream.ended()
            #expect(response.status == 200 && response.end == .complete && response.content == Self.frames.joined())
            // Each may take its own time on the way.
            let said = [#"{"type":"say","content":"One moment."}"#, #"{"type":"say","content":"Let me check."}"#]
            #expect(Set(posts.map(\.text)) == Set(said))
            for post in posts {
                #expect(post.method == "POST" && post.path == "/secret/control?secret=1")
                #expect(post.head["Content-Type"] == "application/json" && post.head["Authorization"] == nil)
            }
            let line = try await site.site.requestLines(1)[0]
            #expect(line.contains(#""control_fillers":2,"#) && !line.contains(#""fillers""#), "\(line)")
            try await eventually("both are counted") {
                try await Scrape(of: site.site).sum("sluice_fillers_total", [#"speaker="control""#]) == 2
            }
            #expect(try await Scrape(of: site.site).sum("sluice_fillers_total", [#"speaker="stream""#]) == 0)
        }
    }

    @Test func `changes nothing of the heartbeats, and commits no status`() async throws {
        let gate = try Gate()
        let platform = try StubUpstream(.json("{}"))
        try await Self.with(platform, gate, #"max = 1"#, heartbeat: "20ms") { site in
            let stream = try site.call()
            _ = try await platform.request()
            try await stream.received.wait(for: "heartbeats") { $0.events.count { $0.hasPrefix(": keep-alive") } >= 3 }
            gate.open()
            #expect(try await stream.ended().frames == Self.frames)
        }
        let other = try StubUpstream(.json("{}"))
        let failure = Reply.raw(.wait(gate), .text("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"))
        try await Self.with(other, gate, #"max = 1"#, answer: failure) { site in
            let stream = try site.call()
            _ = try await other.request()
            gate.open()
            #expect(try await stream.ended().status == 503)
        }
    }

    @Test func `is another one in each turn of a call`() async throws {
        let gate = try Gate()
        let platform = try StubUpstream(.json("{}"))
        try await Self.with(platform, gate, "max = 1") { site in
            let user = #"{"role":"user","content":"Hi"}"#
            let later = #"\#(user),{"role":"assistant","content":"Hello"},\#(user)"#
            for (turn, (messages, text)) in [(user, "One moment."), (later, "Let me check.")].enumerated() {
                let call = #""call":{"id":"c","monitor":{"controlUrl":"\#(site.url)"}}"#
                let stream = try site.site.call(
                    ChatCall(#"{"model":"m","messages":[\#(messages)],"stream":true,\#(call)}"#))
                #expect(try await platform.request(turn).text == #"{"type":"say","content":"\#(text)"}"#)
                gate.open()
                #expect(try await stream.ended().content == Self.frames.joined())
            }
        }
    }

    /// What Vapi puts into `call`, with the platform's port as `PORT`, and what the log says of it.
    @Test(arguments: [
        (#"{"id":"c","monitor":{"controlUrl":"https://secret:secret@localhost:PORT/"}}"#, "user name or password"),
        (#"{"id":"c","monitor":{"controlUrl":"http://localhost:PORT/secret"}}"#, "it is not https"),
        (#"{"id":"c","monitor":{"controlUrl":"https://127.0.0.1:PORT/secret"}}"#, "its host is not allowed"),
        (#"{"id":"c","monitor":{"controlUrl":"https://localhost/secret"}}"#, "its host is not allowed"),
        (#"{"id":"c","monitor":{"controlUrl":"https:\/\/a.localhost:PORT\/secret"}}"#, "its host is not allowed"),
        (#"{"id":"c","monitor":{"controlUrl":"https://secret.localhost:PORT/"}}"#, "its host is not allowed"),
        (#"{"id":"c","monitor":{"controlUrl":"secret"}}"#, "it is no URL"),
    ])
    func `is not posted elsewhere, and the answer goes on`(call: String, reason: String) async throws {
        let gate = try Gate()
        let platform = try StubUpstream(.json("{}"))
        try await Self.with(platform, gate) { site in
            let port = URL(string: site.url)?.port ?? 0
            let stream = try site.call(call.replacing("PORT", with: "\(port)"))
            try await site.told(reason)
            gate.open()
            #expect(try await stream.ended().content == Self.frames.joined())
            #expect(platform.requests.value.isEmpty)
            #expect(try await !site.site.requestLines(1)[0].contains("fillers"))
        }
    }

    @Test(arguments: [
        "{}", #"{"id":"c"}"#, #"{"id":"c","monitor":null}"#, #"{"id":"c","monitor":{}}"#, #""c""#,
        #"{"id":"c","monitor":{"controlUrl":null}}"#, #"{"id":"c","monitor":{"controlUrl":{"url":"https://localhost/"}}}"#,
        #"{"id":"c","monitor":{"controlUrl":"https://localhost/\#(String(repeating: "a", count: 1024))"}}"#,
    ])
    func `is none for a call without such a URL`(call: String) async throws {
        let gate = try Gate()
        let platform = try StubUpstream(.json("{}"))
        try await Self.with(platform, gate, heartbeat: "20ms") { site in
            let stream = try site.call(call)
            // Longer than all fillers would have taken.
            try await stream.received.wait(for: "heartbeats") { $0.events.count { $0.hasPrefix(": keep-alive") } >= 12 }
            gate.open()
            #expect(try await stream.ended().frames == Self.frames)
            #expect(platform.requests.value.isEmpty)
            let line = try await site.site.requestLines(1)[0]
            #expect(!line.contains("fillers") && !site.site.sluice.process.errors.value.text.contains("the platform was not"))
        }
    }

    /// What the platform does, and what the log says of that.
    @Test(arguments: [
        (Reply.status(404), "status 404"), (.json("{}", status: 500), "status 500"), (.silence, "within 60ms"),
        (Reply(status: 307, fields: [("Location", "/secret/other")], framing: .contentLength, []), "status 307"),
    ])
    func `is said by nobody where that fails, and the answer goes on`(reply: Reply, reason: String) async throws {
        let gate = try Gate()
        let platform = try StubUpstream(reply)
        try await Self.with(platform, gate, #"max = 1, timeout = "\#(reason.contains("60ms") ? "60ms" : "60s")""#) { site in
            let stream = try site.call()
            try await site.told(reason)
            gate.open()
            #expect(try await stream.ended().content == Self.frames.joined())
            #expect(Set(platform.requests.value.map(\.path)).isSubset(of: ["/secret/control?secret=1"]))
            try await site.countsOneFailed()
        }
    }

    /// A caller may have put any word ahead of such a name.
    @Test func `is told by what allows the host, where that is every name below one`() async throws {
        let gate = try Gate()
        let platform = try StubUpstream(.json("{}"))
        try await Self.with(platform, gate, "max = 1", hosts: #""*.name.invalid""#) { site in
            let stream = try site.call(#"{"id":"c","monitor":{"controlUrl":"https://secret.name.invalid/secret"}}"#)
            try await site.told(#""host":"*.name.invalid","reason":"cannot resolve the host's name""#)
            gate.open()
            #expect(try await stream.ended().content == Self.frames.joined())
            try await site.countsOneFailed()
        }
    }

    @Test func `is said by nobody where nobody listens, or the certificate is another's`() async throws {
        let gate = try Gate()
        let platform = try StubUpstream(.json("{}"))
        let port = try freePort()
        try await Self.with(platform, gate, "max = 1", hosts: #""localhost:\#(port)""#) { site in
            let stream = try site.call(#"{"id":"c","monitor":{"controlUrl":"https://localhost:\#(port)/secret"}}"#)
            try await site.told("connection refused")
            gate.open()
            #expect(try await stream.ended().content == Self.frames.joined())
            try await site.countsOneFailed()
        }
        let other = try StubUpstream(.json("{}"))
        let front = try await TLSFront(for: other, in: TemporaryDirectory())
        let unasked = try StubUpstream(.json("{}"))
        try await Self.with(unasked, gate, "max = 1", hosts: #""localhost:\#(front.port)""#) { site in
            let stream = try site.call(#"{"id":"c","monitor":{"controlUrl":"https://localhost:\#(front.port)/secret"}}"#)
            try await site.told("TLS: ")
            gate.open()
            #expect(try await stream.ended().content == Self.frames.joined())
            #expect(other.requests.value.isEmpty)
        }
        try await front.end()
        try await other.stop()
    }

    @Test func `is asked for by so many at once, and by no more`() async throws {
        let gate = try Gate()
        let platform = try StubUpstream(.silence)
        let filler = #"max = 10, again = "1ms", timeout = "60s""#
        try await Self.with(platform, gate, filler, options: ["--workers", "1"]) { site in
            let streams = try (0..<7).map { _ in try site.call() }
            try await platform.requests.wait(for: "as many as may be") { $0.count == 64 }
            try await site.told("64 are being asked already")
            gate.open(streams.count)
            for stream in streams { #expect(try await stream.ended().content == Self.frames.joined()) }
            #expect(platform.requests.value.count == 64)
        }
    }

    @Test(arguments: WebServer.selected.filter(\.noticesLeavingClients).prefix(1))
    func `is none behind a caller who has left, and the rest of the call goes on`(server: WebServer) async throws {
        let gate = try Gate()
        let platform = try StubUpstream(.json("{}"))
        try await Self.with(platform, gate, #"again = "1h""#, server: server) { site in
            let left = try site.call(nil, "first")
            _ = try await platform.request(0)
            left.close()
            try await site.site.upstream.peerClosed()
            let stream = try site.call(nil, "second")
            _ = try await platform.request(1)
            gate.open()
            #expect(try await stream.ended().content == Self.frames.joined())
            #expect(platform.requests.value.count == 2)
        }
    }
}
