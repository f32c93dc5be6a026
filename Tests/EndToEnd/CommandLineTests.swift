import Foundation
import Glibc
import TestSupport
import Testing

@Suite struct `The command line` {
    @Test func `tells its version`() async throws {
        let output = try await ChildProcess.run(SluiceProcess.binary, ["--version"], in: TemporaryDirectory())
        #expect(output.contains(/[0-9]+\.[0-9]+/))
    }

    @Test(arguments: [
        ["--help"]: ["serve", "check"],
        ["serve", "--help"]: ["--config", "--listen", "--control", "--upstream", "--workers", "--log-level", "--log-format"],
        ["check", "--help"]: ["--config", "--listen", "--upstream", "--workers", "--log-level", "--log-format", "--show"],
    ])
    func `explains itself`(arguments: [String], named: [String]) async throws {
        let output = try await ChildProcess.run(SluiceProcess.binary, arguments, in: TemporaryDirectory())
        for name in named { #expect(output.contains(name)) }
    }

    /// A service manager or a container may give it fewer cores than the machine has.
    @Test func `takes one worker for each core that it may run on`() async throws {
        let allowed = try #require(
            String(contentsOfFile: "/proc/self/status", encoding: .utf8).split(separator: "\n").first {
                $0.hasPrefix("Cpus_allowed_list:")
            })
        let first = try #require(allowed.split { !$0.isNumber }.first)
        let output = try await ChildProcess.run(
            "taskset", ["--cpu-list", String(first), SluiceProcess.binary, "check", "--show"], in: TemporaryDirectory())
        #expect(output.contains("\nworkers = 1\n"))
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        let arguments: [String]
        var environment: [String: String] = [:]
        /// What the message must name.
        let named: String
        /// With which it ends: a value on the command line is usage's, what it leads to is not.
        var status = EX_USAGE
        var testDescription: String { arguments.joined(separator: " ") }

        static let all = [
            Mistake(arguments: ["serve", "--lisen", "unix:x.sock"], named: "--lisen"),
            Mistake(arguments: ["serve", "--listen", "nonsense"], named: "nonsense"),
            Mistake(arguments: ["serve", "--listen", "unix:x.sock", "--listen", "unix:x.sock"], named: "named twice"),
            Mistake(arguments: ["serve", "--listen", "tcp:127.0.0.1:99999"], named: "99999"),
            Mistake(
                arguments: ["serve", "--listen", "unix:no/such/folder/x.sock"], named: "no/such/folder", status: EX_CANTCREAT),
            Mistake(arguments: ["serve", "--listen", "systemd"], named: "socket unit", status: EX_CONFIG),
            Mistake(arguments: ["serve", "--listen", "unix:\(String(repeating: "x", count: 200))"], named: "xxx"),
            Mistake(arguments: ["serve", "--listen", "unix:x.sock", "--upstream", "ftp://host/v1"], named: "--upstream"),
            Mistake(arguments: ["serve", "--listen", "unix:x.sock", "--upstream", ""], named: "--upstream"),
            Mistake(arguments: ["check", "--upstream", "unix:vllm.sock"], named: "absolute path"),
            Mistake(arguments: ["serve", "--listen", "unix:x.sock", "--workers", "0"], named: "workers"),
            Mistake(arguments: ["serve", "--listen", "unix:x.sock", "--workers", "many"], named: "many"),
            Mistake(arguments: ["check", "--processes", "65"], named: "--processes"),
            Mistake(arguments: ["serve", "--listen", "unix:x.sock", "--log-level", "loud"], named: "loud"),
            Mistake(arguments: ["check", "--log-format", "xml"], named: "--log-format"),
            Mistake(arguments: ["serve", "--listen", "unix:x.sock", "--control", "x.sock"], named: "--control"),
            Mistake(
                arguments: ["check", "--listen", "unix:x.sock", "--control", "unix:x.sock"], named: "an address of listen too"),
            Mistake(arguments: ["status", "--control", "tcp:127.0.0.1:1"], named: "--control"),
            Mistake(arguments: ["check", "--config", "none.toml", "--workers", "0"], named: "none.toml"),
            Mistake(arguments: ["check", "my.toml"], named: "a settings file is named by --config my.toml"),
            Mistake(arguments: ["-t", "my.toml"], named: "a settings file is named by --config my.toml"),
            Mistake(arguments: ["serve", "my.toml"], named: "a settings file is named by --config my.toml"),
            Mistake(arguments: ["reload", "my.toml"], named: "a settings file is named by --config my.toml"),
            Mistake(arguments: ["serve", "--config", "none.toml"], named: "none.toml", status: EX_NOINPUT),
            Mistake(arguments: ["stop", "--config", "none.toml"], named: "--control", status: EX_NOINPUT),
            Mistake(
                arguments: ["serve"], environment: ["SLUICE_LISTEN": "nonsense"], named: "nonsense", status: EX_CONFIG),
            Mistake(
                arguments: ["check"], environment: ["OPENAI_BASE_URL": "ftp://host/v1"], named: "OPENAI_BASE_URL",
                status: EX_CONFIG),
            Mistake(
                arguments: ["brew"],
                named:
                    "there is no command 'brew'\nCommands are serve, check, reload, reopen, stop, status, clients, probe, help;"),
            Mistake(arguments: ["relaod"], named: "there is no command 'relaod'; did you mean 'reload'?"),
            Mistake(arguments: ["chek", "--show"], named: "did you mean 'check'?"),
            Mistake(arguments: ["help", "relaod"], named: "there is no command 'relaod'; did you mean 'reload'?"),
            Mistake(arguments: ["start"], named: "did you mean 'serve'?"),
            Mistake(arguments: ["configtest"], named: "did you mean 'check'?"),
            Mistake(arguments: ["-x"], named: "-x"),
            Mistake(arguments: [], named: "SUBCOMMANDS:"),
            Mistake(arguments: ["-t", "--config", "none.toml"], named: "none.toml", status: EX_NOINPUT),
            Mistake(arguments: ["-t", "-c", "none.toml"], named: "none.toml", status: EX_NOINPUT),
            Mistake(arguments: ["serve", "-c", "none.toml"], named: "none.toml", status: EX_NOINPUT),
            Mistake(arguments: ["stop", "-c", "none.toml"], named: "--control", status: EX_NOINPUT),
        ]
    }

