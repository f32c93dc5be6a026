import Foundation
import Glibc
import TestSupport
import Testing

/// `GET …/sluice/status` and `…/sluice/ping`.
@Suite struct `The pages about the process` {
    private let frames = Chunks.stream(["one", "two"])
    private let permission = [("SLUICE_STATUS", "on")]

    private func get(_ path: String, _ method: String = "GET", fields: [(name: String, value: String)] = []) -> ChatCall {
        var call = ChatCall("", token: nil, path: path, method: method)
        call.fields = fields
        return call
    }

    private func members(_ text: String) throws -> Set<String> {
        Set(try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]).keys)
    }

    @Test(arguments: WebServer.selected)
    func `are there for this machine in all their forms, and for nobody to keep`(server: WebServer) async throws {
        try await Site.with(server, upstream: try StubUpstream(.stream(frames))) { site in
            try await site.answers(frames)
            var text = try await site.call(get("/sluice/status")).ended()
            // A request is counted when its answer has left.
            while text.text.contains("requests:             0:") { text = try await site.call(get("/sluice/status")).ended() }
            #expect((text.status, text.head?.contentType) == (200, "text/plain; charset=utf-8"))
            #expect(text.head?["Cache-Control"] == "no-store")
            #expect(text.text.contains("requests:             1: 1 answered, 0 failed, 0 callers left\n"))
            #expect(!text.text.contains("no requests"))
            #expect(try await site.call(get("/sluice/status?full")).ended().text.contains("no requests\n"))
            let json = try await site.call(get("/sluice/status?json")).ended()
            #expect((json.status, json.head?.contentType) == (200, "application/json"))
            #expect(try !members(json.text).contains("active_requests"))
            for query in ["full&json", "json&full", "x=1&json=&full=1&&%20="] {
                let full = try await site.call(get("/sluice/status/?\(query)")).ended()
                #expect(try members(full.text).contains("active_requests"), "\(query)")
            }
            let ping = try await site.call(get("/sluice/ping")).ended()
            #expect((ping.status, ping.text, ping.head?["Cache-Control"]) == (200, "pong\n", "no-store"))
            for path in ["/sluice/status", "/sluice/ping"] {
                let head = try await site.call(get(path, "HEAD")).ended()
                #expect((head.status, head.text, head.head?["Cache-Control"]) == (200, "", "no-store"))
            }
        }
    }

    /// Web servers take the path up to `#`, and hand on all that was sent.
    @Test(arguments: WebServer.selected)
    func `are all there is where they are, whatever else the path says`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(frames))
        try await Site.with(server, upstream: upstream) { site in
            for page in ["/sluice/status", "/sluice/ping", "/sluice/status/"] {
                for rest in ["#/chat/completions", "#/v1/chat/completions", "?/chat/completions", "?#/chat/completions", "#x"] {
                    var call = chat()
                    (call.path, call.fields) = (page + rest, [])
                    #expect(try await site.call(call).ended().status != 200, "\(page)\(rest)")
                }
                for rest in ["#/v1/models", "#/openapi.json"] {
                    let answer = try await site.call(get(page + rest)).ended()
                    #expect(!answer.text.contains("\"object\"") && !answer.text.contains("openapi"), "\(page)\(rest)")
                }
            }
            #expect(upstream.requests.value.isEmpty)
        }
    }

    @Test(arguments: WebServer.selected)
    func `are not there for others`(server: WebServer) async throws {
        try await Site.with(server, upstream: try StubUpstream(.stream(frames)), changes: server.strangers) { site in
            for path in ["/sluice/status", "/sluice/ping"] {
                let refused = try await site.call(get(path)).ended()
                #expect(refused.status == (server == .lighttpd ? 404 : 403))
                #expect(!refused.text.contains("pong") && !refused.text.contains("requests:"))
            }
        }
    }

    /// A path below a token's is a caller's.
    @Test(arguments: WebServer.selected)
    func `are not there where the web server does not say so, whatever a caller's headers say`(server: WebServer) async throws {
        try await Site.with(server, upstream: try StubUpstream(.stream(frames))) { site in
            for path in ["/v/\(RunningServer.token)/sluice/status", "/v/\(RunningServer.token)/sluice/ping"] {
                let fields = [("SLUICE_STATUS", "on"), ("Sluice-Status", "on"), ("SLUICE-STATUS", "on")]
                let response = try await site.call(get(path, fields: fields)).ended()
                #expect(response.status == 404)
                #expect(response.error?.code == "unknown_url")
            }
            for parameters in [[], [("SLUICE_STATUS", "")], [("SLUICE_STATUS", "off")], [("HTTP_SLUICE_STATUS", "on")]] {
                let answer = try await DirectCall(to: site.sluice.socket, "GET", "/sluice/status", parameters).response()
                #expect(answer.hasPrefix("Status: 404\r\n"), "\(parameters)")
            }
            let post = try await DirectCall(to: site.sluice.socket, "POST", "/sluice/ping", permission).response()
            #expect(post.hasPrefix("Status: 405\r\n") && post.contains("\r\nAllow: GET, HEAD\r\n"))
        }
    }

    @Test func `are no requests, and are answered when there are as many of those as may be`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.begun(frames, then: gate))
        let settings = "limits.requests = 1\nlog.level = \"debug\"\n" + oneUpstream(url: "UPSTREAM", "key = \"none\"")
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            #expect(try await site.call(chat()).ended().status == 503)
            for _ in 0..<3 { #expect(try await site.call(get("/sluice/ping")).ended().text == "pong\n") }
            var status = ""
            while !status.contains("1 failed") { status = try await site.call(get("/sluice/status?full")).ended().text }
            #expect(status.contains("active requests:      1\n"))
            // The one that was turned away was never among them.
            #expect(status.contains("max active requests:  1\n"))
            #expect(status.contains("max children reached: 1\n"))
            #expect(status.contains("requests:             1: 0 answered, 1 failed, 0 callers left\n"))
            #expect(status.contains("  streaming  "))
            gate.open()
            #expect(try await stream.ended().end == .complete)
            let lines = try await site.requestLines(2)
            #expect(lines.count == 2)
            let asked = site.sluice.process.errors.value.lines.filter { $0.contains(#""message":"the web server asked"#) }
            #expect(!asked.isEmpty && asked.allSatisfy { $0.contains(#""level":"debug""#) })
        }
    }

    @Test func `say that the process is about to end`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(.begun(frames, then: gate))
        try await Site.with(WebServer.selected[0], upstream: upstream, endsSluice: true) { site in
            let stream = try site.call(chat())
            try await stream.arrival(of: "assistant")
            let ping = try DirectCall(to: site.sluice.socket, "GET", "/sluice/ping", permission, heldBack: 4)
            let status = try DirectCall(to: site.sluice.socket, "GET", "/sluice/status", permission, heldBack: 4)
            #expect(
                try await DirectCall(to: site.sluice.socket, "GET", "/sluice/ping", permission).response().hasSuffix(
                    "\r\n\r\npong\n"))
            site.sluice.process.signal(SIGTERM)
            try await site.sluice.refuses()
            try ping.complete()
            let answer = try await ping.response()
            #expect(answer.hasPrefix("Status: 503\r\n") && answer.hasSuffix("\r\n\r\ndraining\n"))
            try status.complete()
            #expect(try await status.response().contains("draining\n"))
            gate.open()
            #expect(try await stream.ended().end == .complete)
            #expect(try await site.sluice.process.exited() == .code(0))
        }
    }

    /// Those who ask at once share what is made for them.
    @Test func `are whole for many at once, while streams begin and end`() async throws {
        try await Site.with(WebServer.selected[0], upstream: try StubUpstream(.stream(frames))) { site in
            let socket = site.sluice.socket
            for round in 0..<5 {
                let forms = ["", "?json", "?full", "?full&json"]
                let pages = try (0..<64).map {
                    try DirectCall(to: socket, "GET", "/sluice/status\(forms[$0 % 4])", permission)
                }
                let streams = try (0..<8).map { try site.call(chat("\(round) \($0)")) }
                for (place, page) in pages.enumerated() {
                    let answer = try await page.response()
                    #expect(answer.hasPrefix("Status: 200\r\n"))
                    if place % 2 == 1 {
                        let body = answer.split(separator: "\r\n\r\n", maxSplits: 1).last ?? ""
                        #expect(try members(String(body)).contains("requests"))
                    }
                }
                for stream in streams { #expect(try await stream.ended().end == .complete) }
            }
        }
    }
}
