import Foundation
import TestSupport
import Testing

/// An answer of its own for each call, by what the call says.
private func echo(_ request: UpstreamRequest) -> [String] {
    Chunks.stream([String(request.text.split(separator: "nonce-")[1].prefix { $0.isNumber })])
}

/// Half of the calls for each client, so that no client's limit of requests is touched.
private func numbered(_ number: Int, model: String = "stub") -> ChatCall {
    let token = number.isMultiple(of: 2) ? RunningServer.token : RunningServer.otherToken
    let body = #"{"model":"\#(model)","messages":[{"role":"user","content":"nonce-\#(number)."}],"stream":true}"#
    return ChatCall(body, token: token)
}

extension Site {
    /// Makes so many calls to the stub, each of which gets its own answer.
    fileprivate func serves(_ count: Int, connections: Int = 8) async throws {
        let numbers = 1000..<1000 + count
        let answers = try await answers(to: numbers.map { numbered($0) }, connections: connections)
        for (number, answer) in zip(numbers, answers) {
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.content == Chunks.stream(["\(number)"]).joined())
        }
    }
}

/// Connections that are begun and never made must leave nothing to those who come next: neither a descriptor nor what was known of it.
@Suite struct `An upstream that does not accept` {
    enum Way: CaseIterable { case timeout, callerLeaves, warm, hedge }

    private func settings(_ way: Way, deaf: UInt16) -> String {
        """
        heartbeat = "100ms"
        retries = 0
        rest_for = "0s"
        timeouts.connect = "\(way == .callerLeaves ? "1h" : "200ms")"
        [upstreams.deaf]
        url = "http://127.0.0.1:\(deaf)/v1"
        \(way == .warm ? "warm = 2" : "")
        [upstreams.stub]
        url = "UPSTREAM"
        [[models]]
        match = "deaf"
        targets = ["deaf"]
        [[models]]
        match = "hedged"
        targets = ["deaf", "stub"]
        hedge_after = "20ms"
        hedge_max = "100%"
        [[models]]
        match = "*"
        targets = ["stub"]
        """
    }

    @Test(arguments: WebServer.selected, Way.allCases)
    func `takes nothing from those who come next`(server: WebServer, way: Way) async throws {
        let deaf = try DeafPort()
        let upstream = try StubUpstream { .stream(echo($0)) }
        let settings = settings(way, deaf: deaf.port)
        try await Site.with(server, upstream: upstream, settings: settings, options: ["--workers", "1"]) { site in
            switch way {
            case .timeout:
                for number in 0..<10 {
                    let answer = try await site.call(numbered(number, model: "deaf")).ended()
                    #expect(answer.status == 503 || answer.errorFrame != nil)
                }
            case .callerLeaves:
                for number in 0..<5 {
                    let leaving = try site.call(numbered(number, model: "deaf"))
                    try await leaving.arrival(of: ": keep-alive")
                    leaving.close()
                    _ = try await site.requestLines(number + 1)
                }
            case .warm:
                _ = try await ChildProcess.line(containing: "no connection can be kept ready", in: site.sluice.process.errors)
            case .hedge:
                for number in 0..<10 {
                    let answer = try await site.call(numbered(number, model: "hedged")).ended()
                    #expect(answer.content == Chunks.stream(["\(number)"]).joined())
                }
            }
            try await site.serves(40)
            #expect(!site.sluice.process.errors.value.text.contains("defect"))
        }
        withExtendedLifetime(deaf) {}
    }
}

/// The upstream's process hangs, its kernel goes on, and whoever connects anew is served.
@Suite struct `A connection that hangs` {
    @Test(arguments: WebServer.selected)
    func `of HTTP2 is left to those who came in its first moment`(server: WebServer) async throws {
        let upstream = try StubUpstream { .stream(echo($0)) }
        let front = try await TLSFront(for: upstream, in: TemporaryDirectory())
        let settings =
            "timeouts.first_token = \"1h\"\n"
            + oneUpstream(url: front.url, authorities: front.certificate.file, connect: "1h") + """

                [[models]]
                match = "hasty"
                targets = ["stub"]
                timeouts.first_token = "1s"
                [[models]]
                match = "*"
                targets = ["stub"]
                """
        try await Site.with(server, upstream: upstream, settings: settings, options: ["--workers", "1"]) { site in
            try await site.serves(1)
            try await front.freeze()
            let hasty = try site.call(numbered(10, model: "hasty"))
            let early = try (0..<10).map { try site.call(numbered($0)) }
            #expect(try await hasty.ended().error?.type == "upstream_timeout")
            try await site.serves(90, connections: 90)
            for (number, stream) in early.enumerated() {
                // Who has come later than in that moment is answered, and the upstream knows of it.
                if upstream.requests.value.contains(where: { $0.text.contains("nonce-\(number).") }) {
                    #expect(try await stream.ended().end == .complete)
                } else {
                    #expect(stream.received.value.frames == [])
                    stream.close()
                }
            }
        }
        try await front.end()
    }

    @Test(arguments: WebServer.selected)
    func `in its handshake holds up nobody who comes after`(server: WebServer) async throws {
        let upstream = try StubUpstream { .stream(echo($0)) }
        let front = try await TLSFront(for: upstream, in: TemporaryDirectory())
        let gateway = try HungGateway(to: front.port)
        let settings =
            "timeouts.first_token = \"1h\"\n"
            + oneUpstream(url: "https://localhost:\(gateway.port)/v1", authorities: front.certificate.file, connect: "1h")
        try await Site.with(server, upstream: upstream, settings: settings, options: ["--workers", "1"]) { site in
            let first = try site.call(numbered(0))
            try await gateway.hung.wait(for: "the first connection") { $0 }
            try await site.serves(50, connections: 50)
            first.close()
        }
        gateway.end()
        try await front.end()
    }
}

