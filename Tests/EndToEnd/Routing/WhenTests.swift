import Glibc
import TestSupport
import Testing

/// Where a call goes besides by its model: by its client and its body (`when`), and by the web server's word (`SLUICE_ROUTE`).
@Suite(.timeLimit(.minutes(20))) struct `Where a call goes` {
    /// Says who was asked, by the model that the settings have given the target.
    private static func reply(_ request: UpstreamRequest) -> Reply {
        let name = request.text.split(separator: #""model":""#).dropFirst().first?.prefix { $0 != "\"" } ?? "nobody"
        return .json(Chunks.completion("asked \(name)"))
    }

    private static let upstream = "retries = 0\n[upstreams.stub]\nurl = \"UPSTREAM\"\nkey = \"sk-stub\"\n"

    /// An entry of `[[models]]`, whose upstream is asked for a model of that name.
    private static func entry(_ target: String, _ match: String, _ lines: String...) -> String {
        """
        [[models]]
        match = "\(match)"
        targets = [{upstream = "stub", model = "\(target)"}]
        \(lines.joined(separator: "\n"))

        """
    }

    private func call(_ model: String, _ members: String = "", token: String = RunningServer.token, site: String? = nil)
        -> ChatCall
    {
        var call = ChatCall(
            #"{"model":"\#(model)","messages":[{"role":"user","content":"Hi"}],"stream":false\#(members.isEmpty ? "" : ",")\#(members)}"#,
            token: token)
        if let site { call.fields = [("X-Site", site)] }
        return call
    }

    private func expect(_ target: String, _ call: ChatCall, _ site: Site, _ name: String) async throws {
        let answer = try await site.call(call).ended()
        #expect(
            answer.status == 200 && answer.text.contains("asked \(target)\""),
            "\(name): \(answer.status) \(answer.text.prefix(300))")
    }

    // MARK: Conditions

    @Test(arguments: WebServer.selected.prefix(1))
    func `is told by conditions, row by row`(server: WebServer) async throws {
        let rows = WhenRow.all
        #expect(rows.count >= 70 && Set(rows.map(\.name)).count == rows.count)
        let upstream = try StubUpstream(Self.reply)
        let models = rows.enumerated().map { number, row in
            Self.entry("fits", "row-\(number)", "when = \(row.when)") + Self.entry("else", "row-\(number)")
        }
        try await Site.with(
            server, upstream: upstream, settings: Self.upstream + models.joined(), changes: server.withoutLimits
        ) { site in
            for (number, row) in rows.enumerated() {
                let call = call("row-\(number)", row.members, token: row.token)
                try await expect(row.fits ? "fits" : "else", call, site, row.name)
            }
        }
    }

    @Test func `is changed by a reload, for the calls behind it`() async throws {
        let upstream = try StubUpstream(Self.reply)
        let settings = { (tenant: String) in
            Self.upstream + Self.entry("own", "*", "when = {metadata.tenant = \"\(tenant)\"}") + Self.entry("common", "*")
        }
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings("north")) { site in
            let members = #""metadata":{"tenant":"north"}"#
            for (number, (tenant, target)) in [("north", "own"), ("south", "common"), ("n*", "own")].enumerated() {
                if number > 0 { try await site.reload(settings(tenant), number) }
                try await expect(target, call("m", members), site, tenant)
            }
            try site.write(settings("[n"))
            site.sluice.process.signal(SIGHUP)
            try await site.sluice.process.errors.wait(for: "what is wrong") {
                $0.text.contains("models[0].when.metadata.tenant has a '[' without a ']'")
            }
            try await expect("own", call("m", members), site, "as before")
        }
    }

    @Test func `is told by a number, where several entries have the same name and models`() async throws {
        let upstream = try StubUpstream(Self.reply)
        let settings =
            Self.entry("one", "*", "when = {client = \"second\"}") + Self.entry("two", "gpt-*", "when = {client = \"first\"}")
            + Self.entry("three", "*", "when = {metadata.tenant = \"north\"}") + Self.entry("four", "*")
        try await Site.with(
            WebServer.selected[0], upstream: upstream, settings: "control = \"unix:control.sock\"\n" + Self.upstream + settings
        ) { site in
            try await expect("two", call("gpt-4"), site, "gpt-4")
            try await expect("three", call("m", #""metadata":{"tenant":"north"}"#), site, "north")
            try await expect("four", call("m"), site, "m")
            let routes = ["gpt-*", "*#2", "*#3"]
            let lines = try await site.requestLines(routes.count)
            for route in routes { #expect(lines.contains { $0.contains(#""route":"\#(route)""#) }, "\(lines)") }
            let status = try await SluiceRun(["status", "--control", "unix:control.sock"], in: site.directory).output
            for route in routes + ["*#1"] { #expect(status.contains("\n\(route) "), "\(status)") }
        }
    }

    // MARK: Routes

    /// A route is what a header says, for the tests alone: no shipped configuration has such a thing.
    private static let byHeader = Change(
        "#fastcgi_param SLUICE_ROUTE     $sluice_client;", to: "fastcgi_param SLUICE_ROUTE $http_x_site;")

    private static let routes =
        entry("shop-gpt", "gpt-*", "name = \"shop\"")
        + entry("shop-second", "*", "name = \"shop\"", "when = {client = \"second\"}")
        + entry("web-1", "web-1", "name = \"web\"") + entry("plain-web", "web-1", "when = {client = \"first\"}")
        + entry("plain", "plain-*") + entry("plain-7", "plain7")

    private enum End {
        case at(String), notFound(knows: [String], not: [String]), unknown
    }

    private typealias Asked = (site: String?, model: String, token: String, end: End)

    @Test func `is told by the web server, and there is no way from one route to another`() async throws {
        let upstream = try StubUpstream(Self.reply)
        let all = ["gpt-", "web-1", "plain7", "shop", "web"]
        let rows: [Asked] = [
            (nil, "plain-1", RunningServer.token, .at("plain")), (nil, "plain7", RunningServer.token, .at("plain-7")),
            (nil, "web-1", RunningServer.token, .at("plain-web")),
            (nil, "web-1", RunningServer.otherToken, .notFound(knows: ["plain7"], not: ["web-1", "gpt-", "shop"])),
            (nil, "gpt-4", RunningServer.token, .notFound(knows: ["plain7", "web-1"], not: ["gpt-", "shop"])),
            ("shop", "gpt-4", RunningServer.token, .at("shop-gpt")),
            ("shop", "gpt-4", RunningServer.otherToken, .at("shop-gpt")),
            ("shop", "plain-1", RunningServer.otherToken, .at("shop-second")),
            ("shop", "plain-1", RunningServer.token, .notFound(knows: [], not: all)),
            ("shop", "web-1", RunningServer.token, .notFound(knows: [], not: all)),
            ("web", "web-1", RunningServer.token, .at("web-1")), ("web", "web-1", RunningServer.otherToken, .at("web-1")),
            ("web", "gpt-4", RunningServer.token, .notFound(knows: ["web-1"], not: ["gpt-", "plain7", "shop"])),
            ("web", "plain-1", RunningServer.token, .notFound(knows: ["web-1"], not: ["gpt-", "plain7", "shop"])),
        ]
        let nowhere: [Asked] = [
            "other", "SHOP", "shop*", "*", "sho", "shop-", "web:", "plain-1", String(repeating: "shop", count: 100),
        ].map {
            ($0, "gpt-4", RunningServer.token, .unknown)
        }
        try await Site.with(
            WebServer.nginx, upstream: upstream, settings: Self.upstream + Self.routes,
            changes: WebServer.nginx.withoutLimits + [Self.byHeader]
        ) { site in
            for row in rows + nowhere {
                let name = "\(row.site ?? "none") \(row.model)"
                let answer = try await site.call(call(row.model, token: row.token, site: row.site)).ended()
                switch row.end {
                case .at(let target):
                    #expect(answer.status == 200 && answer.text.contains("asked \(target)\""), "\(name): \(answer.text)")
                case .notFound(let known, let hidden):
                    #expect(answer.status == 404 && answer.error?.code == "model_not_found", "\(name): \(answer.text)")
                    for model in known { #expect(answer.text.contains("'\(model)'"), "\(name): \(answer.text)") }
                    for model in hidden { #expect(!answer.text.contains(model), "\(name): \(answer.text)") }
                case .unknown:
                    #expect(answer.status == 500 && answer.error?.code == "unknown_route", "\(name): \(answer.text)")
                    #expect(answer.head?["X-Should-Retry"] == "false")
                    for model in all { #expect(!answer.text.contains(model), "\(name): \(answer.text)") }
                }
            }
            let asked = rows.count { if case .at = $0.end { true } else { false } }
            #expect(upstream.requests.value.count == asked)
            try await site.sluice.process.errors.wait(for: "what the operator is told") { output in
                ["other", "SHOP", "(no name)"].allSatisfy { route in
                    output.lines.contains {
                        $0.contains("a request names a route (SLUICE_ROUTE) that none of [[models]] has")
                            && $0.contains("\"level\":\"error\"") && $0.contains("\"route\":\"\(route)\"")
                    }
                }
            }
            let lines = try await site.requestLines(rows.count + nowhere.count)
            #expect(
                lines.count { $0.contains(#""ending":"unknown_route""#) && $0.contains(#""level":"error""#) } == nowhere.count)
            #expect(
                lines.contains { $0.contains(#""route":"shop:gpt-*""#) } && lines.contains { $0.contains(#""route":"plain-*""#) })
        }
    }

    @Test func `shows each route's models alone, to those who may have them`() async throws {
        let upstream = try StubUpstream(Self.reply)
        let settings =
            "default_model = \"gpt-4o\"\n" + Self.upstream + Self.routes
            + Self.entry("own", "both", "name = \"mixed\"", "when = {client = \"first\"}")
            + Self.entry("common", "b*", "name = \"mixed\"")
            + "[clients.second]\nmodels = [\"plain*\", \"gpt-*\", \"both\"]\n"
        try await Site.with(WebServer.nginx, upstream: upstream, settings: settings, changes: [Self.byHeader]) { site in
            let all = ["gpt-4o", "web-1", "plain7", "both"]
            for (name, token, models) in [
                (nil, RunningServer.token, ["web-1", "plain7"]), (nil, RunningServer.otherToken, ["plain7"]),
                ("shop", RunningServer.token, ["gpt-4o"]), ("shop", RunningServer.otherToken, ["gpt-4o"]),
                ("web", RunningServer.token, ["web-1"]), ("web", RunningServer.otherToken, []),
                ("mixed", RunningServer.token, ["both"]), ("mixed", RunningServer.otherToken, ["both"]),
            ] as [(String?, String, [String])] {
                var call = ChatCall("", token: token, path: "/v1/models", method: "GET")
                if let name { call.fields = [("X-Site", name)] }
                let answer = try await site.call(call).ended()
                #expect(answer.status == 200)
                #expect(
                    all.filter { answer.text.contains("\"\($0)\"") }.sorted() == models.sorted(),
                    "\(name ?? "none"): \(answer.text)")
            }
            var call = ChatCall("", path: "/v1/models", method: "GET")
            call.fields = [("X-Site", "other")]
            let answer = try await site.call(call).ended()
            #expect(answer.status == 500 && answer.error?.code == "unknown_route")
        }
    }

    @Test func `where each of the models has a name, a request without one goes nowhere`() async throws {
        let upstream = try StubUpstream(Self.reply)
        let settings = Self.upstream + Self.entry("one", "*", "name = \"shop\"")
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            let answer = try await site.call(call("m")).ended()
            #expect(answer.status == 500 && answer.error?.code == "unknown_route", "\(answer.text)")
            try await site.sluice.process.errors.wait(for: "what the operator is told") {
                $0.text.contains("a request names no route (SLUICE_ROUTE), and each of [[models]] has a name")
            }
            #expect(upstream.requests.value.isEmpty)
        }
    }

    @Test func `is not guessed where the web server names two routes`() async throws {
        let upstream = try StubUpstream(Self.reply)
        let settings =
            Self.upstream + Self.entry("one", "*", "name = \"shop\"") + Self.entry("two", "*", "name = \"web\"")
        try await Site.with(WebServer.selected[0], upstream: upstream, settings: settings) { site in
            let body = String(decoding: chat().body, as: UTF8.self)
            for (method, path, body) in [("POST", "/v1/chat/completions", body), ("GET", "/v1/models", "")] {
                for names in [["shop", "web"], ["shop", "shop"], ["", "shop"]] {
                    let parameters = names.map { (name: "SLUICE_ROUTE", value: $0) }
                    let answer = try await DirectCall(to: site.sluice.socket, method, path, parameters, body: body).response()
                    #expect(answer.hasPrefix("Status: 500\r\n") && answer.contains("unknown_route"), "\(answer)")
                }
            }
            try await site.sluice.process.errors.wait(for: "what the operator is told") {
                $0.text.contains("a request names two routes (SLUICE_ROUTE)")
            }
            #expect(upstream.requests.value.isEmpty)
        }
    }

    @Test(arguments: WebServer.fronts)
    func `is nothing that a caller can choose by a header`(server: WebServer) async throws {
        let upstream = try StubUpstream(Self.reply)
        let settings = Self.upstream + Self.entry("secret", "*", "name = \"shop\"") + Self.entry("plain", "*")
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            for name in ["SLUICE_ROUTE", "Sluice-Route", "Sluice_Route", "HTTP_SLUICE_ROUTE", "Http-Sluice-Route"] {
                var call = call("m")
                call.fields = [(name, "shop")]
                let answer = try await site.call(call).ended()
                #expect(
                    !answer.text.contains("secret") && (answer.status == 400 || answer.text.contains("asked plain\"")),
                    "\(name): \(answer.text)")
            }
            #expect(!upstream.requests.value.contains { $0.text.contains("secret") })
        }
    }

    // MARK: Tenants

    /// The shipped line that makes the client's name the route.
    private static func byClient(_ server: WebServer) -> Change {
        let line =
            switch server {
            case .nginx: "fastcgi_param SLUICE_ROUTE "
            case .lighttpd: "route = \", "
            case .apache: "ProxyFCGISetEnvIf true SLUICE_ROUTE "
            case .caddy: "env SLUICE_ROUTE "
            case .haproxy: "set-param SLUICE_ROUTE "
            }
        return Change("#\(line)", to: line)
    }

    @Test(arguments: WebServer.fronts)
    func `of two tenants is each one's own upstream, whatever they ask and whatever fails`(server: WebServer) async throws {
        let stubs = try ["first", "second"].map { name in
            try StubUpstream { request in
                request.text.contains("fail") ? .json(Chunks.error("no"), status: 500) : .json(Chunks.completion("asked \(name)"))
            }
        }
        let tenants = zip(["first", "second"], stubs).map { (name: String, stub: StubUpstream) -> String in
            """
            [upstreams.\(name)]
            url = "\(stub.url)"
            key = "sk-\(name)"
            [[models]]
            name = "\(name)"
            match = "\(name)-1"
            targets = ["\(name)"]
            [[models]]
            name = "\(name)"
            match = "gpt-*"
            targets = ["\(name)", {upstream = "\(name)", model = "again"}]

            """
        }
        try await Site.with(
            server, upstream: stubs[0], settings: "retries = 0\nrest_for = \"0s\"\n" + tenants.joined(),
            changes: server.withoutLimits + [Self.byClient(server)]
        ) { site in
            let tokens = [RunningServer.token, RunningServer.otherToken]
            for (name, other, token) in [("first", "second", tokens[0]), ("second", "first", tokens[1])] {
                let answered = try await site.call(call("gpt-4", token: token)).ended()
                #expect(answered.text.contains("asked \(name)"), "\(answered.text)")
                let foreign = try await site.call(call("\(other)-1", token: token)).ended()
                #expect(foreign.status == 404 && !foreign.text.contains(other), "\(foreign.text)")
                for members in [
                    #""name":"\#(other)","route":"\#(other)","SLUICE_ROUTE":"\#(other)""#, #""client":"\#(other)""#,
                    #""metadata":{"tenant":"\#(other)"},"user":"\#(other)""#,
                ] {
                    var posing = call("gpt-4", members, token: token)
                    posing.fields = [
                        ("SLUICE_ROUTE", other), ("Sluice-Route", other), ("SLUICE_CLIENT", other), ("X-Site", other),
                    ]
                    posing.path = "/v1/chat/completions?SLUICE_ROUTE=\(other)"
                    let answer = try await site.call(posing).ended()
                    #expect(answer.text.contains("asked \(name)"), "\(answer.text)")
                }
                let failed = try await site.call(call("gpt-4", #""user":"fail""#, token: token)).ended()
                #expect(failed.status == 503)
                let list = try await site.call(ChatCall("", token: token, path: "/v1/models", method: "GET")).ended()
                #expect(list.text.contains("\(name)-1") && !list.text.contains(other), "\(list.text)")
            }
            for (name, stub) in zip(["first", "second"], stubs) {
                // Six chats, and the question for its models.
                #expect(stub.requests.value.count == 7 && stub.requests.value.count { $0.method == "GET" } == 1)
                #expect(stub.requests.value.allSatisfy { $0.head["Authorization"] == "Bearer sk-\(name)" })
            }
        }
        try await stubs[1].stop()
    }
}

extension Site {
    fileprivate func write(_ settings: String) throws {
        try directory.write(settings.replacing("UPSTREAM", with: upstreamURL), to: "sluice.toml")
    }

    /// - Parameter number: of reloads by now.
    fileprivate func reload(_ settings: String, _ number: Int) async throws {
        try write(settings)
        sluice.process.signal(SIGHUP)
        try await sluice.process.errors.wait(for: "reload \(number)") { output in
            output.lines.count { $0.contains(#""message":"the settings were reloaded""#) } == number
        }
    }
}
