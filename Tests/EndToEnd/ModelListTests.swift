import Foundation
import Glibc
import TestSupport
import Testing

/// `GET …/models`: what callers can name, by the settings and by what upstreams tell.
@Suite(.timeLimit(.minutes(20))) struct `The list of models` {
    /// An upstream that tells its models.
    private struct Teller: Sendable {
        let reply: Reply
        /// Of its table, in place of a key.
        var lines: String?
        var isAsked = true
    }

    /// The entries of a route, and what its upstreams tell.
    private struct Row: Sendable {
        let name: String
        /// `[[models]]` without its name, in which `@a` stands for the upstream that is called `a`.
        let models: [String]
        let upstreams: [String: Teller]
        var token = RunningServer.token
        let lists: [String]
    }

    private static func list(_ names: String...) -> Teller { Teller(reply: told(names)) }

    private static func told(_ names: [String]) -> Reply {
        .json(#"{"object":"list","data":[\#(names.map { #"{"id":\#(quoted($0)),"object":"model"}"# }.joined(separator: ","))]}"#)
    }

    private static let all = "match = \"*\"\ntargets = [\"@a\"]"

    private static func alone(_ name: String, _ reply: Reply, lists: [String] = []) -> Row {
        Row(name: name, models: [all], upstreams: ["a": Teller(reply: reply)], lists: lists)
    }

    private static func twoTargets(_ name: String, _ a: Teller, _ more: String = "", lists: [String]) -> Row {
        Row(
            name: name, models: ["match = \"*\"\ntargets = [\"@a\", \"@b\"]\n\(more)"],
            upstreams: ["a": a, "b": list("b-1", "a-1")], lists: lists)
    }

    private static let rows = [
        alone("all of an upstream's", told(["m-1", "m/2", "m:3"]), lists: ["m-1", "m/2", "m:3"]),
        Row(
            name: "named ones ahead, each once", models: ["match = \"m-2\"\ntargets = [\"@a\"]", all],
            upstreams: ["a": list("m-1", "m-2", "m-1")], lists: ["m-2", "m-1"]),
        Row(
            name: "those of several entries",
            models: ["match = \"a-*\"\ntargets = [\"@a\"]", "match = \"*\"\ntargets = [\"@b\"]"],
            upstreams: ["a": list("a-1", "x-1"), "b": list("a-1", "b-1", "a-2")], lists: ["a-1", "b-1"]),
        Row(
            name: "by a pattern", models: ["match = \"gpt-[45]*\"\ntargets = [\"@a\"]"],
            upstreams: ["a": list("gpt-4o", "gpt-3", "o1", "gpt-5")], lists: ["gpt-4o", "gpt-5"]),
        Row(
            name: "no pattern at all", models: ["match = \"m\"\ntargets = [\"@a\"]"],
            upstreams: ["a": Teller(reply: told(["x"]), isAsked: false)], lists: ["m"]),
        Row(
            name: "a model of the target's own", models: ["match = \"*\"\ntargets = [{upstream = \"@a\", model = \"x\"}]"],
            upstreams: ["a": Teller(reply: told(["x"]), isAsked: false)], lists: []),
        Row(
            name: "a model of the first target's own",
            models: ["match = \"*\"\ntargets = [{upstream = \"@a\", model = \"x\"}, \"@b\"]"],
            upstreams: ["a": Teller(reply: told(["x"]), isAsked: false), "b": list("b-1")], lists: ["b-1"]),
        twoTargets("those of the first target", list("a-1"), lists: ["a-1"]),
        twoTargets(
            "those of all, where a 404 leads on", list("a-1", "a-2"), "fallback_on = [404]", lists: ["a-1", "a-2", "b-1"]),
        twoTargets("those of the next, where the first tells none", Teller(reply: .status(500)), lists: ["b-1", "a-1"]),
        twoTargets("those of the next, where the first has none", list(), lists: ["b-1", "a-1"]),
        alone("an upstream without a list", .status(404)), alone("a redirect", .json("", status: 302)),
        alone("no JSON", .json("<html>models</html>")), alone("another JSON", .json(#"{"data":{"id":"x"}}"#)),
        alone("an array alone", .json(#"[{"id":"x"}]"#), lists: ["x"]),
        alone("nothing at all", .raw([.close])),
        alone("one that breaks off", .raw([.text("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[{\"id\":\"x\"}]"), .close])),
        alone("no HTTP", .raw([.text("hello\r\n\r\n"), .close])),
        alone("one that is too slow", .silence),
        alone("one that stalls", .raw([.text("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[{\"id\":\"x\"}"), .silence])),
        alone("more than 1 MiB", .json(#"{"data":[{"id":"x"}],"x":"\#(String(repeating: "x", count: 1 << 20))"}"#)),
        alone("more than a thousand", told((0..<1200).map { "m\($0)" }), lists: (0..<1000).map { "m\($0)" }),
        alone(
            "names that are none",
            .json(
                #"{"data":[{"id":"\u0000"},{"id":"a\nb"},{"id":"é"},{"id":""},{"id":7},{},5,{"id":"\#(String(repeating: "x", count: 257))"},"#
                    + #"{"id":"a\",\"id\":\"b"},{"id":"<b>\\"},{"id":"ok"}]}"#),
            lists: [#"a","id":"b"#, #"<b>\"#, "ok"]),
        Row(
            name: "what a client may have", models: [all], upstreams: ["a": list("m-1", "x-1", "m-2")],
            token: RunningServer.otherToken, lists: ["m-1", "m-2"]),
        Row(
            name: "another client's entry", models: [all + "\nwhen = {client = \"first\"}"],
            upstreams: ["a": Teller(reply: told(["m-1"]), isAsked: false)], token: RunningServer.otherToken, lists: []),
        Row(
            name: "callers' own keys", models: [all],
            upstreams: ["a": Teller(reply: told(["x"]), lines: "key = \"passthrough\"", isAsked: false)], lists: []),
        Row(
            name: "an Azure resource", models: [all],
            upstreams: ["a": Teller(reply: told(["x"]), lines: "kind = \"azure\"\nkey = \"k\"", isAsked: false)], lists: []),
        Row(
            name: "another path", models: [all],
            upstreams: ["a": Teller(reply: told(["x"]), lines: "path = \"/deep/chat/completions\"\nkey = \"sk-a\"")], lists: ["x"]
        ),
    ]

    /// A route is what a header says, for the tests alone.
    private static let byHeader = Change(
        "#fastcgi_param SLUICE_ROUTE     $sluice_client;", to: "fastcgi_param SLUICE_ROUTE $http_x_site;")

    private static func settings(_ number: Int, _ row: Row) -> String {
        let upstreams = row.upstreams.sorted { $0.key < $1.key }.map { name, teller in
            "[upstreams.r\(number)-\(name)]\nurl = \"UPSTREAM/r\(number)-\(name)\"\n\(teller.lines ?? "key = \"sk-\(number)\(name)\"")\n"
        }
        let models = row.models.map { "[[models]]\nname = \"row-\(number)\"\n\($0.replacing("@", with: "r\(number)-"))\n" }
        return (upstreams + models).joined()
    }

    private struct Page: Decodable {
        struct Model: Decodable { let id: String }
        let data: [Model]
    }

    private func names(_ site: Site, _ route: String? = nil, token: String = RunningServer.token) async throws -> [String] {
        var call = ChatCall("", token: token, path: "/v1/models", method: "GET")
        if let route { call.fields = [("X-Site", route)] }
        let answer = try await site.call(call).ended()
        #expect(answer.status == 200 && answer.end == .complete, "\(answer.text)")
        #expect(!answer.text.contains("sk-"))
        return try JSONDecoder().decode(Page.self, from: Data(answer.body)).data.map(\.id)
    }

    /// Until so many requests are being answered.
    private func wait(for count: Int, at site: Site) async throws {
        try await eventually("\(count) requests are being answered") {
            try await Scrape(of: site).sum("sluice_active_requests") == Double(count)
        }
    }

    @Test func `has what can be asked, row by row`() async throws {
        let rows = Self.rows
        #expect(rows.count >= 25 && Set(rows.map(\.name)).count == rows.count)
        let upstream = try StubUpstream { request in
            for (number, row) in rows.enumerated() {
                for (name, teller) in row.upstreams where request.path.hasPrefix("/v1/r\(number)-\(name)/") {
                    return teller.reply
                }
            }
            return .status(404)
        }
        let settings =
            rows.enumerated().map { Self.settings($0.offset, $0.element) }.joined() + "[clients.second]\nmodels = [\"m-*\"]\n"
        try await Site.with(
            WebServer.nginx, upstream: upstream, settings: settings,
            changes: [Self.byHeader] + WebServer.nginx.withoutLimits
        ) { site in
            for (number, row) in rows.enumerated() {
                let listed = try await names(site, "row-\(number)", token: row.token)
                #expect(listed == row.lists, "\(row.name)")
                for (name, teller) in row.upstreams {
                    let asked = upstream.requests.value.filter { $0.path.hasPrefix("/v1/r\(number)-\(name)/") }
                    #expect(asked.isEmpty == !teller.isAsked, "\(row.name): \(name)")
                    guard let request = asked.first else { continue }
                    #expect(request.method == "GET" && request.path.hasSuffix("/models") && request.body.isEmpty)
                    if teller.lines == nil { #expect(request.head["Authorization"] == "Bearer sk-\(number)\(name)") }
                }
            }
            #expect(upstream.requests.value.contains { $0.path.hasSuffix("-a/deep/models") })
        }
    }

    /// One worker: each has its own.
    @Test func `is asked for once for all who want it, and anew after a reload`() async throws {
        let gate = try Gate()
        let count = Observed(0)
        let upstream = try StubUpstream { _ in
            let number = count.update { count in
                count += 1
                return count
            }
            let text = Self.told(["m-\(number)"]).text
            return Reply(contentType: "application/json", number == 1 ? [.wait(gate), .text(text)] : [.text(text)])
        }
        let settings = "workers = 1\n[upstreams.stub]\nurl = \"UPSTREAM\"\nkey = \"sk-stub\"\n"
        try await Site.with(
            WebServer.nginx, upstream: upstream, settings: settings, options: ["--workers", "1"]
        ) { site in
            async let first = names(site)
            _ = try await upstream.request()
            async let second = names(site)
            try await wait(for: 2, at: site)
            gate.open()
            #expect(try await [first, second] == [["m-1"], ["m-1"]])
            #expect(try await names(site) == ["m-1"])
            #expect(upstream.requests.value.count == 1)
            site.sluice.process.signal(SIGHUP)
            try await site.sluice.process.errors.wait(for: "the reload") { $0.text.contains("the settings were reloaded") }
            #expect(try await names(site) == ["m-2"])
            #expect(try await names(site) == ["m-2"])
            #expect(upstream.requests.value.count == 2)
        }
    }

    /// More upstreams than are asked at once, each with a model of its own.
    @Test func `has those of all upstreams by and by, however many there are`() async throws {
        let upstream = try StubUpstream { request in
            let number = request.path.firstMatch(of: /\/u([0-9]+)\//).map { String($0.output.1) } ?? ""
            return Self.told(["m-\(number)-1"])
        }
        let settings = (0..<70).map { number in
            "[upstreams.u\(number)]\nurl = \"UPSTREAM/u\(number)\"\nkey = \"sk-stub\"\n"
                + "[[models]]\nmatch = \"m-\(number)-*\"\ntargets = [\"u\(number)\"]\n"
        }.joined()
        try await Site.with(
            WebServer.nginx, upstream: upstream, settings: settings, options: ["--workers", "1"]
        ) { site in
            var counts: [Int] = []
            for _ in 0..<4 { counts.append(try await names(site).count) }
            #expect(counts == [32, 64, 70, 70])
            #expect(upstream.requests.value.count == 70)
        }
    }

    @Test func `outlives whoever asks first, and the others get it`() async throws {
        let gate = try Gate()
        let upstream = try StubUpstream(
            Reply(contentType: "application/json", [.wait(gate), .text(Self.told(["m-1"]).text)]))
        let settings = "[upstreams.stub]\nurl = \"UPSTREAM\"\nkey = \"sk-stub\"\n"
        try await Site.with(
            WebServer.nginx, upstream: upstream, settings: settings, options: ["--workers", "1"]
        ) { site in
            let leaving = try DirectCall(to: site.sluice.socket, "GET", "/v1/models")
            _ = try await upstream.request()
            async let second = names(site)
            try await wait(for: 2, at: site)
            leaving.close()
            // His leaving has been read by then.
            _ = try await DirectCall(to: site.sluice.socket, "GET", "/v1/openapi.json").response()
            gate.open()
            #expect(try await second == ["m-1"])
            #expect(upstream.requests.value.count == 1)
        }
    }

    @Test func `is called off where nobody waits for it, and asked for anew by whoever comes next`() async throws {
        let count = Observed(0)
        let upstream = try StubUpstream { _ in
            count.update { count in
                count += 1
                return count
            } < 3 ? .silence : Self.told(["m-1"])
        }
        let settings = "[upstreams.stub]\nurl = \"UPSTREAM\"\nkey = \"sk-stub\"\n"
        try await Site.with(
            WebServer.nginx, upstream: upstream, settings: settings, options: ["--workers", "1"]
        ) { site in
            let alone = try DirectCall(to: site.sluice.socket, "GET", "/v1/models")
            let first = try await upstream.request()
            alone.close()
            try await first.closedByPeer()
            // Of two it waits for the last one.
            let asker = try DirectCall(to: site.sluice.socket, "GET", "/v1/models")
            let second = try await upstream.request(1)
            let other = try DirectCall(to: site.sluice.socket, "GET", "/v1/models")
            try await wait(for: 2, at: site)
            for leaving in [asker, other] { leaving.close() }
            try await second.closedByPeer()
            // One that was late would not be asked again for minutes.
            #expect(try await names(site) == ["m-1"])
            #expect(upstream.requests.value.count == 3)
            #expect(!site.sluice.process.errors.value.text.contains("does not tell its models"))
        }
    }

    @Test func `is asked for again after a failure, long before an answer would be`() async throws {
        let isUp = Observed(false)
        let upstream = try StubUpstream { _ in isUp.value ? Self.told(["m-1"]) : .status(503) }
        let settings = "[upstreams.stub]\nurl = \"UPSTREAM\"\nkey = \"sk-stub\"\n"
        try await Site.with(
            WebServer.nginx, upstream: upstream, settings: settings, options: ["--workers", "1"],
            changes: WebServer.nginx.withoutLimits
        ) { site in
            #expect(try await names(site) == [])
            isUp.update { $0 = true }
            try await eventually("the upstream is asked again") { try await names(site) == ["m-1"] }
            #expect(upstream.requests.value.count == 2)
        }
    }

    @Test func `says in the log why an upstream tells none, and nothing of what it said`() async throws {
        let upstream = try StubUpstream(.json("planted words", status: 418))
        let settings = "log.level = \"info\"\n[upstreams.stub]\nurl = \"UPSTREAM\"\nkey = \"sk-stub\"\n"
        try await Site.with(WebServer.nginx, upstream: upstream, settings: settings) { site in
            #expect(try await names(site) == [])
            try await site.sluice.process.errors.wait(for: "the reason") {
                $0.text.contains("the upstream does not tell its models") && $0.text.contains(#""reason":"status 418""#)
            }
            #expect(!site.sluice.process.errors.value.text.contains("planted"))
        }
    }
}
