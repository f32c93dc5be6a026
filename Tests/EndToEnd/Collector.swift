// A collector of traces, which reads them by OpenTelemetry's own schema.

import Foundation
import TestSupport
import Testing

/// `clients/collector.py`, and what it has been sent.
struct Collector: Sendable {
    /// A span, as the schema has it.
    struct Span: Decodable, Sendable {
        let service, trace, id, parent, state, name, kind: String
        let seconds: Double
        /// Their values as Python writes them.
        let attributes: [String: String]
        let events: [String]
        let failed: Bool
    }

    /// A request to it.
    struct Export: Decodable, Sendable {
        let spans: [Span]
        /// Its path, head and body; or why the schema does not allow it.
        let raw: String
    }

    private struct NotTold: Error { let words: String }

    let process: ChildProcess
    let port: Int

    init() async throws {
        process = try ChildProcess(
            Python.interpreter, ["-u", "\(repository)/Tests/EndToEnd/clients/collector.py"],
            environment: ["PYTHONPYCACHEPREFIX": "\(repository)/.build/pycache"], in: TemporaryDirectory())
        port = try await process.output.wait(for: "the collector's port") { output in
            if output.ended { throw NotTold(words: "it has ended") }
            return output.lines.first.flatMap { Int($0) }
        }
    }

    var url: String { "http://127.0.0.1:\(port)/v1/traces" }

    /// Settings that send it the traces of so many requests.
    func settings(sample: String = "100%", _ lines: String...) -> String {
        """
        heartbeat = "0s"
        timeouts = {first_token = "10m", idle = "10m"}
        traces = {endpoint = "\(url)", sample = "\(sample)"}
        \(lines.joined(separator: "\n"))

        """
    }

    private static func exports(_ output: Output) throws -> [Export] {
        try output.lines.dropFirst().map { try JSONDecoder().decode(Export.self, from: Data($0.utf8)) }
    }

    /// All that it was sent so far.
    var exports: [Export] {
        get throws { try Self.exports(process.output.value) }
    }

    /// The span of a request, and those of its attempts in their order, once it has them.
    ///
    /// - Parameter request: its `X-Request-Id`.
    func trace(of request: String) async throws -> (server: Span, attempts: [Span]) {
        let spans = try await process.output.wait(for: "the spans of \(request)") { output -> [Span]? in
            let exports = try Self.exports(output)
            if let bad = exports.first(where: { $0.spans.isEmpty }) { throw NotTold(words: bad.raw) }
            let spans = exports.flatMap(\.spans)
            return spans.contains { $0.attributes["sluice.request_id"] == request } ? spans : nil
        }
        let server = try #require(spans.first { $0.attributes["sluice.request_id"] == request })
        #expect(server.kind == "SPAN_KIND_SERVER" && server.service == "sluice")
        let attempts = spans.filter { $0.parent == server.id }
        #expect(attempts.allSatisfy { $0.kind == "SPAN_KIND_CLIENT" && $0.trace == server.trace })
        #expect(attempts.allSatisfy { $0.seconds >= 0 && $0.seconds <= server.seconds })
        return (server, attempts)
    }
}

extension ChatCall {
    /// The same under a name by which its spans are found.
    func named(_ request: String, _ fields: (name: String, value: String)...) -> ChatCall {
        var call = self
        call.fields += [("X-Request-Id", request)] + fields
        return call
    }
}
