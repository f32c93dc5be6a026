import Clock
import Foundation
import Glibc
import TestSupport
import Testing

/// What clients may use of several machines: `budget_store`.
@Suite(.timeLimit(.minutes(20))) struct `A budget of several machines` {
    /// 5 tokens, by the upstream's word.
    private static let whole = Reply.json(Chunks.completion("Hello"))
    private static let cannot = "what clients use cannot be counted for all machines together (budget_store)"
    private static let again = "what clients use is counted for all machines together again (budget_store)"
    private static let leftOut = "what clients have used is left out of what all machines count together (budget_store)"

    private func settings(_ url: String, _ failure: String = "deny") -> String {
        "budget_store = \"\(url)\"\non_store_failure = \"\(failure)\""
    }

    private func tokens(_ limit: Int) -> String { "[clients.shop]\ntokens_per_day = \(limit)" }

    private func call(_ site: ProcessSite, _ client: String = "shop", stream: Bool = false) throws -> DirectCall {
        let body = String(decoding: chat(stream: stream, members: #","max_tokens":10"#).body, as: UTF8.self)
        return try DirectCall(
            to: site.sluice.socket, "POST", "/v1/chat/completions", [(name: "SLUICE_CLIENT", value: client)], body: body)
    }

    private func ask(_ site: ProcessSite, _ client: String = "shop") async throws -> BudgetAnswer {
        try await BudgetAnswer(call(site, client).response())
    }

    /// As `ask`, until the store has answered: this machine may be too busy to do so in time.
    private func askStored(_ site: ProcessSite, _ client: String = "shop") async throws -> BudgetAnswer {
        var answer = try await ask(site, client)
        try await eventually("the store") {
            if answer.status == 503 { answer = try await ask(site, client) }
            return answer.status != 503
        }
        return answer
    }

    /// Expects that a machine tells what all have used, of 1000. What was answered too late is held for a moment before it is given back.
    private func tellsAll(_ redis: RedisServer, _ site: ProcessSite) async throws {
        try await eventually("what is left for all") {
            let used = try await redis.tokens(of: "shop")
            let answer = try await ask(site)
            return answer.status == 200 && answer.tokensLeft == 995 - used && used >= 30 && used % 5 == 0
        }
    }

    /// What a request takes ahead of its answer.
    private func reserved(stream: Bool = false) -> Int {
        (chat(stream: stream, members: #","max_tokens":10"#).body.count + 3) / 4 + 10
    }

    private func status(_ site: ProcessSite) async throws -> String { try await site.ask("status").output }

    /// Two machines with one store; what the test gives back is their end.
    private func withMachines(
        _ settings: String, _ clients: String,
        upstream: @escaping @Sendable () throws -> StubUpstream = { try StubUpstream(whole) },
        options: [String] = [], _ test: (ProcessSite, ProcessSite) async throws -> Void
    ) async throws {
        let (first, second) = (try upstream(), try upstream())
        try await ProcessSite.with(settings, upstream: first, upstreamLines: clients, options: options) { one in
            try await ProcessSite.with(settings, upstream: second, upstreamLines: clients, options: options) { other in
                try await test(one, other)
            }
        }
    }

    // MARK: One budget

    @Test(arguments: [1, 3]) func `is one for all of them, and outlives each`(processes: Int) async throws {
        let redis = try await RedisServer()
        let options = ["--processes", "\(processes)"]
        try await withMachines(settings(redis.url()), tokens(1000), options: options) { one, other in
            for round in 0..<3 {
                for (number, site) in [one, other].enumerated() {
                    #expect(try await askStored(site).status == 200)
                    try await eventually("what was used") { try await redis.tokens(of: "shop") == 10 * round + 5 * (number + 1) }
                }
            }
            try await tellsAll(redis, one)
        }
        // Machines that have never heard of that client.
        try await withMachines(settings(redis.url()), tokens(1000), options: options) { one, _ in
            try await tellsAll(redis, one)
            #expect(try await askStored(one, "kiosk").tokensLeft == nil)
        }
        let time = Int(try await redis.ask("TTL", "sluice:{shop}:\(timestamp(ofSecond: secondsSince1970()).prefix(10))")) ?? 0
        #expect((1...172_800).contains(time) || time == -2, "\(time)")
    }

    @Test func `is never gone beyond by requests at once`() async throws {
        let redis = try await RedisServer(port: try freePort())
        let (gate, room) = (try Gate(), 40)
        let usage = #""choices":[],"usage":{"prompt_tokens":4,"completion_tokens":1}"#
        let chunk = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\(usage)}\n\n"
        let frames = Chunks.stream(["one"])
        let upstream: @Sendable () throws -> StubUpstream = {
            try StubUpstream { request in
                guard request.text.contains("\"stream\":true") else { return Self.whole }
                return .stream(frames.dropLast() + [chunk] + frames.suffix(1), each: gate)
            }
        }
        try await withMachines(
            settings(redis.url()), tokens(room * reserved(stream: true)), upstream: upstream, options: ["--processes", "2"]
        ) { one, other in
            let (answers, asked) = (Observed<[Int]>([]), 120)
            let answered = { one.upstream.requests.value.count + other.upstream.requests.value.count }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<asked {
                    group.addTask {
                        let answer = try await BudgetAnswer(call(number % 2 == 0 ? one : other, stream: true).response())
                        answers.update { $0.append(answer.status) }
                    }
                }
                try await eventually("an answer or a refusal for each") { answers.value.count + answered() == asked }
                let refused = answers.value
                #expect(refused.allSatisfy { $0 == 429 || $0 == 503 })
                #expect(answered() <= room)
                // None is turned away while there is room, but where this machine was too busy.
                #expect(answered() == room || refused.contains(503))
                gate.open(10 * asked)
                try await group.waitForAll()
            }
            // What each took is less than it might have: the rest is there again.
            let spent = 5 * answered()
            try await eventually("what was given back") { try await redis.tokens(of: "shop") == spent }
            #expect(try await askStored(one).status == 200)
        }
    }

    @Test func `is of a minute's requests too`() async throws {
        let redis = try await RedisServer()
        try await withMachines(settings(redis.url()), "[clients.\"shop-*\"]\nrequests_per_minute = 1") { one, other in
            // The minute may end in between, or an answer come too late.
            var refused: BudgetAnswer?
            for number in 0..<20 where refused == nil {
                guard try await askStored(one, "shop-\(number)").status == 200 else { continue }
                let answer = try await askStored(other, "shop-\(number)")
                if answer.status == 429 { refused = answer }
            }
            let answer = try #require(refused)
            #expect(answer.text.contains(#""code":"rate_limit_exceeded""#))
            #expect((1...60).contains(answer.retryAfter ?? 0))
            #expect(answer.tokensLeft == nil)
            #expect(try await other.ask("clients", "--json").output.contains(#""refused":1"#))
        }
    }

    @Test func `that is spent is refused in OpenAI's words, by a machine that has used none of it`() async throws {
        let redis = try await RedisServer()
        let limit = reserved() + 5
        try await withMachines(settings(redis.url()), tokens(limit)) { one, other in
            for used in [5, 10] {
                #expect(try await askStored(one).tokensLeft == limit - used)
                // Another worker has another connection.
                try await eventually("what was used") { try await redis.tokens(of: "shop") == used }
            }
            let refused = try await askStored(other)
            #expect(refused.status == 429)
            #expect(refused.tokensLeft == limit - 10)
            #expect(refused.text.contains(#""code":"insufficient_quota""#))
            #expect(other.upstream.requests.value.isEmpty)
            let told = try await other.ask("clients", "--json").output
            #expect(told.contains(#""name":"shop","tokens":0,"#) && told.contains(#""open":0,"concurrent":null,"refused":1"#))
            // Whatever has become of Redis, a machine's own counts hold.
            #expect(try await redis.ask("FLUSHALL") == "OK")
            #expect(try await askStored(one).status == 429)
            #expect(try await askStored(other).status == 200)
        }
    }

    @Test func `is a number again where somebody has written none, and nobody's where it is a list`() async throws {
        let redis = try await RedisServer()
        let clients = "[clients.\"*\"]\ntokens_per_day = 1000\nrequests_per_minute = 1000"
        try await ProcessSite.with(
            settings(redis.url()), upstream: try StubUpstream(Self.whole), upstreamLines: clients, options: ["--workers", "1"]
        ) { site in
            for (name, value) in [("a", "abc"), ("b", "1.5"), ("c", "nan"), ("d", "-7"), ("e", "0x10")] {
                try await redis.set(name, value)
                #expect(try await askStored(site, name).status == 200)
                try await eventually("what was used by \(name)") { try await redis.tokens(of: name) == 5 }
            }
            try await redis.ask("LPUSH", redis.day(of: "list"), "x")
            #expect(try await ask(site, "list").status == 503)
            try await site.logs(1, "what a client uses cannot be counted for all machines together (budget_store)")
            // That is no fault of the store, nor of others.
            #expect(try await askStored(site, "other").status == 200)
            #expect(!site.log.contains { $0.contains("what clients use cannot") && $0.contains("WRONGTYPE") })
        }
    }

    // MARK: A store that is away

    @Test(arguments: ["local", "deny"]) func `is the machine's own, or none, while Redis is away`(failure: String) async throws {
        let directory = try TemporaryDirectory()
        let redis = try await RedisServer(in: directory)
        try await ProcessSite.with(
            settings(redis.url(), failure), upstream: try StubUpstream(Self.whole), upstreamLines: tokens(100_000),
            options: ["--workers", "1"]
        ) { site in
            #expect(try await askStored(site).status == 200)
            try await eventually("what was used") { try await redis.tokens(of: "shop") == 5 }
            try await redis.end()
            let answers = [try await ask(site), try await ask(site)]
            if failure == "local" {
                #expect(answers.map(\.status) == [200, 200])
                #expect(answers.map(\.tokensLeft) == [99_990, 99_985])
            } else {
                #expect(answers.map(\.status) == [503, 503])
                #expect(answers[0].retryAfter == 5)
                #expect(answers[0].text.contains(#""type":"overloaded_error","param":null,"code":"budget_store_unavailable""#))
                #expect(site.upstream.requests.value.count == 1)
            }
            // Who has no limits is not asked for.
            #expect(try await ask(site, "kiosk").status == 200)
            try await site.logs(1, Self.cannot)

            // It has forgotten all, and is told what was used meanwhile.
            let next = try await RedisServer(in: directory)
            let missed = failure == "local" ? 10 : 0
            var used = missed
            try await eventually("Redis again") {
                if try await ask(site).status == 200 { used += 5 }
                return try await next.tokens(of: "shop") == used && used > missed
            }
            try await site.logs(1, Self.again)
            // Nothing comes behind that, as what has been counted would at the end.
            site.sluice.process.signal(SIGTERM)
            _ = try await site.sluice.process.exited()
            let told = site.log.filter { $0.contains("(budget_store)") }
            #expect(told.last?.contains(Self.again) == true, "\(told)")
        }
    }

    @Test func `is known to be away, or there, before anybody asks, and counts what was used until a reload has mended it`()
        async throws
    {
        let directory = try TemporaryDirectory()
        let redis = try await RedisServer(password: "s3cret", in: directory)
        let (wrong, right) = (redis.url(password: "wr0ng"), redis.url(password: "s3cret"))
        try await ProcessSite.with(
            settings(wrong, "local"), upstream: try StubUpstream(Self.whole), upstreamLines: tokens(1000), options: []
        ) { site in
            try await site.logs(1, "WRONGPASS invalid username-password pair or user is disabled")
            let line = try #require(try await status(site).split(separator: "\n").first { $0.hasPrefix("budget store:") })
            #expect(line.contains(#/redis\+unix://\S+/redis.sock, down since [-0-9T:]+Z: WRONGPASS /#), "\(line)")
            let json = try await site.ask("status", "--json").output
            #expect(json.contains(#/"budget_store":{"address":"redis\+unix:[^"]+","state":"down","since":"[^"]+","reason":"W/#))
            for _ in 0..<3 { #expect(try await ask(site).status == 200) }
            try site.write(settings(right, "local"), tokens(1000))
            #expect(try await site.ask("reload").exit == .code(0))
            try await site.logs(1, Self.again)
            try await eventually("what was used until then") { try await redis.tokens(of: "shop") == 15 }
            try await eventually("that it is up") { try await status(site).contains(", up since ") }
            // A reload that names a wrong one is known at once, too.
            try site.write(settings(wrong, "local"), tokens(1000))
            #expect(try await site.ask("reload").exit == .code(0))
            try await eventually("that it is down") { try await status(site).contains(#/, down since .*: WRONGPASS/#) }
            try site.write(settings(right, "local"), tokens(1000))
            #expect(try await site.ask("reload").exit == .code(0))
            try await eventually("that it is up again") { try await status(site).contains(", up since ") }
            try await redis.end()
            try await eventually("that it has gone") { try await status(site).contains(", down since ") }
            for text in [try await status(site), try await site.ask("status", "--json").output, site.log.joined()] {
                #expect(!text.contains("s3cret") && !text.contains("wr0ng"))
            }
        }
    }

    @Test func `is told where it was reserved, though a reload has named another store`() async throws {
        let (former, next) = (try await RedisServer(), try await RedisServer())
        let gate = try Gate()
        let usage = #""choices":[],"usage":{"prompt_tokens":4,"completion_tokens":1}"#
        let chunk = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\(usage)}\n\n"
        let frames = Chunks.stream(["one"])
        let upstream = try StubUpstream { request in
            guard request.text.contains("\"stream\":true") else { return Self.whole }
            return .stream(frames.dropLast() + [chunk] + frames.suffix(1), each: gate)
        }
        try await ProcessSite.with(
            settings(former.url(), "local"), upstream: upstream, upstreamLines: tokens(1000), options: ["--workers", "1"]
        ) { site in
            let stream = try call(site, stream: true)
            _ = try await upstream.request(containing: "\"stream\":true")
            try site.write(settings(next.url(), "local"), tokens(1000))
            #expect(try await site.ask("reload").exit == .code(0))
            #expect(try await ask(site).status == 200)
            try await former.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            gate.open(10)
            #expect(try await stream.response().contains("data: [DONE]"))
            try await eventually("what it came to") { try await former.tokens(of: "shop") == 5 }
            try await eventually("what was used at the other one") { try await next.tokens(of: "shop") == 5 }
        }
    }

    @Test func `holds nobody up when Redis stands still`() async throws {
        let redis = try await RedisServer(port: try freePort())
        let gate = try Gate()
        let frames = Chunks.stream(["one", "two"])
        let upstream = try StubUpstream { request in
            request.text.contains("\"stream\":true") ? .stream(frames, each: gate) : Self.whole
        }
        try await ProcessSite.with(
            settings(redis.url()), upstream: upstream, upstreamLines: tokens(100_000), options: ["--workers", "1"]
        ) { site in
            #expect(try await askStored(site).status == 200)
            let stream = try call(site, "kiosk", stream: true)
            _ = try await upstream.request(containing: "\"stream\":true")
            redis.process.signal(SIGSTOP)
            try await eventually("a Redis that stands still") { isStopped(redis.process.identifier) }
            let answers = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<5 { group.addTask { try await ask(site).status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers == [503, 503, 503, 503, 503])
            gate.open(frames.count)
            #expect(try await stream.response().contains("data: [DONE]"))
            redis.process.signal(SIGCONT)
            // What was answered too late was given back, unless this machine was so busy that the connection was given up before.
            var used = 5
            try await eventually("Redis again") {
                if try await ask(site).status == 200 { used += 5 }
                let counted = try await redis.tokens(of: "shop")
                return used > 5 && (counted == used || counted > used && site.hasGivenUp)
            }
        }
    }

    @Test func `has no request that was answered too late among those of its minute`() async throws {
        let redis = try await RedisServer(port: try freePort())
        try await ProcessSite.with(
            settings(redis.url()), upstream: try StubUpstream(Self.whole),
            upstreamLines: "[clients.\"*\"]\nrequests_per_minute = 1", options: ["--workers", "1"]
        ) { site in
            #expect(try await askStored(site, "first").status == 200)
            redis.process.signal(SIGSTOP)
            try await eventually("a Redis that stands still") { isStopped(redis.process.identifier) }
            #expect(try await ask(site, "second").status == 503)
            redis.process.signal(SIGCONT)
            #expect(try await askStored(site, "second").status == 200 || site.hasGivenUp)
            // Its day is not counted.
            #expect(try await redis.ask("EXISTS", redis.day(of: "second")) == "0")
        }
    }

    @Test func `is asked anew on another connection when one has been silent for some seconds`() async throws {
        let lookalike = try RedisLookalike([":0\r\n", ""], then: [":0\r\n", ":20\r\n"])
        try await ProcessSite.with(
            settings(lookalike.url), upstream: try StubUpstream(Self.whole), upstreamLines: tokens(1000),
            options: ["--workers", "1"]
        ) { site in
            #expect(try await ask(site).status == 503)
            try await site.logs(1, "no answer within 5s")
            #expect(try await askStored(site).status == 200)
        }
    }

    /// A debt of a request that took more than it had reserved, and of one that took less.
    @Test(arguments: [true, false], ["+PONG\r\n", "+OK\r\n", "$1\r\n0\r\n"])
    func `is not lost without a word when it is answered with nonsense`(isMore: Bool, nonsense: String) async throws {
        let tokens = isMore ? 44_970 : 1
        let usage = #""usage":{"prompt_tokens":\#(tokens),"completion_tokens":0,"total_tokens":\#(tokens)}"#
        let choice = #"{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}"#
        let whole = Reply.json(#"{"id":"c","object":"chat.completion","choices":[\#(choice)],\#(usage)}"#)
        let lookalike = try RedisLookalike([":0\r\n", ":400\r\n", nonsense], then: [":0\r\n", ":400\r\n"])
        try await ProcessSite.with(
            settings(lookalike.url), upstream: try StubUpstream(whole), upstreamLines: self.tokens(100_000),
            options: ["--workers", "1"]
        ) { site in
            #expect(try await askStored(site).status == 200)
            try await site.logs(1, "no answer of Redis")
            if isMore {
                let debt = "\r\n\(tokens - reserved())\r\n$5\r\n\(tokens)\r\n"
                try await eventually("the debt again") { lookalike.read.value.count { $0.contains(debt) } == 2 }
            } else {
                try await site.logs(1, Self.leftOut)
            }
        }
    }

    /// What a server says in the place of Redis, and what the log has of it.
    @Test(arguments: [
        (["HTTP/1.1 400 Bad Request\r\n\r\n"], "no answer of Redis"), (["$9223372036854775807\r\n"], "no answer of Redis"),
        (["*2147483647\r\n"], "no answer of Redis"), (["+" + String(repeating: "x", count: 5000)], "no answer of Redis"),
        (["+OK\r\n"], "no answer of Redis"), (["\r\n"], "no answer of Redis"),
        ([":0\r\n", ":-4\r\n"], "no answer of Redis"), ([":0\r\n", ":3\r\n"], "no answer of Redis"),
        ([":0\r\n", ":99999999999999999999\r\n"], "no answer of Redis"), ([":0\r\n", "+OK\r\n"], "no answer of Redis"),
        (["-LOADING Redis is loading the dataset in memory\r\n"], "LOADING Redis is loading the dataset in memory"),
        (["-NOAUTH Authentication required.\r\n"], "NOAUTH Authentication required"),
        ([":0\r\n", "-MOVED 3999 10.0.0.1:6381\r\n"], "\"MOVED\""),
        (
            [":0\r\n", "-READONLY You can't write against a read only replica.\r\n"],
            "READONLY You can't write against a read only replica"
        ),
        ([":0\r\n", "-OOM command not allowed when used memory > 'maxmemory'.\r\n"], "OOM command not allowed when used memory"),
        (["-ERR unknown command 'EVAL', with args beginning with: 'local' \r\n"], "ERR unknown command 'EVAL'\""),
        ([":0\r\n", "-\r\n"], "an error"),
    ]) func `is not counted by what is no Redis, or not well`(answers: [String], reason: String) async throws {
        let lookalike = try RedisLookalike(answers)
        try await ProcessSite.with(
            settings(lookalike.url), upstream: try StubUpstream(Self.whole), upstreamLines: tokens(1000), options: []
        ) { site in
            #expect(try await ask(site).status == 503)
            try await eventually("the reason") {
                _ = try await ask(site)
                return site.log.contains { $0.contains("(budget_store)") && $0.contains(reason) }
            }
            #expect(try await ask(site, "kiosk").status == 200)
        }
    }

    @Test func `answered with nonsense is known not to be counted at once, and not to be late`() async throws {
        var hasComeInTime = false
        // This machine may be too busy.
        for _ in 0..<5 where !hasComeInTime {
            let lookalike = try RedisLookalike([":0\r\n", "+OK\r\n"])
            try await ProcessSite.with(
                settings(lookalike.url), upstream: try StubUpstream(Self.whole), upstreamLines: tokens(1000),
                options: ["--workers", "1"]
            ) { site in
                try await site.logs(1, "is counted for all machines together (budget_store)")
                #expect(try await ask(site).status == 503)
                try await site.logs(1, "no answer of Redis")
                hasComeInTime = !site.log.contains { $0.contains("no answer within 250ms") }
            }
        }
        #expect(hasComeInTime)
    }

    // MARK: Passwords and reloads

    @Test func `is counted with a password, of which nothing is told`() async throws {
        let redis = try await RedisServer(password: "s3cret/pass")
        let clients = tokens(1000)
        let directory = try TemporaryDirectory()
        try directory.write("s3cret/pass\n", to: "password")
        let rows = [
            (settings(redis.url(password: "s3cret%2Fpass")), true), (settings(redis.url(password: "s3cret%2Fwrong")), false),
            (settings(redis.url()), false),
            (settings(redis.url()) + "\nbudget_store_password_file = \"password\"", true),
        ]
        for (settings, isRight) in rows {
            try await ProcessSite.with(
                settings, upstream: try StubUpstream(Self.whole), upstreamLines: clients, options: [], in: directory
            ) { site in
                if isRight {
                    #expect(try await askStored(site).status == 200)
                } else {
                    let answer = try await ask(site)
                    #expect(answer.status == 503)
                    #expect(!answer.text.contains("s3cret"))
                    try await site.logs(1, settings.contains("wrong") ? "WRONGPASS invalid" : "NOAUTH Authentication required")
                }
                let check = try await SluiceRun(["check", "--show", "--config", "sluice.toml"], in: directory)
                #expect(check.exit == .code(0))
                #expect(check.output.contains("budget_store = \"redis+unix://"))
                let status = try await site.ask("status", "--json").output
                for text in [check.output, check.errors, status, site.sluice.process.errors.value.text] {
                    #expect(!text.contains("s3cret"))
                }
            }
        }
    }

    @Test func `is not counted for somebody who may not do all, and is told which command that is`() async throws {
        let redis = try await RedisServer()
        let user = ["ACL", "SETUSER", "bobby", "reset", "on", ">s3cret", "~sluice:*"]
        for (rights, words) in [
            (["+get", "+set"], "'eval'"), (["+eval", "+get"], "can't run this command"),
            (["+eval", "+set"], "can't run this command"),
        ] {
            _ = try await redis.ask(user + rights)
            try await ProcessSite.with(
                settings(redis.url(user: "bobby", password: "s3cret")), upstream: try StubUpstream(Self.whole),
                upstreamLines: tokens(1000), options: []
            ) { site in
                let lines = try await site.logs(1, Self.cannot)
                #expect(lines[0].contains(words), "\(lines)")
                #expect(!site.log.joined().contains("bobby") && !site.log.joined().contains("s3cret"))
            }
        }
        _ = try await redis.ask(user + ["+eval", "+get", "+set", "+select"])
        try await ProcessSite.with(
            settings(redis.url(user: "bobby", password: "s3cret", database: 3)), upstream: try StubUpstream(Self.whole),
            upstreamLines: tokens(1000), options: []
        ) { site in
            #expect(try await askStored(site).status == 200)
            try await eventually("what was used") { try await redis.ask("-n", "3", "GET", redis.day(of: "shop")) == "5" }
        }
    }

    @Test func `is not counted with a password where Redis has none, which is told`() async throws {
        let redis = try await RedisServer()
        try await ProcessSite.with(
            settings(redis.url(password: "s3cret")), upstream: try StubUpstream(Self.whole), upstreamLines: tokens(1000),
            options: []
        ) { site in
            try await site.logs(1, "ERR AUTH <password> called without any password configured for the default user")
            #expect(!site.log.joined().contains("s3cret"))
        }
    }

    @Test(arguments: [[], ["--processes", "2"]]) func `begins and ends with a reload`(options: [String]) async throws {
        let redis = try await RedisServer()
        let upstream = try StubUpstream(Self.whole)
        try await ProcessSite.with(upstream: upstream, upstreamLines: tokens(1000), options: options) { site in
            #expect(try await ask(site).tokensLeft == 995)
            #expect(try await redis.ask("DBSIZE") == "0")
            try site.write(settings(redis.url()), tokens(1000))
            #expect(try await site.ask("reload").exit == .code(0))
            #expect(try await askStored(site).status == 200)
            try await eventually("what was used") { try await redis.tokens(of: "shop") == 5 }
            try site.write("", tokens(1000))
            #expect(try await site.ask("reload").exit == .code(0))
            #expect(try await ask(site).tokensLeft == 985)
            #expect(try await redis.tokens(of: "shop") == 5)
        }
    }
}

extension ProcessSite {
    /// Its lines so far.
    fileprivate var log: [String] { sluice.process.errors.value.lines }

    /// Whether a connection to the store was given up.
    fileprivate var hasGivenUp: Bool { log.contains { $0.contains("no answer within 5s") } }
}