    @Test func `tests the settings by -t, as by check, and shows them by -tt and -T`() async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("upstreams.demo = {kind = \"demo\"}", to: "my.toml")
        let shown = "kind = \"demo\""
        for (arguments, named) in [(["-t"], "\(file) is good"), (["-t", "--show"], shown), (["-tt"], shown), (["-T"], shown)] {
            let run = try await SluiceRun(arguments + ["--config", file], in: directory)
            #expect(run.exit == .code(0) && run.output.contains(named), "\(run)")
        }
    }

    private static let printing = ["--help", "--version", "check --config my.toml", "check --show --config my.toml"]

    /// With more settings than are printed at once.
    private func directory() throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        let models = (0..<100).map { "[[models]]\nmatch = \"demo-\($0)\"\n" }
        try directory.write("upstreams.demo = {kind = \"demo\"}\n" + models.joined(), to: "my.toml")
        return directory
    }

    @Test(
        arguments: printing,
        [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")] as [(redirection: String, reason: String)])
    func `ends with a failure when what it says cannot be written`(
        command: String, output: (redirection: String, reason: String)
    ) async throws {
        let script = "exec \(SluiceProcess.binary) \(command) \(output.redirection)"
        let lost = try ChildProcess("/bin/sh", ["-c", script], in: directory())
        #expect(try await lost.exited() == .code(EX_IOERR))
        try await lost.errors.wait(for: "the end of its errors") { $0.ended }
        #expect(lost.errors.value.text == "sluice: the output is not whole: write: \(output.reason)\n")
    }

    /// A pipe or a connection that was closed, one that was reset, and a terminal that has hung up.
    @Test(
        arguments: printing, ["os.pipe()", "[end.detach() for end in socket.socketpair()]", "connection()", "os.openpty()"])
    func `ends without one when nobody reads on`(command: String, ends: String) async throws {
        let script = """
            import os, socket, struct, subprocess, sys
            def connection():
                with socket.create_server(("127.0.0.1", 0)) as server:
                    near, far = socket.create_connection(server.getsockname()), server.accept()[0]
                far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return far.detach(), near.detach()
            reading, writing = \(ends)
            os.close(reading)
            sys.exit(subprocess.run(sys.argv[1:], stdout=writing).returncode)
            """
        let words = command.split(separator: " ").map(String.init)
        let unread = try ChildProcess(Python.interpreter, ["-c", script, SluiceProcess.binary] + words, in: directory())
        #expect(try await unread.exited() == .code(0))
        try await unread.errors.wait(for: "the end of its errors") { $0.ended }
        #expect(unread.errors.value.text == "")
    }

    /// Another process may have set O_NONBLOCK on the open file.
    @Test(arguments: ["os.pipe()", "[end.detach() for end in socket.socketpair()]", "os.openpty()"])
    func `says all to whoever takes it slowly`(ends: String) async throws {
        let script = """
            import errno, os, socket, subprocess, sys
            whole = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE).stdout
            reading, writing = \(ends)
            if os.isatty(writing):
                whole = whole.replace(b"\\n", b"\\r\\n")
            os.set_blocking(writing, False)
            try:
                while True:
                    os.write(writing, bytes(1))
            except BlockingIOError:
                pass
            child = subprocess.Popen(sys.argv[1:], stdout=writing)
            os.close(writing)
            said = b""
            try:
                while part := os.read(reading, 100):
                    said += part
            except OSError as end:  # A terminal's.
                if end.errno != errno.EIO:
                    raise
            sys.exit(child.wait() or said.lstrip(bytes(1)) != whole)
            """
        let words = ["check", "--show", "--config", "my.toml"]
        let slow = try ChildProcess(Python.interpreter, ["-c", script, SluiceProcess.binary] + words, in: directory())
        #expect(try await slow.exited() == .code(0))
    }

    @Test(arguments: Mistake.all)
    func `names what is wrong and fails`(mistake: Mistake) async throws {
        let run = try await SluiceRun(mistake.arguments, environment: mistake.environment)
        #expect(run.exit == .code(mistake.status))
        #expect(run.errors.contains(mistake.named), "\(run.errors)")
    }

    @Test func `says who has its address`() async throws {
        let directory = try TemporaryDirectory()
        let first = try await SluiceProcess(upstream: "demo", in: directory)
        let second = try ChildProcess(
            SluiceProcess.binary, ["serve", "--listen", "unix:\(first.socket)", "--upstream", "demo"], in: directory)
        #expect(try await second.exited() != .code(0))
        try await second.errors.wait(for: "the end of its errors") { $0.ended }
        #expect(second.errors.value.text.contains(first.socket))
        // The first goes on.
        _ = try Socket.connected(path: first.socket)
        try await first.process.end()
    }

    @Test func `takes over the socket file of one that was killed`() async throws {
        let directory = try TemporaryDirectory()
        try await SluiceProcess(upstream: "demo", in: directory).process.end()
        let second = try await SluiceProcess(upstream: "demo", in: directory)
        second.process.signal(SIGTERM)
        #expect(try await second.process.exited() == .code(0))
    }
}
