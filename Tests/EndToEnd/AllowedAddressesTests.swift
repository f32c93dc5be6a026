import TestSupport
import Testing

@Suite struct `Who may connect over TCP` {
    private static let allowed = "allowed_addresses = [\"127.0.0.2\", \"::1\"]\n"

    /// Also of processes that share the socket.
    @Test(arguments: [1, 2])
    func `is said by the settings, and others are closed before a byte of theirs is read`(processes: Int) async throws {
        let directory = try TemporaryDirectory()
        let port = try freePort()
        let sluice = try await SluiceProcess(
            .settings(Self.allowed + "log.level = \"debug\"\n[upstreams.demo]\nkind = \"demo\"\n"),
            options: ["--listen", "tcp:127.0.0.1:\(port)", "--processes", "\(processes)"], in: directory)
        // It comes to be after the other one.
        try await sluice.process.accepts { try Socket.connected(port: port, from: 2) }
        for _ in 0..<4 {
            let stranger = try Socket.connected(port: port)
            #expect(try stranger.read() == [], "it is told nothing")
            try Socket.connected(port: port, from: 2).answersAsFastCGI()
            try Socket.connected(path: sluice.socket).answersAsFastCGI()
        }
        let words = "\"reason\":\"the address 127.0.0.1 may not connect: allowed_addresses leaves it out\",\"total\":1}"
        let line = try await ChildProcess.line(containing: words, in: sluice.process.errors)
        #expect(line.contains("\"level\":\"warning\",\"message\":\"a FastCGI connection was refused\""), "\(line)")
        try await sluice.process.end()
        let warnings = sluice.process.errors.value.lines.filter { $0.contains("\"warning\"") && $0.contains("leaves it out") }
        #expect(warnings.count <= processes, "\(warnings)")
    }

    @Test(
        .enabled(if: mayMakeMachines, "a network of its own needs root"),
        arguments: [
            (
                ["--listen", "tcp:0.0.0.0:0"],
                "--listen names tcp:0.0.0.0:0, where whoever reaches the port may call: name the web servers in "
            ),
            (["--listen", "tcp:127.0.0.1:0"], nil), (["--listen", "unix:s"], nil),
        ] as [([String], String?)])
    func `is asked for by check and start where other machines reach a port`(options: [String], words: String?) async throws {
        let directory = try TemporaryDirectory()
        let check = try await SluiceRun(["check", "--upstream", "demo"] + options, in: directory)
        #expect(check.exit == .code(0))
        #expect(check.errors == (words.map { "sluice: warning: \($0)allowed_addresses\n" } ?? ""))
        let machine = try await Machine(in: directory)
        let start = try machine.start([SluiceProcess.binary, "serve", "--upstream", "demo"] + options, in: directory)
        _ = try await ChildProcess.line(containing: "\"serving\"", in: start.errors)
        let isTold = words.map { words in start.errors.value.lines.contains { $0.contains("\"reason\":\"\(words)") } } ?? true
        #expect(isTold && (words != nil || !start.errors.value.text.contains("allowed_addresses")), "\(start.errors.value.text)")
        try await start.end()
        withExtendedLifetime(machine) {}
    }

    @Test func `has no meaning without TCP, which the start tells`() async throws {
        let directory = try TemporaryDirectory()
        let sluice = try await SluiceProcess(.settings(Self.allowed + "[upstreams.demo]\nkind = \"demo\"\n"), in: directory)
        let message = "allowed_addresses does not hold: listen names no address of TCP"
        let line = try await ChildProcess.line(containing: message, in: sluice.process.errors)
        #expect(line.contains("\"level\":\"warning\"") && line.contains("\"listen\":\"unix:\(sluice.socket)\""), "\(line)")
        try await sluice.process.end()
    }

    private static let parent = """
        import os, socket, sys
        made = socket.create_server((sys.argv[1], int(sys.argv[2])))
        os.dup2(made.fileno(), 0)
        os.execv(sys.argv[3], [sys.argv[3], "serve", "--upstream", "demo"])
        """

    /// As spawn-fcgi passes it on.
    @Test func `is said by the environment too, as FastCGI has it`() async throws {
        let directory = try TemporaryDirectory()
        let port = try freePort()
        let sluice = try ChildProcess(
            Python.interpreter, ["-c", Self.parent, "127.0.0.1", "\(port)", SluiceProcess.binary],
            environment: ["FCGI_WEB_SERVER_ADDRS": "127.0.0.2,10.0.0.0/8"], in: directory)
        _ = try await ChildProcess.line(containing: "\"serving\"", in: sluice.errors)
        try Socket.connected(port: port, from: 2).answersAsFastCGI()
        #expect(try Socket.connected(port: port).read() == [])
        try await sluice.end()
    }

    @Test(
        .enabled(if: mayMakeMachines, "a network of its own needs root"),
        arguments: [("0.0.0.0", nil), ("127.0.0.1", nil), ("0.0.0.0", "10.0.0.0/8")] as [(String, String?)])
    func `is asked for where a socket that was passed on is open to others`(host: String, variable: String?) async throws {
        let directory = try TemporaryDirectory()
        let machine = try await Machine(in: directory)
        let sluice = try machine.start(
            [Python.interpreter, "-c", Self.parent, host, "9000", SluiceProcess.binary],
            environment: variable.map { ["FCGI_WEB_SERVER_ADDRS": $0] } ?? [:], in: directory)
        _ = try await ChildProcess.line(containing: "\"serving\"", in: sluice.errors)
        let message = "sockets that were passed on are open to other machines: allowed_addresses says who may call"
        let told = sluice.errors.value.lines.filter { $0.contains(message) && $0.contains("\"listen\":\"tcp:0.0.0.0:9000\"") }
        #expect(told.count == (host == "0.0.0.0" && variable == nil ? 1 : 0), "\(sluice.errors.value.text)")
        try await sluice.end()
        withExtendedLifetime(machine) {}
    }
}
