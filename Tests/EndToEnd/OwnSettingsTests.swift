import Foundation
import Glibc
import TestSupport
import Testing

/// A folder with the program and its settings, as in a home folder.
@Suite struct `The program with its settings beside it` {
    private let directory: TemporaryDirectory
    private var file: String { directory.path("sluice.toml") }

    init() async throws {
        directory = try TemporaryDirectory()
        // By another process: while this one forks others, a file that it has written itself may be busy.
        try await ChildProcess.run("cp", [SluiceProcess.binary, directory.path("sluice")], in: directory)
    }

    private func run(_ arguments: String..., from program: String = "sluice") async throws -> (ChildProcess.Exit, String) {
        let child = try ChildProcess(directory.path(program), arguments, in: directory)
        let exit = try await child.exited()
        try await child.output.wait(for: "the end of its output") { $0.ended }
        try await child.errors.wait(for: "the end of its errors") { $0.ended }
        return (exit, child.output.value.text + child.errors.value.text)
    }

    private func write(_ text: String, _ mode: mode_t = 0o644) throws {
        try directory.write(text, to: "sluice.toml")
        #expect(unsafe chmod(file, mode) == 0)
    }

    @Test func `goes by them, wherever it is called from, and says so`() async throws {
        try write("workers = 7")
        try FileManager.default.createDirectory(atPath: directory.path("bin"), withIntermediateDirectories: false)
        #expect(unsafe symlink("../sluice", directory.path("bin/sluice")) == 0)
        for program in ["sluice", "bin/sluice"] {
            let (exit, text) = try await run("check", "--show", from: program)
            #expect(exit == .code(0) && text.contains("\nworkers = 7\n") && text.hasPrefix("# sluice: \(file) is good"))
        }
        #expect(try await run("check", "--help").1.replacing(/\s+/, with: " ").contains("or sluice.toml beside this program"))
    }

    @Test func `tells the control socket's commands where to ask`() async throws {
        try write("control = \"unix:\(directory.path("control.sock"))\"")
        let (exit, text) = try await run("status")
        #expect(exit == .code(EX_UNAVAILABLE) && text.contains(directory.path("control.sock")))
    }

    @Test(arguments: [0o664, 0o646, 0o666] as [mode_t])
    func `does not go by what others may write, and says how to mend it`(mode: mode_t) async throws {
        try write("workers = 7", mode)
        for command in ["check", "serve", "status"] {
            let (exit, text) = try await run(command)
            #expect(exit == .code(EX_NOINPUT), "\(command)")
            #expect(text.contains("\(file) may be written by others (chmod go-w \(file))"), "\(text)")
        }
        #expect(try await run("check", "--config", file).0 == .code(0))
    }

    @Test(.enabled(if: geteuid() == 0, "needs root")) func `does not go by another user's file`() async throws {
        try write("workers = 7")
        #expect(unsafe chown(file, 54_321, 0) == 0)
        let (exit, text) = try await run("check")
        #expect(exit == .code(EX_NOINPUT) && text.contains("\(file) belongs to user 54321"), "\(text)")
        // Whoever owns the program says what it does anyway.
        #expect(unsafe chown(directory.path("sluice"), 54_321, 0) == 0)
        #expect(try await run("check").0 == .code(0))
    }

    @Test func `goes by them at a reload too, and by no others`() async throws {
        let socket = directory.path("sluice.sock")
        try write("listen = \"unix:\(socket)\"\nlog.level = \"debug\"\nworkers = 1\n")
        let sluice = try ChildProcess(directory.path("sluice"), ["serve"], in: directory)
        try await sluice.accepts { try Socket.connected(path: socket) }
        sluice.signal(SIGHUP)
        _ = try await ChildProcess.line(containing: "the settings were reloaded", in: sluice.errors)
        #expect(unsafe rename(file, directory.path("away")) == 0)
        sluice.signal(SIGHUP)
        let line = try await ChildProcess.line(containing: "not reloaded", in: sluice.errors)
        #expect(line.contains("the settings file \(file) is gone"))
        try await sluice.end()
    }
}
