// Reloads, ends and many streams.

import Glibc
import TestSupport
import Testing

extension FrontGroup {
    /// One after another, each with what the one before has left.
    static let operating = FrontGroup(
        endsSluice: true,
        rows: [
            FrontRow("its own reload: open streams go on, new callers are served", gaps: [.lighttpd: cutting]) { front in
                let (streams, gate) = try await front.reload()
                try await front.finish(streams, gate)
            },
            FrontRow("Sluice's reload: open streams go on, new callers are served") { front in
                let (streams, gate) = try await front.open("hangup")
                front.site.sluice.process.signal(SIGHUP)
                _ = try await ChildProcess.line(containing: "the settings were reloaded", in: front.site.sluice.process.errors)
                // A process of the web server that its own reload has replaced closes connections that it has not read from.
                try await eventually("an answer") {
                    try await front.site.call(chat()).ended().content == FrontSite.Replies.frames.joined()
                }
                try await front.finish(streams, gate)
            },
            FrontRow("Sluice ends: open streams go on, new callers get 503") { front in
                let (streams, gate) = try await front.open("drain")
                front.site.sluice.process.signal(SIGTERM)
                try await front.site.sluice.refuses()
                // For a moment a call is still answered over a connection that the web server has kept.
                var answer: Received?
                try await eventually("new callers to be refused") {
                    answer = try await front.site.call(chat()).ended()
                    return answer?.head != nil && answer?.status != 200
                }
                let late = try #require(answer)
                try expect(late.status == 503 && late.error != nil && late.head?.contentType == "application/json", "\(late)")
                try await front.finish(streams, gate)
                let exit = try await front.site.sluice.process.exited()
                try expect(exit == .code(0), "\(exit)")
            },
            FrontRow("503 while Sluice is down, and Retry-After", gaps: [.lighttpd: withoutRetryAfter]) { front in
                let answer = try await front.refuses(chat(), 503, "upstream_error")
                try expect(answer.head?["Retry-After"] != nil, "\(answer)")
            },
            FrontRow("the first call behind a restart of Sluice is answered", gaps: [.lighttpd: within]) { front in
                try await front.restarts {}
            },
        ])

    private static let cutting = FrontRow.Gap(
        "may cut",
        "Its reload serves new callers at once, and may cut streams that are open: they do not look complete, and callers ask again."
    ) { front in
        let (streams, gate) = try await front.reload()
        gate.open(streams.count)
        for stream in streams {
            let answer = try await stream.ended()
            let isWhole = answer.content == FrontSite.Replies.frames.joined()
            try expect(isWhole || answer.end != .complete, "\(answer.text)")
        }
    }

    private static let within = FrontRow.Gap(
        "in a second",
        "Where a call has failed, it tries Sluice again within a second; callers get 503 until then, and ask again."
    ) { front in
        try await front.restarts {
            try await eventually("Sluice to be tried again") { try await front.site.call(chat()).ended().status == 200 }
        }
    }

    private static let withoutRetryAfter = FrontRow.Gap(
        "without", "lighttpd has no way to add a header to an error of its own; callers try again after a time of their own."
    ) { front in
        try await front.refuses(chat(), 503, "upstream_error")
    }

    static let thousand = FrontGroup(
        settings: patientSettings, changes: { $0.withoutLimits },
        rows: [
            FrontRow("1,000 streams at once, each whole") { front in
                let (streams, gate) = try await front.open("thousand", 1_000)
                try await front.finish(streams, gate)
            }
        ])
}

extension FrontSite {
    /// Streams that have begun, half of them of each client so that no client's limit is touched; they go on when the gate opens.
    fileprivate func open(_ name: String, _ count: Int = 4) async throws -> ([HTTPStream], Gate) {
        let gate = try Gate()
        replies[name] = .begun(Replies.frames, then: gate)
        func call(_ number: Int) throws -> HTTPStream {
            var call = chat("<\(name)>")
            call.token = number.isMultiple(of: 2) ? RunningServer.token : RunningServer.otherToken
            return try site.call(call, over: count == 4 && number > 1 ? .curlHTTP2 : .plain)
        }
        var streams = try (0..<count).map(call)
        for number in streams.indices {
            do {
                try await streams[number].arrival(of: "assistant")
            } catch let end as HTTPStream.EndedWithout where end.received.isEmpty {
                // A process of the web server that a reload has replaced closes connections that it has not read from.
                streams[number] = try call(number)
                try await streams[number].arrival(of: "assistant")
            }
        }
        return (streams, gate)
    }

    /// Has the web server read its configuration again under open streams, and waits until a new token counts.
    fileprivate func reload() async throws -> ([HTTPStream], Gate) {
        let (streams, gate) = try await open("reload")
        let token = "0123456789abcdef0123456789abcdef01234567"
        try site.directory.write(try site.directory.read("sluice.tokens") + "\(token) third;\n", to: "sluice.tokens")
        try await site.server.reload()
        var call = chat("behind the reload")
        call.token = token
        let next = call
        try await eventually("the new token to count") {
            // On its way from one process to the next a server may close a connection that it has not read from.
            try await site.call(next).ended().content == Replies.frames.joined()
        }
        return (streams, gate)
    }

    /// Starts Sluice anew, where it was before.
    fileprivate func restarts(_ wait: () async throws -> Void) async throws {
        let settings = plainSettings.replacing("UPSTREAM", with: site.upstreamURL)
        let again = try await SluiceProcess(.settings(settings), in: site.directory)
        try await wait()
        for _ in 0..<10 { try await answers(chat()) }
        again.process.signal(SIGTERM)
        let exit = try await again.process.exited()
        try expect(exit == .code(0), "\(exit)")
    }

    fileprivate func finish(_ streams: [HTTPStream], _ gate: Gate) async throws {
        gate.open(streams.count)
        for stream in streams {
            let answer = try await stream.ended()
            let isWhole = answer.content == Replies.frames.joined() && answer.end == .complete
            try expect(isWhole, "\(answer.end, default: "no end") \(answer.text)")
        }
    }
}
