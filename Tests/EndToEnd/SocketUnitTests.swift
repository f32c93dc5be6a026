import Foundation
import TestSupport
import Testing

@Suite struct `Sockets of systemd` {
    /// Starts Sluice as a service with socket units.
    ///
    /// - Parameters:
    ///   - units: each a name and an address, `web=sluice.sock`.
    ///   - options: of `sluice serve`.
    private func service(_ units: [String], _ options: [String], in directory: TemporaryDirectory) throws -> ChildProcess {
        try ChildProcess(
            Python.interpreter,
            ["-u", "\(repository)/Tests/EndToEnd/clients/systemd.py"] + units + ["--", SluiceProcess.binary, "serve"] + options,
            environment: ["OPENAI_API_KEY": "sk-stub"], in: directory, lastSignal: SIGTERM)
    }

    @Test(arguments: WebServer.selected)
    func `are served, and their paths stay`(server: WebServer) async throws {
        let directory = try TemporaryDirectory()
        let socket = directory.path("sluice.sock")
        let sluice = try service(["web=sluice.sock"], ["--listen", "systemd", "--upstream", "demo"], in: directory)
        try await sluice.accepts { try Socket.connected(path: socket) }
        let running = try await RunningServer(server, socket: socket, in: directory)
        let response = try await HTTPStream.plain(referenceCall, port: running.plainPort).ended()
        #expect(response.status == 200)
        try await running.process.end()
        sluice.signal(SIGTERM)
        #expect(try await sluice.exited() == .code(0))
        #expect(FileManager.default.fileExists(atPath: socket))
    }

    @Test func `are all served, or those of the names that are listed`() async throws {
        let port = try freePort()
        let units = ["web=web.sock", "other=other.sock", "web=\(port)", "more=more.sock"]
        for (names, servesOther) in [(["systemd"], true), (["systemd:web", "systemd:more"], false)] {
            let options = names.flatMap { ["--listen", $0] } + ["--upstream", "demo"]
            let directory = try TemporaryDirectory()
            let sluice = try service(units, options, in: directory)
            _ = try await ChildProcess.line(containing: "\"listen\":\"\(names.joined(separator: ", "))\"", in: sluice.errors)
            for socket in ["web.sock", "more.sock"] {
                try Socket.connected(path: directory.path(socket)).answersAsFastCGI()
            }
            try Socket.connected(port: port).answersAsFastCGI()
            let other = try Socket.connected(path: directory.path("other.sock"))
            if servesOther { try other.answersAsFastCGI() }
            let told = sluice.errors.value.lines.filter { $0.contains("sockets of systemd are not served") }
            #expect(told.map { $0.contains("\"names\":\"other\"") } == (servesOther ? [] : [true]), "\(told)")
            try await sluice.end()
        }
    }

    @Test(arguments: [
        (
            ["--listen", "systemd:web"],
            "sluice: systemd passed no socket that is called 'web', but 'sluice.socket': set FileDescriptorName= in the socket unit, or name one of these\n"
        ),
        (
            ["--listen", "unix:none/sluice.sock"],
            """
            sluice: systemd passed sockets on ('sluice.socket'), and listen names none of them: write listen = "systemd" for all, or \
            "systemd:NAME" for those of a name; without that the folder none is missing: make it for Sluice's user \
            (install -d -o \(geteuid()) none), or let the service have RuntimeDirectory=\n
            """
        ),
        (
            ["--listen", "systemd", "--listen", "systemd:sluice.socket"],
            "sluice: listen names descriptor 3 twice: leave one of its addresses out\n"
        ),
    ])
    func `that cannot be had as they are named are told, and end it with the status of wrong settings`(
        options: [String], sentence: String
    ) async throws {
        let sluice = try service(
            ["sluice.socket=sluice.sock"], options + ["--upstream", "demo"], in: TemporaryDirectory())
        #expect(try await sluice.exited() == .code(EX_CONFIG))
        try await sluice.errors.wait(for: "the end of its errors") { $0.ended }
        #expect(sluice.errors.value.text == sentence)
    }

    /// As `systemctl restart` does it: the old one has ended before the new one starts, and the socket is there all the time.
    @Test(arguments: WebServer.selected)
    func `lose no call while Sluice is restarted`(server: WebServer) async throws {
        let frames = Chunks.stream(["one", "two"])
        let upstream = try StubUpstream(
            Reply(frames.dropLast().flatMap { [.text($0), .pause(.milliseconds(5))] } + [.text(frames.last!)]))
        let directory = try TemporaryDirectory()
        let socket = directory.path("sluice.sock")
        let sluice = try service(
            ["web=sluice.sock"], ["--listen", "systemd", "--workers", "2", "--upstream", upstream.url], in: directory)
        try await sluice.accepts { try Socket.connected(path: socket) }
        let running = try await RunningServer(server, socket: socket, changes: server.withoutLimits, in: directory)
        let callers = Callers(count: 8) { number in
            var call = chat()
            call.token = number.isMultiple(of: 2) ? RunningServer.token : RunningServer.otherToken
            return try await HTTPStream.plain(call, port: running.plainPort).ended()
        }
        for restart in 1...10 {
            let answered = callers.answers.value.count
            try await callers.answers.wait(for: "calls between restarts") { $0.count >= answered + 20 }
            sluice.signal(SIGHUP)
            try await sluice.output.wait(for: "restart \(restart)") { $0.lines.count > restart }
        }
        let answers = try await callers.end()
        #expect(answers.count >= 200)
        let lost = answers.count { $0.status != 200 || $0.end != .complete || $0.text != frames.joined() }
        let errors = running.process.errors.value.lines.filter { $0.contains("[error]") || $0.contains("(gw_backend.c") }
        #expect(lost == 0, "of \(answers.count); the web server says: \(errors.prefix(3))")
        try await running.process.end()
        try await sluice.end()
        try await upstream.stop()
    }
}

/// Callers that call again as soon as they have their answers, until they are told to end.
private final class Callers: Sendable {
    let answers = Observed<[Received]>([])
    private let isOver = Observed(false)
    private let task: Task<Void, any Error>

    init(count: Int, _ call: @escaping @Sendable (Int) async throws -> Received) {
        let (answers, isOver) = (answers, isOver)
        task = Task {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<count {
                    group.addTask {
                        while !isOver.value {
                            let answer = try await call(number)
                            answers.update { $0.append(answer) }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    /// Returns all answers when the last has come.
    func end() async throws -> [Received] {
        isOver.update { $0 = true }
        try await task.value
        return answers.value
    }
}
