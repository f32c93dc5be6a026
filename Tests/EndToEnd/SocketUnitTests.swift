import Foundation
import TestSupport
import Testing

@Suite struct `A socket of systemd` {
    /// What systemd does for a service with a socket unit: the socket is made first, and passed on as descriptor 3.
    private static let systemd = """
        import os, socket, sys
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("sluice.sock")
        listener.listen()
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
        os.execv(sys.argv[1], sys.argv[1:])
        """

    @Test(arguments: WebServer.selected)
    func `is served, and its path stays`(server: WebServer) async throws {
        let directory = try TemporaryDirectory()
        let socket = directory.path("sluice.sock")
        let sluice = try ChildProcess(
            Python.interpreter,
            ["-c", Self.systemd, SluiceProcess.binary, "serve", "--listen", "systemd", "--upstream", "demo"], in: directory)
        try await sluice.accepts { try Socket.connected(path: socket) }
        let running = try await RunningServer(server, socket: socket, in: directory)
        let response = try await HTTPStream.plain(referenceCall, port: running.plainPort).ended()
        #expect(response.status == 200)
        try await running.process.end()
        sluice.signal(SIGTERM)
        #expect(try await sluice.exited() == .code(0))
        #expect(FileManager.default.fileExists(atPath: socket))
    }
}
