// The program run to its end, and what most calls of a site are to come to.

import TestSupport
import Testing

/// `sluice`, run to its end.
struct SluiceRun {
    let exit: ChildProcess.Exit
    let output: String
    let errors: String

    init(_ arguments: [String], environment: [String: String] = [:], in directory: TemporaryDirectory? = nil) async throws {
        let child = try ChildProcess(
            SluiceProcess.binary, arguments, environment: environment, in: try directory ?? TemporaryDirectory())
        exit = try await child.exited()
        try await child.output.wait(for: "the end of its output") { $0.ended }
        try await child.errors.wait(for: "the end of its errors") { $0.ended }
        (output, errors) = (child.output.value.text, child.errors.value.text)
    }
}

extension HTTPStream {
    /// Gets these events one by one, and the end. The upstream sends each only when the gate opens, which is when the caller has the one
    /// before it: nothing on the way may hold one back.
    func arrives(_ frames: [String], eachThrough gate: Gate) async throws {
        for index in frames.indices.dropFirst() {
            try await received.wait(for: "event \(index)") { $0.content == frames[...index].joined() }
            gate.open()
        }
        #expect(try await ended().end == .complete)
    }
}

extension Site {
    /// Calls it and gets a whole stream of these events.
    func answers(_ frames: [String]) async throws {
        let response = try await call(chat()).ended()
        #expect(response.content == frames.joined(), "Sluice said: \(sluice.process.errors.value.text.suffix(4_000))")
        #expect(response.end == .complete)
    }

    /// Calls it: the caller gets 503 without a word of why, and the log has the reason in words and whose it is.
    func fails(because reason: String, type: String = "upstream_error") async throws {
        let response = try await call(chat()).ended()
        #expect(response.status == 503)
        #expect(response.error?.type == type)
        #expect(!response.text.contains(reason))
        try await sluice.process.errors.wait(for: "\(reason) in the log") { output in
            output.lines.contains { line in
                [#""message":"the upstream failed""#, #""upstream":""#, reason].allSatisfy { line.contains($0) }
            }
        }
    }
}
