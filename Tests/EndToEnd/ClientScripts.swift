import Foundation
import TestSupport
import Testing

extension Site {
    /// Runs a script of `clients/` to its end, and returns the lines that it told.
    func lines(of script: String, _ arguments: [String] = []) async throws -> [String] {
        try await Python.start(script, arguments, site: self).linesToItsEnd()
    }
}

extension ChildProcess {
    /// Waits until it exits, which must be with 0, and returns all that it told.
    ///
    /// The limit is for large packages, whose import takes half a minute of a core.
    func linesToItsEnd() async throws -> [String] {
        #expect(try await exited(within: .seconds(300)) == .code(0), "\(errors.value.text)")
        try await output.wait(for: "the end of its output") { $0.ended }
        return output.value.lines
    }
}
