// Binding and listening, in Swift: FCGX_OpenSocket ends the process when it fails.

import CLinux
package import EventLoop
import Glibc

/// A listening socket. Each worker watches it; a unix socket's path is removed when the last of them lets go.
package final class ListeningSocket: Sendable {
    /// Where it listens.
    package let address: ListenAddress
    let descriptor: Descriptor
    /// Whether connections are TCP's, and need its options.
    let isTCP: Bool
    /// The users that peers may be; empty for all.
    let allowedUsers: [uid_t]
    private let file: FileIdentity?

    /// - Parameters:
    ///   - access: who may connect; see there what of it holds for which address.
    ///   - activation: where `systemd` finds its socket.
    /// - Throws: `SystemError` when the address is in use, not ours to use, or does not exist, or its path cannot be given to
    ///   the group; `ListenError` when `access` or `activation` does not fit.
    package init(
        _ address: ListenAddress, access: SocketAccess = SocketAccess(), activation: SocketActivation = SocketActivation()
    ) throws {
        self.address = address
        allowedUsers = try access.allowedUserIDs()
        switch address {
        case .unix(let path):
            descriptor = try Self.bindUnix(path, access)
            file = FileIdentity(path)
        case .tcp(let host, let port):
            descriptor = try Self.bindTCP(host, port)
            file = nil
        case .inherited(let number):
            descriptor = try Self.adopt(number)
            file = nil
        case .systemd:
            descriptor = try Self.adopt(activation.descriptor())
            file = nil
        }
        isTCP = try Self.option(descriptor.number, SO_DOMAIN) != AF_UNIX
        guard allowedUsers.isEmpty || !isTCP else { throw ListenError.allowedUsersOverTCP }
        _ = try SystemError.check("fcntl", fcntl(descriptor.number, F_SETFL, O_NONBLOCK))
    }

    deinit { removePath() }

    /// Nobody finds it any more, though it goes on listening. Another process may have put its own socket at the path by now; that one
    /// stays.
    package func removePath() {
        if case .unix(let path) = address, let file, file == FileIdentity(path) { _ = unsafe unlink(path) }
    }

    /// Waits for a connection, which is a blocking socket. For a thread of its own; loops have `Listener`.
    ///
    /// - Returns: nil when there will be none any more.
    package func accept() -> Descriptor? {
        while true {
            var readiness = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
            _ = unsafe poll(&readiness, 1, -1)
            let number = accept4(descriptor.number, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
            if number >= 0 { return Descriptor(owning: number) }
            // Out of descriptors it would stay readable: not to spin, it looks again in a moment.
            if [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno) { _ = usleep(100_000) }
            if [EBADF, EINVAL, ENOTSOCK].contains(errno) { return nil }
        }
    }

    /// Whether an open descriptor is a listening socket.
    package static func isListening(_ number: Int32) -> Bool {
        do { return try option(number, SO_ACCEPTCONN) != 0 } catch { return false }
    }

    /// The port that the kernel chose for `tcp:HOST:0`.
    package var port: UInt16? {
        guard isTCP else { return nil }
        var name = sockaddr_in6()
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let result = unsafe withUnsafeMutablePointer(to: &name) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(descriptor.number, $0, &size) }
        }
        return result == 0 ? UInt16(bigEndian: name.sin6_port) : nil
    }

    // MARK: Unix

    private static func bindUnix(_ path: String, _ access: SocketAccess) throws -> Descriptor {
        let group = try access.groupID()
        if try isAbandonedSocket(path) { _ = try SystemError.check("unlink \(path)", unsafe unlink(path)) }
        let socket = try makeSocket(AF_UNIX)
        let result = try unsafe withUnixAddress(path) { unsafe bind(socket.number, $0, $1) }
        _ = try SystemError.check("bind \(path)", result)
        do {
            // Nobody can connect before listen(2): the mode that the umask left is never one to connect by.
            if let group {
                _ = try SystemError.check("chown \(path) to group \(access.group ?? "")", unsafe lchown(path, .max, group))
            }
            _ = try SystemError.check("chmod \(path)", unsafe chmod(path, access.mode))
            return try listening(socket, path)
        } catch {
            _ = unsafe unlink(path)
            throw error
        }
    }

    /// Whether a socket stands at the path that no process listens on any more. One whose queue is full is alive.
    private static func isAbandonedSocket(_ path: String) throws(SystemError) -> Bool {
        guard let identity = FileIdentity(path) else { return false }
        guard identity.isSocket else { throw SystemError("\(path) is a file and not a socket", code: EEXIST) }
        let probe = try makeSocket(AF_UNIX)
        _ = try SystemError.check("fcntl", fcntl(probe.number, F_SETFL, O_NONBLOCK))
        let result = try unsafe withUnixAddress(path) { unsafe connect(probe.number, $0, $1) }
        let code = result == 0 ? 0 : errno
        switch code {
        case ECONNREFUSED: return true
        case 0, EAGAIN: throw SystemError("another process listens on \(path)", code: EADDRINUSE)
        default: throw SystemError("connect \(path)", code: code)
        }
    }

    /// The result of `call`, a system call that takes the address of a unix socket.
    private static func withUnixAddress(
        _ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(SystemError) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = unsafe withUnsafeMutableBytes(of: &address.sun_path) { destination in
            guard path.utf8.count < destination.count else { return false }
            unsafe destination.copyBytes(from: path.utf8)
            return true
        }
        guard fits else { throw SystemError("bind \(path)", code: ENAMETOOLONG) }
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe call(pointer, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    // MARK: TCP

    private static func bindTCP(_ host: String, _ port: UInt16) throws(SystemError) -> Descriptor {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, String(port), &hints, &list)
        defer { unsafe freeaddrinfo(list) }
        guard code == 0, let first = unsafe list?.pointee else {
            throw SystemError("tcp:\(host):\(port) \(unsafe String(cString: gai_strerror(code)))", code: EADDRNOTAVAIL)
        }
        let socket = try makeSocket(unsafe first.ai_family)
        try socket.set(SOL_SOCKET, SO_REUSEADDR, to: 1)
        _ = try SystemError.check("bind tcp:\(host):\(port)", unsafe bind(socket.number, first.ai_addr, first.ai_addrlen))
        return try listening(socket, "tcp:\(host):\(port)")
    }

    private static func makeSocket(_ family: Int32) throws(SystemError) -> Descriptor {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        return Descriptor(owning: try SystemError.check("socket", socket(family, type, 0)))
    }

    private static func listening(_ socket: consuming Descriptor, _ name: String) throws(SystemError) -> Descriptor {
        _ = try SystemError.check("listen \(name)", listen(socket.number, 4096))
        return socket
    }

    // MARK: Inherited

    /// Takes a listening socket over that another process made. One that does not listen stays open.
    private static func adopt(_ number: Int32) throws(SystemError) -> Descriptor {
        let isListening = try option(number, SO_ACCEPTCONN)
        guard isListening != 0 else { throw SystemError("fd:\(number) is not a listening socket", code: EINVAL) }
        return Descriptor(owning: number)
    }

    private static func option(_ number: Int32, _ option: Int32) throws(SystemError) -> Int32 {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        _ = try SystemError.check("fd:\(number)", unsafe getsockopt(number, SOL_SOCKET, option, &value, &size))
        return value
    }
}

