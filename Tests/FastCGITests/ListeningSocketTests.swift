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

    @Test func `a socket has the name that people know, whoever has made it`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("a b.sock")
        let own = try ListeningSocket(.unix(path))
        #expect(own.name == "unix:\(path)")
        // The kernel has the name that it was bound under: whoever gets it has to be told.
        let shared = try ListeningSocket(
            shared: Descriptor(owning: dup(own.number)), isOwn: true, name: own.name, access: SocketAccess())
        #expect(shared.name == "unix:\(path)")
        let tcp = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
        let port = try #require(tcp.port)
        #expect(tcp.name == "tcp:127.0.0.1:\(port)")
        #expect(try ListeningSocket(.inherited(dup(tcp.number))).name == "tcp:127.0.0.1:\(port)")
    }

    @Test func `a socket that another process has made has the name that it was bound to`() throws {
        let directory = try TemporaryDirectory()
        let listening = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let address = try #require(UnixAddress(path: directory.path("passed.sock")))
        let descriptor = Descriptor(owning: listening)
        #expect(address.bind(descriptor) == 0 && listen(listening, 1) == 0)
        #expect(try ListeningSocket(.inherited(dup(listening))).name == "unix:\(directory.path("passed.sock"))")
        let abstract = try LocalListener()
        #expect(try ListeningSocket(.inherited(dup(abstract.number))).name == "unix:@\(abstract.name)")
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
        let error = #expect(throws: ListenError.self) { try ListeningSocket(.unix(path)) }
        #expect(error?.description == "this process listens on unix:\(path) already: stop it, or name another path")
        #expect(try connects(to: path), "the first one is still there")
        #expect(try directory.names() == ["s"])
        withExtendedLifetime(first) {}
    }

    @Test func `a process that lives but accepts nothing does not hold up the start`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let busy = try leaveSocket(at: path, backlog: 0)
        defer { for number in busy { close(number) } }
        #expect(throws: ListenError.inUse(.unix(path), by: nil)) { try ListeningSocket(.unix(path)) }
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
        #expect(throws: ListenError.notASocket(path)) { try ListeningSocket(.unix(path)) }
        #expect(mode(of: path) == before)
        #expect(try directory.names().count { $0.hasPrefix(".") } == 0)
    }

    @Test func `a path that is too long or leads nowhere is an error`() throws {
        let directory = try TemporaryDirectory()
        let long = directory.path(String(repeating: "x", count: 108))
        #expect(throws: ListenError.failed(.unix(long), SystemError("bind", code: ENAMETOOLONG))) {
            try ListeningSocket(.unix(long))
        }
        let missing = directory.path("no/such/s")
        #expect(throws: ListenError.folderMissing(directory.path("no/such"))) { try ListeningSocket(.unix(missing)) }
        try "precious".write(toFile: directory.path("file"), atomically: false, encoding: .utf8)
        #expect(throws: ListenError.folderMissing(directory.path("file"))) {
            try ListeningSocket(.unix(directory.path("file/s")))
        }
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
        let error = #expect(throws: ListenError.self) { try ListeningSocket(.tcp(host: host, port: port)) }
        #expect(error == .inUse(.tcp(host: host, port: port), by: nil))
        #expect(error?.description.hasSuffix(" already: stop it, or name another port") == true)
    }

    @Test func `a host that is not this machine's is an error that names it`() {
        let nobody = #expect(throws: ListenError.self) { try ListeningSocket(.tcp(host: "no host", port: 9)) }
        #expect(nobody?.description.hasPrefix("tcp:no host:9 has no address (") == true)
        let address = ListenAddress.tcp(host: "192.0.2.1", port: 9)
        #expect(throws: ListenError.notOfThisMachine(address)) { try ListeningSocket(address) }
    }

    @Test func `IPv4 and IPv6 take the same port side by side`() throws {
        let first = try ListeningSocket(.tcp(host: "0.0.0.0", port: 0))
        let port = try #require(first.port)
        let second: ListeningSocket
        do { second = try ListeningSocket(.tcp(host: "::", port: port)) } catch {
            return #expect("\(error)".contains("family"), "no IPv6 here")
        }
        #expect(second.port == port)
        withExtendedLifetime(first) {}
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
        for number in [file, near, 1 << 20] {
            #expect(throws: ListenError.inherited(.notListening(number))) { try ListeningSocket(.inherited(number)) }
        }
        #expect(fcntl(file, F_GETFD) >= 0 && fcntl(near, F_GETFD) >= 0)
    }

    @Test func `a descriptor of the parent closes on exec from then on`() throws {
        let directory = try TemporaryDirectory()
        let number = try #require(try leaveSocket(at: directory.path("s"), backlog: 5).first)
        // As systemd leaves it.
        #expect(fcntl(number, F_SETFD, 0) == 0)
        let socket = try ListeningSocket(.inherited(number))
        #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
        withExtendedLifetime(socket) {}
    }

    @Test func `several addresses are several sockets, and one that cannot be had leaves none behind`() throws {
        let directory = try TemporaryDirectory()
        let (first, second) = (directory.path("a"), directory.path("b"))
        let tcp = ListenAddress.tcp(host: "127.0.0.1", port: 0)
        var sockets = try ListeningSocket.open([.unix(first), tcp, .unix(second)])
        #expect(sockets.map(\.address) == [.unix(first), tcp, .unix(second)])
        #expect(try connects(to: first) && connects(to: second) && sockets[1].port != nil)
        sockets = []
        #expect(try directory.names() == [])
        let missing = directory.path("no/such")
        #expect(throws: ListenError.folderMissing(missing)) {
            try ListeningSocket.open([.unix(first), tcp, .unix(missing + "/s")])
        }
        #expect(try directory.names() == [])
    }

    @Test func `a descriptor that is named twice is an error`() throws {
        let directory = try TemporaryDirectory()
        let number = try #require(try leaveSocket(at: directory.path("s"), backlog: 5).first)
        let activation = SocketActivation(process: "\(getpid())", count: "1", names: "web", firstDescriptor: number)
        let error = #expect(throws: ListenError.self) {
            try ListeningSocket.open([.systemd(name: "web"), .systemd(name: nil)], activation: activation)
        }
        #expect(error == .inherited(.namedTwice(number)))
        #expect(error?.description == "listen names descriptor \(number) twice: leave one of its addresses out")
    }
}
