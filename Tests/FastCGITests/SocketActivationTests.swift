import EventLoop
@testable import FastCGI
import Glibc
import Testing

@Suite(.timeLimit(.minutes(5))) struct SocketActivationTests {
    @Test(
        arguments: [
            (nil, nil, .notActivated),
            (nil, "1", .notActivated),
            ("42", nil, .notActivated),
            ("42", "", .notActivated),
            ("42", "0", .notActivated),
            ("42", "-1", .notActivated),
            ("42", "one", .notActivated),
            ("41", "1", .otherProcessActivated("41")),
            ("", "1", .otherProcessActivated("")),
            ("42", "2", .severalSockets(2)),
        ] as [(String?, String?, ListenError)])
    func `variables that name no socket for this process say what is wrong`(
        process: String?, count: String?, error: ListenError
    ) {
        let activation = SocketActivation(
            environment: { ["LISTEN_PID": process, "LISTEN_FDS": count][$0] ?? nil }, processID: 42)
        #expect(throws: error) { try ListeningSocket(.systemd, activation: activation) }
    }

    @Test(arguments: [
        (ListenError.notActivated, "systemd passed no socket on: start Sluice through a systemd socket unit"),
        (
            .otherProcessActivated("41"),
            "systemd passed its socket to process 41, which is not this one: let the service start Sluice itself"
        ),
        (.severalSockets(2), "systemd passed 2 sockets, and Sluice takes one: leave one ListenStream= for the service"),
    ])
    func `an error tells the way out`(error: ListenError, text: String) {
        #expect(error.description == text)
    }

    @Test func `the socket is on descriptor 3`() throws {
        #expect(try activation().descriptor() == 3)
    }

    @Test func `a process that no socket unit started has no socket`() {
        #expect(throws: ListenError.notActivated) { try ListeningSocket(.systemd) }
    }

    @Test func `a unix socket is used, and its path stays systemd's`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let number = try #require(try leaveSocket(at: path, backlog: 5).first)
        let before = mode(of: path)
        var socket: ListeningSocket? = try ListeningSocket(
            .systemd, access: SocketAccess(mode: 0o606), activation: activation(firstDescriptor: number))
        #expect(socket?.isTCP == false)
        #expect(try connects(to: path))
        socket = nil
        #expect(mode(of: path) == before)
    }

    @Test func `a TCP socket is known as one`() throws {
        let first = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
        let copy = dup(first.descriptor.number)
        let socket = try ListeningSocket(.systemd, activation: activation(firstDescriptor: copy))
        #expect(socket.isTCP && socket.port == first.port)
    }

    /// `Accept=yes` in the socket unit starts a process for each connection.
    @Test func `a connection in the socket's place is refused`() throws {
        let (near, far) = try makeSocketPair()
        defer { for number in [near, far] { close(number) } }
        let error = #expect(throws: SystemError.self) {
            try ListeningSocket(.systemd, activation: activation(firstDescriptor: near))
        }
        #expect(error == SystemError("fd:\(near) is not a listening socket", code: EINVAL))
    }

    /// One socket for this process.
    private func activation(firstDescriptor: Int32 = 3) -> SocketActivation {
        SocketActivation(
            environment: { ["LISTEN_PID": String(getpid()), "LISTEN_FDS": "1"][$0] }, processID: getpid(),
            firstDescriptor: firstDescriptor)
    }
}
