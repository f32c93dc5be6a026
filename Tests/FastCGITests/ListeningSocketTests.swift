import EventLoop
@testable import FastCGI
import Foundation
import Glibc
import Testing

@Suite(.timeLimit(.minutes(5))) struct ListeningSocketTests {
    @Test func `a path takes connections, is the group's to use, and goes with its socket`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        var socket: ListeningSocket? = try ListeningSocket(.unix(path))
        #expect(mode(of: path) == S_IFSOCK | 0o660)
        #expect(try connects(to: path))
        #expect(socket?.port == nil)
        socket = nil
        #expect(mode(of: path) == nil)
    }

    @Test func `the path of a process that has died is taken over`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        try leaveSocket(at: path)
        #expect(try !connects(to: path))
        let socket = try ListeningSocket(.unix(path))
        #expect(try connects(to: path))
        withExtendedLifetime(socket) {}
    }

    @Test func `the path of a process that lives is not`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let first = try ListeningSocket(.unix(path))
        let error = #expect(throws: SystemError.self) { try ListeningSocket(.unix(path)) }
        #expect(error?.code == EADDRINUSE)
        #expect(try connects(to: path), "the first one is still there")
        withExtendedLifetime(first) {}
    }

    @Test func `a process that lives but accepts nothing does not hold up the start`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let busy = try leaveSocket(at: path, backlog: 0)
        defer { for number in busy { close(number) } }
        let error = #expect(throws: SystemError.self) { try ListeningSocket(.unix(path)) }
        #expect(error?.code == EADDRINUSE)
        #expect(mode(of: path) != nil)
    }

    @Test(arguments: ["file", "directory", "link", "broken link"])
    func `what is no socket stays untouched`(kind: String) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        switch kind {
        case "file": try "precious".write(toFile: path, atomically: false, encoding: .utf8)
        case "directory": try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        case "link":
            try leaveSocket(at: directory.path("target"))
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: directory.path("target"))
        default: try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: directory.path("nothing"))
        }
        let before = mode(of: path)
        let error = #expect(throws: SystemError.self) { try ListeningSocket(.unix(path)) }
        #expect(error?.code == EEXIST)
        #expect(mode(of: path) == before)
    }

    @Test func `a path that is too long or leads nowhere is an error`() throws {
        let directory = try TemporaryDirectory()
        let long = directory.path(String(repeating: "x", count: 108))
        #expect(#expect(throws: SystemError.self) { try ListeningSocket(.unix(long)) }?.code == ENAMETOOLONG)
        let missing = directory.path("no/such/s")
        #expect(#expect(throws: SystemError.self) { try ListeningSocket(.unix(missing)) }?.code == ENOENT)
    }

    @Test func `another process's socket at the path stays at the end`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let other: ListeningSocket
        do {
            let socket = try ListeningSocket(.unix(path))
            try FileManager.default.removeItem(atPath: path)
            other = try ListeningSocket(.unix(path))
            withExtendedLifetime(socket) {}
        }
        #expect(try connects(to: path))
        withExtendedLifetime(other) {}
    }

    @Test func `the path goes also when its mode has been changed`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        do {
            let socket = try ListeningSocket(.unix(path))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
            withExtendedLifetime(socket) {}
        }
        #expect(mode(of: path) == nil)
    }

    @Test(arguments: ["127.0.0.1", "localhost", "::1"])
    func `port 0 listens on a port of the kernel's choice, which is then taken`(host: String) throws {
        let socket: ListeningSocket
        do { socket = try ListeningSocket(.tcp(host: host, port: 0)) } catch { return #expect(host == "::1", "no IPv6 here") }
        let port = try #require(socket.port)
        #expect(port > 0)
        let error = #expect(throws: SystemError.self) { try ListeningSocket(.tcp(host: host, port: port)) }
        #expect(error?.code == EADDRINUSE)
    }

    @Test func `a host that does not exist is an error that names it`() {
        let error = #expect(throws: SystemError.self) { try ListeningSocket(.tcp(host: "no host", port: 9)) }
        #expect(error?.operation.hasPrefix("tcp:no host:9 ") == true)
    }

    @Test func `a listening descriptor of the parent is used and not removed from its path`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let number = try #require(try leaveSocket(at: path, backlog: 5).first)
        var socket: ListeningSocket? = try ListeningSocket(.inherited(number))
        #expect(socket?.isTCP == false)
        #expect(try connects(to: path))
        socket = nil
        #expect(mode(of: path) != nil)
    }

    @Test func `a listening TCP descriptor is known as one`() throws {
        let first = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
        let copy = dup(first.descriptor.number)
        let socket = try ListeningSocket(.inherited(copy))
        #expect(socket.isTCP && socket.port == first.port)
    }

    @Test func `a descriptor that does not listen is refused and stays open`() throws {
        let file = unsafe open("/dev/null", O_RDONLY)
        let (near, far) = try makeSocketPair()
        defer { for number in [file, near, far] { close(number) } }
        #expect(#expect(throws: SystemError.self) { try ListeningSocket(.inherited(file)) }?.code == ENOTSOCK)
        #expect(#expect(throws: SystemError.self) { try ListeningSocket(.inherited(near)) }?.code == EINVAL)
        #expect(#expect(throws: SystemError.self) { try ListeningSocket(.inherited(1 << 20)) }?.code == EBADF)
        #expect(fcntl(file, F_GETFD) >= 0 && fcntl(near, F_GETFD) >= 0)
    }
}
