import TestSupport
import Testing

/// Sluice's limit of memory, over all requests.
@Suite struct `Bodies for which there is no memory` {
    /// Three quarters are for bodies: for eleven of a sixteenth and what stands around it.
    private static let limit = "limits = {memory = \"2MiB\", body = \"512KiB\"}\n"
    private static let roomCount = 11

    /// Its answer does not stream, so that no first token is waited for.
    private static func large(_ number: Int, kibibytes: Int = 128) -> ChatCall {
        chat("large \(number) " + String(repeating: "x", count: kibibytes << 10), stream: false)
    }

    private static func upstream(_ gate: Gate) throws -> StubUpstream {
        try StubUpstream { request in
            guard request.text.contains("large") else { return .stream(Chunks.stream(["small"])) }
            return Reply(
                contentType: "application/json", framing: .untilClose, [.wait(gate), .text(Chunks.completion("done")), .close])
        }
    }

    @Test(arguments: WebServer.selected)
    func `wait, then are told when to come again; others are served, and all goes on afterwards`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try Self.upstream(gate)
        let settings = "limits.memory = \"16MiB\"\ntimeouts.first_token = \"3s\"\n" + plainSettings
        try await Site.with(server, upstream: upstream, settings: settings, changes: server.withoutLimits) { site in
            #expect(try await site.call(chat()).ended().status == 200)
            let before = residentBytes(of: site.sluice.process.identifier)
            let calls = try (0..<100).map { try site.call(Self.large($0, kibibytes: 1024)) }
            try await upstream.requests.wait(for: "those that have room") { $0.count == 1 + Self.roomCount }
            for _ in 0..<20 { #expect(try await site.call(chat()).ended().status == 200) }
            let ended = Observed<[Received]>([])
            for call in calls {
                Task {
                    let response = try await call.ended()
                    ended.update { $0.append(response) }
                }
            }
            let refused = try await ended.wait(for: "the others to be refused") {
                $0.count >= calls.count - Self.roomCount ? $0 : nil
            }
            #expect(refused.count == calls.count - Self.roomCount)
            for response in refused {
                #expect(response.status == 503)
                #expect(response.head?["Retry-After"] == "5")
                #expect(response.error?.type == "overloaded_error" && response.error?.code == "memory_full")
            }
            // All together are 100 MiB, and twice that where each is held twice.
            #expect(residentBytes(of: site.sluice.process.identifier, peak: true) - before < 48 << 20)
            gate.open(Self.roomCount)
            let answered = try await ended.wait(for: "the answers") { $0.count == calls.count ? $0 : nil }
            #expect(answered.filter { $0.status == 200 && $0.text.contains("done") }.count == Self.roomCount)
            let log = try await site.requestLines(calls.count + 21)
            #expect(log.filter { $0.contains(#""ending":"memory_full""#) }.count == calls.count - Self.roomCount)
            gate.open()
            #expect(try await site.call(Self.large(100, kibibytes: 1024)).ended().status == 200)
        }
    }

    @Test(arguments: WebServer.selected)
    func `wait, and have their turn when others are through`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try Self.upstream(gate)
        let settings = Self.limit + "timeouts.first_token = \"1m\"\n" + plainSettings
        try await Site.with(server, upstream: upstream, settings: settings, changes: server.withoutLimits) { site in
            let calls = try (0..<30).map { try site.call(Self.large($0)) }
            for round in 1...calls.count {
                try await upstream.requests.wait(for: "the next") {
                    $0.count >= min(round + Self.roomCount - 1, calls.count)
                }
                gate.open()
            }
            for call in calls {
                let response = try await call.ended()
                #expect(response.status == 200 && response.text.contains("done"))
            }
            #expect(upstream.requests.value.count == calls.count)
        }
    }

    /// Where the web server watches its callers.
    @Test(arguments: WebServer.selected.filter(\.noticesLeavingClients))
    func `are forgotten when their callers leave, and so are those that are held`(server: WebServer) async throws {
        let gate = try Gate()
        let upstream = try Self.upstream(gate)
        let settings = Self.limit + plainSettings
        try await Site.with(server, upstream: upstream, settings: settings, changes: server.withoutLimits) { site in
            for round in 1...5 {
                let calls = try (0..<30).map { try site.call(Self.large($0)) }
                try await upstream.requests.wait(for: "those that have room") { $0.count >= round * Self.roomCount }
                for call in calls { call.close() }
            }
            gate.open(200)
            #expect(try await site.call(Self.large(100)).ended().status == 200)
        }
    }
}

/// The same limit, where it is an upstream that sends much.
@Suite struct `Answers for which there is no memory` {
    private static let settings = "limits = {memory = \"1MiB\", body = \"512KiB\", event = \"2MiB\"}\n" + plainSettings

    @Test(arguments: WebServer.selected)
    func `are errors, and others are served`(server: WebServer) async throws {
        let upstream = try StubUpstream { request in
            request.text.contains("large")
                ? .json(Chunks.completion(String(repeating: "x", count: 2 << 20))) : .json(Chunks.completion("small"))
        }
        try await Site.with(server, upstream: upstream, settings: Self.settings) { site in
            for _ in 0..<3 {
                let response = try await site.call(chat("large", stream: false)).ended()
                #expect(response.status == 503 && response.error?.code == "memory_full")
                #expect(response.head?["Retry-After"] == "5")
                #expect(try await site.call(chat(stream: false)).ended().text.contains("small"))
            }
        }
    }

    @Test(arguments: WebServer.selected)
    func `are told inside a stream that has begun`(server: WebServer) async throws {
        let long = Chunks.content(String(repeating: "x", count: 1_500_000))
        let upstream = try StubUpstream(.stream([Chunks.role(), Chunks.content("Hello"), long, Chunks.finish(), Chunks.done]))
        try await Site.with(server, upstream: upstream, settings: Self.settings) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.status == 200 && response.text.contains("Hello"))
            #expect(response.errorFrame?.code == "memory_full")
            #expect(!response.text.contains("[DONE]"))
        }
    }
}