/// A listening socket that cannot be had as it is asked for, whatever the kernel says.
package enum ListenError: Error, Equatable, CustomStringConvertible {
    case unknownUser(String)
    case unknownGroup(String)
    /// The kernel does not know the user of a TCP peer.
    case allowedUsersOverTCP
    /// No socket unit started this process.
    case notActivated
    /// The sockets are for another process: what `LISTEN_PID` says.
    case otherProcessActivated(String)
    case severalSockets(Int)

    /// What is wrong, and what to do where that is known: a line without its end.
    package var description: String {
        switch self {
        case .unknownUser(let name): "allowed_users names '\(name)', and there is no such user"
        case .unknownGroup(let name): "there is no group '\(name)' for the socket"
        case .allowedUsersOverTCP: "allowed_users needs a unix socket"
        case .notActivated: "systemd passed no socket on: start Sluice through a systemd socket unit"
        case .otherProcessActivated(let process):
            "systemd passed its socket to process \(process), which is not this one: let the service start Sluice itself"
        case .severalSockets(let count):
            "systemd passed \(count) sockets, and Sluice takes one: leave one ListenStream= for the service"
        }
    }
}

/// Which file stands at a path.
private struct FileIdentity: Equatable {
    private let device: dev_t
    private let inode: ino_t
    private let mode: mode_t

    init?(_ path: String) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        (device, inode, mode) = (status.st_dev, status.st_ino, status.st_mode)
    }

    var isSocket: Bool { mode & S_IFMT == S_IFSOCK }

    /// The mode is not part of it: whoever owns the file may change that.
    static func == (left: FileIdentity, right: FileIdentity) -> Bool {
        left.device == right.device && left.inode == right.inode
    }
}
