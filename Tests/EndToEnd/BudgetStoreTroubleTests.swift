import Clock
import Foundation
import Glibc
import TestSupport
import Testing

/// What becomes of what clients use while their store is away, late or no Redis at all.
@Suite(.timeLimit(.minutes(20))) struct `A budget of several machines whose store is in trouble`: BudgetMachines {
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
}
