import Foundation
import TestSupport
import Testing

/// More callers than a process with so few descriptors can serve at once: each takes two of them.
@Suite struct `With 256 descriptors and 1,000 callers` {
    private let frames = Chunks.stream(["one", "two"])
    private static let told = "no connection could be accepted"

    private func call(_ number: Int) -> ChatCall {
        var call = chat("number \(number)")
        call.token = number.isMultiple(of: 2) ? RunningServer.token : RunningServer.otherToken
        return call
    }

    /// Each stream waits for the gate behind its first event.
    private func with(_ server: WebServer, _ gate: Gate, _ test: (Site) async throws -> Void) async throws {
        let upstream = try StubUpstream(.begun(frames, then: gate))
        try await Site.with(
            server, upstream: upstream, settings: "timeouts.first_token = \"1m\"\n" + oneUpstream(url: "UPSTREAM"),
            changes: server.withoutLimits, descriptors: 256, test)
    }

    @Test(arguments: WebServer.selected)
    func `all are answered in turn, and it says once a minute why that takes so long`(server: WebServer) async throws {
        let gate = try Gate()
        try await with(server, gate) { site in
            let streams = try (0..<1_000).map { try site.call(call($0)) }
            _ = try await ChildProcess.line(containing: Self.told, in: site.sluice.process.errors)
            gate.open(2_000)
            var statuses: [Int: Int] = [:]
            for stream in streams {
                let response = try await stream.ended()
                statuses[response.status, default: 0] += 1
                if response.status == 200 {
                    #expect(response.content == frames.joined() && response.end == .complete)
                } else {
                    #expect(response.error != nil, "\(response.text)")
                }
            }
            #expect(Set(statuses.keys).isSubset(of: [200, 503]), "\(statuses)")
            #expect(statuses[200, default: 0] > 100, "\(statuses)")
            #expect(try await site.call(call(0)).ended().content == frames.joined())
            try await becomesIdle(site.sluice.process, in: site.directory)
            let told = try site.sluice.process.errors.value.lines.filter { $0.contains(Self.told) }.map(Told.init)
            #expect(told.first?.times == 1 && told.first?.reason == "accept failed: Too many open files", "\(told)")
            for (line, next) in zip(told, told.dropFirst()) { #expect(next.date.timeIntervalSince(line.date) > 59, "\(told)") }
        }
    }

    @Test(arguments: WebServer.selected.filter(\.noticesLeavingClients))
    func `it serves others as soon as they leave`(server: WebServer) async throws {
        let gate = try Gate()
        try await with(server, gate) { site in
            let streams = try (0..<1_000).map { try site.call(call($0)) }
            _ = try await ChildProcess.line(containing: Self.told, in: site.sluice.process.errors)
            for stream in streams { stream.close() }
            gate.open(2_000)
            #expect(try await site.call(call(0)).ended().content == frames.joined())
            try await becomesIdle(site.sluice.process, in: site.directory)
        }
    }
}

/// What the log says of connections that could not be accepted.
private struct Told: Decodable {
    let date: Date
    let reason: String
    let times: Int

    private enum CodingKeys: String, CodingKey {
        case date = "time"
        case reason, times
    }

    init(line: String) throws { self = try Self.decoder.decode(Told.self, from: Data(line.utf8)) }

    private static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            try Date(try decoder.singleValueContainer().decode(String.self), strategy: .iso8601WithFractions)
        }
        return decoder
    }
}

extension ParseStrategy where Self == Date.ISO8601FormatStyle {
    fileprivate static var iso8601WithFractions: Self { Date.ISO8601FormatStyle(includingFractionalSeconds: true) }
}
