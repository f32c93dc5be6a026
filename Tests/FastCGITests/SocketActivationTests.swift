import EventLoop
@testable import FastCGI
import Foundation
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct SocketActivationTests {
    @Test(
        arguments: [
            (nil, nil, .inherited(.notActivated)),
            (nil, "1", .inherited(.notActivated)),
            ("42", nil, .inherited(.notActivated)),
            ("42", "", .inherited(.notActivated)),
            ("42", "0", .inherited(.notActivated)),
            ("42", "-1", .inherited(.notActivated)),
            ("42", "one", .inherited(.notActivated)),
            ("42", "2147483648", .inherited(.notActivated)),
            ("41", "1", .inherited(.otherProcessActivated("41"))),
            ("", "1", .inherited(.otherProcessActivated(""))),
        ] as [(String?, String?, ListenError)])
    func `variables that name no socket for this process say what is wrong`(
        process: String?, count: String?, error: ListenError
    ) {
        let activation = SocketActivation(process: process, count: count, ownProcess: 42)
        for name in [nil, "web"] {
            #expect(throws: error) { try ListeningSocket.open([.systemd(name: name)], activation: activation) }
        }
    }

    @Test(arguments: [
        (ListenError.inherited(.notActivated), "systemd passed no socket on: start Sluice through a systemd socket unit"),
        (
            .inherited(.otherProcessActivated("41")),
            "systemd passed its sockets to process 41, which is not this one: let the service start Sluice itself"
        ),
        (
            .inherited(.nameNotPassed("web", passed: ["sluice.socket", "admin", "sluice.socket"])),
            "systemd passed no socket that is called 'web', but 'sluice.socket', 'admin': set FileDescriptorName= in the socket unit, or name one of these"
        ),
        (
            .inherited(.notNamed(passed: ["web", "web"], reason: "the folder /x is missing")),
            "systemd passed sockets on ('web'), and listen names none of them: write listen = \"systemd\" for all, or \"systemd:NAME\" for those of a name; without that the folder /x is missing"
        ),
        (
            .inherited(.notListening(4)),
            "descriptor 4 is not a listening socket: have it listen for streams before Sluice is started (a socket unit: ListenStream= alone, and no Accept=yes)"
        ),
        (
            .inUse(.unix("/s"), by: SocketOwner(process: 1, name: "systemd")),
            "systemd (process 1) listens on unix:/s already: let listen be \"systemd\", or stop the socket unit"
        ),
        (
            .inUse(.unix("/s"), by: SocketOwner(process: 0, name: nil)),
            "a process of another container listens on unix:/s already: stop it, or name another path"
        ),
        (
            .inUse(.unix("/s"), by: SocketOwner(process: 7, name: nil)),
            "process 7 listens on unix:/s already: stop it, or name another path"
        ),
        (
            .inUse(.unix("/s"), by: SocketOwner(process: 7, name: nil, isGone: true)),
            "another process (7, which opened the socket, is gone) listens on unix:/s already: stop it, or name another path"
        ),
        (
            .tooManySockets,
            "there are more listening sockets than several processes can share: name fewer, or let processes be 1"
        ),
    ])
    func `an error tells the way out`(error: ListenError, text: String) {
        #expect(error.description == text)
    }

    @Test func `the sockets begin with descriptor 3`() throws {
        let activation = SocketActivation(process: "42", count: "1", ownProcess: 42)
        // It may be any file of the tests' own, and is no listening socket.
        #expect(throws: ListenError.inherited(.notListening(3))) {
            try ListeningSocket.open([.systemd(name: nil)], activation: activation)
        }
    }

    @Test func `a process that no socket unit started has no socket`() {
        #expect(throws: ListenError.inherited(.notActivated)) { try ListeningSocket.open([.systemd(name: nil)]) }
    }

    @Test func `a unix socket is used, and its path stays systemd's`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let number = try #require(try leaveSocket(at: path, backlog: 5).first)
        let before = mode(of: path)
        var sockets = try ListeningSocket.open(
            [.systemd(name: nil)], access: SocketAccess(mode: 0o606), activation: activation(firstDescriptor: number))
        #expect(sockets.map(\.isTCP) == [false])
        #expect(try connects(to: path))
        sockets = []
        #expect(mode(of: path) == before)
    }

    @Test func `a TCP socket is known as one`() throws {
        let first = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
        let copy = dup(first.descriptor.number)
        let sockets = try ListeningSocket.open([.systemd(name: nil)], activation: activation(firstDescriptor: copy))
        #expect(sockets.map(\.isTCP) == [true] && sockets[0].port == first.port)
    }

    /// `Accept=yes` in the socket unit starts a process for each connection.
    @Test func `a connection in the socket's place is refused`() throws {
        let (near, far) = try makeSocketPair()
        defer { for number in [near, far] { close(number) } }
        #expect(throws: ListenError.inherited(.notListening(near))) {
            try ListeningSocket.open([.systemd(name: nil)], activation: activation(firstDescriptor: near))
        }
    }

    @Test(
        arguments: [
            (nil, [0, 1, 2]), ("web", [0, 2]), ("admin", [1]),
        ] as [(String?, [Int])])
    func `of several all are served, or those of a name`(name: String?, expected: [Int]) async throws {
        // Their numbers must follow each other, which those of a process with other threads may not.
        await #expect(processExitsWith: .success) { [name, expected] in
            try useSeveral(name, expected)
        }
    }

    @Test func `a name that no socket has is an error that tells those there are`() async {
        await #expect(processExitsWith: .success) {
            let error = #expect(throws: ListenError.self) { try useSeveral("other", []) }
            #expect(error == .inherited(.nameNotPassed("other", passed: ["web", "admin", "web"])))
        }
    }

    @Test func `what has been taken is no other process's`() async {
        await #expect(processExitsWith: .success) {
            unsafe setenv("LISTEN_PID", "\(getpid())", 1)
            unsafe setenv("LISTEN_FDS", "1", 1)
            unsafe setenv("LISTEN_FDNAMES", "web", 1)
            let error = #expect(throws: ListenError.self) {
                try ListeningSocket.open([.systemd(name: "other")], activation: .take())
            }
            // Descriptor 3 may be a file of the tests' own here.
            let expected = [ListenError.inherited(.nameNotPassed("other", passed: ["web"])), .inherited(.notListening(3))]
            #expect(expected.contains { $0 == error })
            #expect(ProcessInfo.processInfo.environment.keys.allSatisfy { !$0.hasPrefix("LISTEN_") })
            #expect(throws: ListenError.inherited(.notActivated)) {
                try ListeningSocket.open([.systemd(name: nil)], activation: .take())
            }
        }
    }

    /// One socket for this process.
    private func activation(firstDescriptor: Int32) -> SocketActivation {
        SocketActivation(process: String(getpid()), count: "1", firstDescriptor: firstDescriptor)
    }
}

/// Has systemd pass three sockets, and listens on those of a name.
private func useSeveral(_ name: String?, _ expected: [Int]) throws {
    let directory = try TemporaryDirectory()
    let first: Int32 = 500
    for index in 0..<3 {
        let number = try #require(try leaveSocket(at: directory.path("\(index)"), backlog: 5).first)
        _ = try SystemError.check("dup2", dup2(number, first + Int32(index)))
        close(number)
    }
    let activation = SocketActivation(
        process: String(getpid()), count: "3", names: "web:admin:web", firstDescriptor: first)
    let sockets = try ListeningSocket.open([.systemd(name: name)], activation: activation)
    #expect(sockets.map { $0.descriptor.number } == expected.map { first + Int32($0) })
    #expect(activation.unserved(by: sockets) == [0, 1, 2].filter { !expected.contains($0) }.map { ["web", "admin", "web"][$0] })
    for index in 0..<3 { #expect(fcntl(first + Int32(index), F_GETFD) & FD_CLOEXEC != 0, "used or not") }
}
