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
            guard request.text.contains("large") else { return .json(Chunks.completion("small")) }
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
            #expect(try await site.call(chat(stream: false)).ended().status == 200)
            let before = residentBytes(of: site.sluice.process.identifier)
            let calls = try (0..<100).map { try site.call(Self.large($0, kibibytes: 1024)) }
            try await upstream.requests.wait(for: "those that have room") { $0.count == 1 + Self.roomCount }
            for _ in 0..<20 { #expect(try await site.call(chat(stream: false)).ended().status == 200) }
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

    /// Names that nobody knows, and where messages stand that have members of their own.
    @Test(arguments: WebServer.selected, [true, false])
    func `count with what is kept of them beside`(server: WebServer, hasLongName: Bool) async throws {
        let gate = try Gate()
        let upstream = try Self.upstream(gate)
        let settings = "limits = {memory = \"16MiB\", body = \"4MiB\"}\ntimeouts.first_token = \"1s\"\n" + plainSettings
        let messages = Array(repeating: #"{"role":"user","a":1}"#, count: 170_000).joined(separator: ",")
        let call =
            hasLongName
            ? chat("large", stream: false, members: ",\"\(String(repeating: "x", count: 3_500_000))\":1")
            : ChatCall(#"{"user":"large","messages":[\#(messages)],"stream":false}"#)
        // Of names as much as of the body, of messages as much again with what goes out.
        let roomCount = hasLongName ? 2 : 1
        try await Site.with(server, upstream: upstream, settings: settings, changes: server.withoutLimits) { site in
            var calls: [HTTPStream] = []
            for number in 1...roomCount {
                calls.append(try site.call(call))
                try await upstream.requests.wait(for: "one that has room") { $0.count == number }
            }
            let refused = try await site.call(call).ended()
            #expect(refused.status == 503 && refused.error?.code == "memory_full")
            gate.open(roomCount)
            for call in calls { #expect(try await call.ended().status == 200) }
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

    /// Of keep-alives before the first event it is noted where they stand, which takes more than they do.
    @Test(arguments: WebServer.selected) func `count with what is noted of them`(server: WebServer) async throws {
        let silence = String(repeating: ":\n\ndata:\n\n", count: 20_000)
        let upstream = try StubUpstream(.stream([silence] + Chunks.stream(["Hello"])))
        try await Site.with(server, upstream: upstream, settings: Self.settings) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.status == 503 && response.error?.code == "memory_full")
        }
    }

    /// What a target has sent in vain is not kept while another answers.
    @Test(arguments: WebServer.selected)
    func `count no longer when their target has failed`(server: WebServer) async throws {
        let garbage = String(repeating: "x", count: 700_000)
        let first = try StubUpstream(.json(garbage))
        let upstream = try StubUpstream(.json(Chunks.completion(garbage)))
        let settings =
            "retries = 0\nlimits = {memory = \"1MiB\", body = \"512KiB\"}\n"
            + "[upstreams.first]\nurl = \"\(first.url)\"\n[upstreams.stub]\nurl = \"UPSTREAM\"\n"
            + "[[models]]\nmatch = \"*\"\ntargets = [\"first\", \"stub\"]\n"
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            let response = try await site.call(chat(stream: false)).ended()
            #expect(response.status == 200 && response.text.contains(garbage))
        }
        try await first.stop()
    }

    /// The end of a stream goes out in one piece with what stands before it.
    @Test func `count until slow callers have taken them`() async throws {
        let events = Chunks.role() + Chunks.content(String(repeating: "x", count: 900_000)) + Chunks.finish() + Chunks.done
        let upstream = try StubUpstream { request in
            request.text.contains("large") ? Reply(framing: .contentLength, [.text(events)]) : .stream(Chunks.stream(["small"]))
        }
        // Each takes a mebibyte of it, and small bodies have seven eighths.
        let settings = "limits = {memory = \"4MiB\", body = \"512KiB\", event = \"2MiB\"}\n" + plainSettings
        try await Site.with(.nginx, upstream: upstream, settings: settings) { site in
            var slow: [Socket] = []
            for number in 1...6 {
                slow.append(try .connected(path: site.sluice.socket))
                try slow.last?.write(fastCGI(chat("large")))
                guard number < 4 else { continue }
                for _ in 0..<10 { #expect(try await site.call(chat()).ended().text.contains("small")) }
            }
            try await site.sluice.process.errors.wait(for: "one for which there is no memory") { output in
                output.lines.contains { $0.contains(#""ending":"memory_full""#) }
            }
            withExtendedLifetime(slow) {}
        }
    }

    /// Of the last event that was seen of each stream.
    @Test(arguments: [true, false]) func `are not kept once their callers have them`(isChunk: Bool) async throws {
        let text = String(repeating: "x", count: 900_000)
        let event = isChunk ? Chunks.content(text) : "data: {\"nothing\":\"\(text)\"}\n\n"
        let upstream = try StubUpstream(Reply([.text(Chunks.begun()), .text(event), .read, .text(": end\n\n"), .silence]))
        try await Site.with(.nginx, upstream: upstream, settings: plainSettings) { site in
            var calls: [Socket] = []
            var before = 0
            for number in 0...40 {
                let socket = try Socket.connected(path: site.sluice.socket)
                try socket.write(fastCGI(chat()))
                let hasAll = Observed(false)
                startThread("caller") {
                    var last: [UInt8] = []
                    while let bytes = try? socket.read(), !bytes.isEmpty {
                        last = (last + bytes).suffix(100)
                        if String(decoding: last, as: UTF8.self).contains(": end") { return hasAll.update { $0 = true } }
                    }
                }
                try await hasAll.wait(for: "the end") { $0 }
                calls.append(socket)
                if number == 0 { before = residentBytes(of: site.sluice.process.identifier) }
            }
            #expect(residentBytes(of: site.sluice.process.identifier) - before < 16 << 20)
            withExtendedLifetime(calls) {}
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

/// A call as a web server hands it on (FastCGI 1.0 §3.3, §5.1).
private func fastCGI(_ call: ChatCall) -> [UInt8] {
    let parameters = [("REQUEST_METHOD", call.method), ("REQUEST_URI", call.path), ("SCRIPT_NAME", call.path)]
    let pairs = parameters.flatMap { name, value in [UInt8(name.utf8.count), UInt8(value.utf8.count)] + name.utf8 + value.utf8 }
    let records: [(type: UInt8, content: [UInt8])] = [
        (1, [0, 1, 0, 0, 0, 0, 0, 0]), (4, pairs), (4, []), (5, call.body), (5, []),
    ]
    return records.flatMap { type, content in
        [1, type, 0, 1, UInt8(content.count >> 8), UInt8(content.count & 0xFF), 0, 0] + content
    }
}
