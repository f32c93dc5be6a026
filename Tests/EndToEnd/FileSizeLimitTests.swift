import Glibc
import TestSupport
import Testing

/// The kernel's limit holds for files in memory, too (setrlimit(2), `RLIMIT_FSIZE`).
@Suite(.timeLimit(.minutes(20))) struct `A limit of the size of files` {
    private func start(_ bytes: Int, _ options: String...) async throws -> (exit: ChildProcess.Exit, errors: String) {
        let directory = try TemporaryDirectory()
        let child = try ChildProcess(
            "prlimit",
            ["--fsize=\(bytes)", SluiceProcess.binary, "serve", "--listen", "unix:sluice.sock", "--upstream", "demo"] + options,
            in: directory)
        let exit = try await child.exited()
        try await child.errors.wait(for: "the end of its errors") { $0.ended }
        return (exit, child.errors.value.text)
    }

    @Test(arguments: [0, 1024, 65536], ["1", "2"]) func `that requests have no room in ends the start, and says so`(
        bytes: Int, processes: String
    ) async throws {
        let (exit, errors) = try await start(bytes, "--processes", processes)
        #expect(exit == .code(78))
        #expect(
            errors.hasPrefix("sluice: the limit of a file's size is \(bytes) bytes, and limits.parameters takes at least 81920,"))
        #expect(errors.contains("raise LimitFSIZE or ulimit -f\n"), "\(errors)")
    }
}
