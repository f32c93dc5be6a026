import Glibc
import TestSupport
import Testing

/// `GET …/sluice/`, where the settings have `page = true`.
@Suite struct `The page` {
    private let permission = [("SLUICE_STATUS", "on")]
    private let on = "page = true\n" + plainSettings

    private func upstream() throws -> StubUpstream { try StubUpstream(.stream(Chunks.stream(["one"]))) }

    private func get(_ path: String, _ method: String = "GET") -> ChatCall {
        ChatCall("", token: nil, path: path, method: method)
    }

    private func answer(_ site: Site, _ path: String, _ method: String = "GET") async throws -> String {
        try await DirectCall(to: site.sluice.socket, method, path, permission).response()
    }

    @Test(arguments: ["", "page = false\n"])
    func `is not there unless the settings say so`(settings: String) async throws {
        try await Site.with(WebServer.selected[0], upstream: upstream(), settings: settings + plainSettings) { site in
            for path in ["/sluice/", "/sluice", "/v1/sluice/"] {
                for method in ["GET", "POST"] {
                    let answer = try await answer(site, path, method)
                    #expect(answer.hasPrefix("Status: 404\r\n") && answer.contains(#""code":"unknown_url""#), "\(path)")
                }
            }
        }
    }

    @Test(arguments: WebServer.selected)
    func `is there for this machine, whole, for nobody to keep, and holds the browser to itself`(server: WebServer) async throws {
        try await Site.with(server, upstream: upstream(), settings: on) { site in
            for path in ["/sluice/", "/sluice", "/sluice/?x=/models"] {
                let page = try await site.call(get(path)).ended()
                #expect(
                    (page.status, page.end, page.head?.contentType) == (200, .complete, "text/html; charset=utf-8"), "\(path)")
                #expect(page.text.hasPrefix("<!doctype html>\n") && page.text.hasSuffix("</html>\n"))
                #expect(page.head?["Cache-Control"] == "no-store")
                #expect(page.head?["X-Content-Type-Options"] == "nosniff")
                #expect(page.head?["Referrer-Policy"] == "no-referrer")
                let policy = page.head?["Content-Security-Policy"] ?? ""
                #expect(policy.hasPrefix("default-src 'none'; script-src 'sha256-") && !policy.contains("unsafe"), "\(policy)")
            }
            let head = try await site.call(get("/sluice/", "HEAD")).ended()
            #expect((head.status, head.text, head.head?["Cache-Control"]) == (200, "", "no-store"))
        }
    }

    @Test(arguments: WebServer.selected)
    func `is not there for others, nor below a token`(server: WebServer) async throws {
        try await Site.with(server, upstream: upstream(), settings: on, changes: server.strangers) { site in
            for path in ["/sluice/", "/sluice"] {
                let refused = try await site.call(get(path)).ended()
                #expect(refused.status == (server == .lighttpd ? 404 : 403))
                #expect(!refused.text.contains("<script"))
            }
            let called = try await site.call(get("/v/\(RunningServer.token)/sluice/")).ended()
            #expect((called.status, called.error?.code) == (404, "unknown_url"))
            let asked = try await DirectCall(to: site.sluice.socket, "GET", "/sluice/").response()
            #expect(asked.hasPrefix("Status: 404\r\n"))
        }
    }

    @Test func `is on any path that ends so, and is read alone`() async throws {
        try await Site.with(WebServer.selected[0], upstream: upstream(), settings: on) { site in
            for path in ["/sluice/", "/v1/sluice/", "/a/b/sluice", "/sluice/?/sluice/status"] {
                let answer = try await answer(site, path)
                #expect(
                    answer.hasPrefix("Status: 200\r\n") && answer.contains("\r\nContent-Type: text/html; charset=utf-8\r\n"),
                    "\(path)")
            }
            #expect(try await answer(site, "/sluice/chat").hasPrefix("Status: 404\r\n"))
            let post = try await answer(site, "/sluice/", "POST")
            #expect(post.hasPrefix("Status: 405\r\n") && post.contains("\r\nAllow: GET, HEAD\r\n"))
        }
    }

    @Test func `comes and goes with a reload`() async throws {
        try await Site.with(WebServer.selected[0], upstream: upstream(), settings: plainSettings) { site in
            #expect(try await answer(site, "/sluice/").hasPrefix("Status: 404\r\n"))
            for (number, (settings, status)) in [(on, 200), (plainSettings, 404)].enumerated() {
                try site.directory.write(settings.replacing("UPSTREAM", with: site.upstreamURL), to: "sluice.toml")
                site.sluice.process.signal(SIGHUP)
                try await site.sluice.process.errors.wait(for: "reload \(number)") { output in
                    output.lines.count { $0.contains(#""message":"the settings were reloaded""#) } == number + 1
                }
                #expect(try await answer(site, "/sluice/").hasPrefix("Status: \(status)\r\n"))
            }
        }
    }
}
