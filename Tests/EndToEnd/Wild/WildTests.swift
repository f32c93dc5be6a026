import Foundation
import TestSupport
import Testing

/// What was reported of servers and clients in the wild, as a table: `WildRow` says how to read it. Each row goes through the real web
/// server and the real program.
@Suite struct `What the wild sends` {
    @Test(arguments: WebServer.selected)
    func `is answered rightly, row by row`(server: WebServer) async throws {
        let now = Observed<Reply>(.silence)
        let upstream = try StubUpstream { _ in now.value }
        let other = try StubUpstream(.stream(WildRow.second))
        let settings = Self.settings(upstream.url, other.url)
        try await Site.with(
            server, upstream: upstream, settings: settings, environment: [:], changes: server.withoutLimits
        ) { site in
            for (number, row) in wildRows.enumerated() {
                now.update { $0 = row.answer }
                let before = upstream.requests.value.count
                var call = row.call
                call.fields.append(("X-Request-Id", "wild-\(number)"))
                let response = try await site.call(call).ended()
                check(row, response)
                check(row, upstream.requests.value.dropFirst(before))
                if row.isLetGo { try await upstream.request(before).closedByPeer() }
                try await checkLog(row, number, site)
            }
        }
        try await other.stop()
    }

    @Test func `has a row for each report`() {
        #expect(wildRows.count >= 75)
        #expect(Set(wildRows.map(\.name)).count == wildRows.count, "a name stands twice")
    }

    private static func settings(_ url: String, _ otherURL: String) -> String {
        var text = "heartbeat = \"0s\"\nretry_budget = \"100%\"\n"
        for (name, url, kind) in [
            ("compatible", url, "compatible"), ("openai", url, "openai"), ("other", otherURL, "compatible"),
        ] {
            text += "[upstreams.\(name)]\nkind = \"\(kind)\"\nurl = \"\(url)\"\nkey = \"top-secret\"\n"
        }
        for row in wildRows {
            let targets = [row.kind] + (row.hasSecond ? ["other"] : [])
            text += "[[models]]\nmatch = \"\(row.asksModel ?? "row-\(row.name)")\"\n"
            text += "targets = [\(targets.map(quoted).joined(separator: ", "))]\n"
        }
        return text
    }

    private func check(_ row: WildRow, _ response: Received) {
        let comment: Comment = "\(row.name): \(response.status) \(response.text)"
        #expect(response.end == .complete, comment)
        switch row.gets {
        case .stream(let text):
            #expect(response.status == 200, comment)
            #expect(response.text == text, comment)
        case .says(let texts):
            #expect(response.status == 200, comment)
            for text in texts { #expect(response.text.contains(text), comment) }
            #expect(response.frames.last == Chunks.done, comment)
        case .error(let status, let words):
            #expect(response.status == status, comment)
            #expect(message(in: response.text)?.contains(words) == true, comment)
        case .broken(let text, let words):
            #expect(response.status == 200, comment)
            #expect(response.text.hasPrefix(text), comment)
            #expect(message(in: response.frames.last?.dropFirst("data: ".count) ?? "")?.contains(words) == true, comment)
            #expect(!response.text.contains("[DONE]"), comment)
        }
        let all = "\(response.head?.fields.map { "\($0.name): \($0.value)" }.joined(separator: "\n") ?? "")\n\(response.text)"
        for text in row.callerLacks { #expect(!all.contains(text), "\(comment): has \(text)") }
        for (name, value) in row.callerFields { #expect(response.head?[name] == value, comment) }
    }

    private struct Envelope: Decodable {
        struct Object: Decodable { let message: String }
        let error: Object
    }

    /// Upstreams' own objects have codes of any type.
    private func message(in text: some StringProtocol) -> String? {
        try? JSONDecoder().decode(Envelope.self, from: Data(text.utf8)).error.message
    }

    private func check(_ row: WildRow, _ requests: ArraySlice<UpstreamRequest>) {
        #expect(requests.count == row.asked, "\(row.name): asked \(requests.count) times")
        #expect(requests.allSatisfy { $0.head["Accept-Encoding"] == "identity" }, "\(row.name)")
        for text in row.upstreamGets {
            #expect(requests.allSatisfy { $0.text.contains(text) }, "\(row.name): \(requests.first?.text ?? "")")
        }
        for text in row.upstreamLacks {
            #expect(!requests.contains { $0.text.contains(text) }, "\(row.name): \(requests.first?.text ?? "")")
        }
    }

    private func checkLog(_ row: WildRow, _ number: Int, _ site: Site) async throws {
        let line = try await site.sluice.process.errors.wait(for: "\(row.name) in the log") { output in
            output.lines.first { $0.contains(#""request":"wild-\#(number)""#) && $0.contains(#""message":"answered""#) }
        }
        for text in row.logged { #expect(line.contains(text), "\(row.name): \(line)") }
    }
}