/// Hands connections on to another port, but the first, which it takes and leaves alone.
private final class HungGateway: Sendable {
    private let listener: Socket
    let hung = Observed(false)
    var port: UInt16 { listener.port }

    init(to port: UInt16) throws {
        let listener = try Socket.listening()
        self.listener = listener
        Thread.detachNewThread { [hung] in
            var first: Socket?
            while let socket = try? listener.accept() {
                if first == nil {
                    first = socket
                    hung.update { $0 = true }
                } else if let target = try? Socket.connected(port: port) {
                    for (from, to) in [(socket, target), (target, socket)] { Self.pass(from, to) }
                }
            }
        }
    }

    func end() { listener.shutdown() }

    private static func pass(_ from: Socket, _ to: Socket) {
        Thread.detachNewThread {
            while let bytes = try? from.read(), !bytes.isEmpty { guard (try? to.write(bytes)) != nil else { break } }
            from.shutdown()
            to.shutdown()
        }
    }
}

/// Bytes that nobody asked for, on a connection that is kept.
@Suite struct `Bytes behind an answer` {
    private func message(_ status: String, _ frames: [String]) -> String {
        let body = frames.joined()
        return "HTTP/1.1 \(status)\r\nContent-Type: text/event-stream\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    @Test(arguments: WebServer.selected, [false, true])
    func `are given to no later caller`(server: WebServer, isLate: Bool) async throws {
        let gate = try Gate()
        let upstream = try StubUpstream { request in
            guard request.text.contains("nonce-0.") else { return .stream(echo(request)) }
            let answer = message("200 OK", echo(request))
            return isLate
                ? .raw(.text(answer), .wait(gate), .text(message("408 Request Timeout", [])), .silence)
                : .raw(.text(answer + message("200 OK", Chunks.stream(["of nobody"]))), .silence)
        }
        let settings = oneUpstream(url: "UPSTREAM")
        try await Site.with(server, upstream: upstream, settings: settings, options: ["--workers", "1"]) { site in
            #expect(try await site.call(numbered(0)).ended().content == Chunks.stream(["0"]).joined())
            gate.open()
            try await upstream.peerClosed()
            try await site.serves(10, connections: 1)
        }
    }
}

/// 7 MB, more than the kernel's buffers hold.
@Suite struct `A large body` {
    private let body = numbered(0).body.dropLast() + Array(#","user":"\#(String(repeating: "x", count: 7_000_000))"}"#.utf8)

    private func isAnswered(
        server: WebServer, taking: StubUpstream.Taking, _ script: @escaping StubUpstream.Script, _ test: (Received) -> Void
    ) async throws {
        let upstream = try StubUpstream(taking: taking, script)
        let settings = "timeouts = {connect = \"1s\", first_token = \"1h\"}\n" + oneUpstream(url: "UPSTREAM")
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            test(try await site.call(ChatCall(Array(body))).ended())
        }
    }

    @Test(arguments: WebServer.selected)
    func `may wait for longer than a connection may take`(server: WebServer) async throws {
        let script: StubUpstream.Script = { .stream(Chunks.stream(["\($0.body.count > 7_000_000)"])) }
        try await isAnswered(server: server, taking: .after(.seconds(3)), script) { answer in
            #expect(answer.content == Chunks.stream(["true"]).joined())
        }
    }

    @Test(arguments: WebServer.selected)
    func `need not have been read for an answer to be one`(server: WebServer) async throws {
        let choice = #"{"index":0,"message":{"role":"assistant","content":"Soon"},"finish_reason":"stop"}"#
        let completion = #"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[\#(choice)]}"#
        try await isAnswered(server: server, taking: .behindAnswer, { _ in .json(completion) }) { answer in
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.text.contains("Soon") && answer.text.hasSuffix(Chunks.done))
        }
    }
}

/// With the limit of the README's sum: two for each request, 8 for each worker, and 64.
@Suite struct `Descriptors` {
    private let sum = 2 * 100 + 4 * 8 + 64
    private let warning = "the limit of open descriptors is lower"

    private func with(_ server: WebServer, descriptors: Int, _ test: (Site) async throws -> Void) async throws {
        let upstream = try StubUpstream { .stream(echo($0)) }
        try await Site.with(
            server, upstream: upstream, settings: "limits.requests = 100\n" + oneUpstream(url: "UPSTREAM"),
            options: ["--workers", "4"], descriptors: descriptors, test)
    }

    @Test(arguments: WebServer.selected)
    func `of that number are enough for every caller of four workers`(server: WebServer) async throws {
        try await with(server, descriptors: sum) { site in
            try await site.serves(900, connections: 80)
            #expect(!site.sluice.process.errors.value.text.contains(warning))
        }
    }

    @Test(arguments: WebServer.selected.prefix(1))
    func `of one less are told at the start`(server: WebServer) async throws {
        try await with(server, descriptors: sum - 1) { site in
            _ = try await ChildProcess.line(containing: warning, in: site.sluice.process.errors)
            try await site.serves(1)
        }
    }
}
