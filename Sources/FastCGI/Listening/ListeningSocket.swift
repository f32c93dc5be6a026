// Binding and listening, in Swift: FCGX_OpenSocket ends the process when it fails.

import CLinux
package import EventLoop
import Glibc
import Synchronization

/// A listening socket. Each worker watches it; a unix socket's path is removed when the last of them lets go.
package final class ListeningSocket: Sendable {
    /// Where it listens.
    package let address: ListenAddress
    /// The same for people: of one that another process has made, what the kernel calls it.
    package let name: String
    let descriptor: Descriptor
    /// Whether connections are TCP's, and need its options.
    package let isTCP: Bool
    /// The users that peers may be; empty for all.
    let allowedUsers: [uid_t]
    /// The addresses that peers may come from; nil for all.
    let allowedAddresses: [AddressRange]?
    private let file: FileIdentity?
    /// Whether nobody accepts what waits when this process, and those that it shares the socket with, do not.
    package let isOwn: Bool
    /// Whether other processes accept its connections too.
    let isShared: Bool
    /// The most connections that this process has found waiting; negative when the kernel has never told.
    let waitingMax = Atomic<Int>(-1)
    /// When the kernel is asked next how many wait, in the nanoseconds of an `Instant`.
    let nextLook = Atomic<Int64>(0)

    /// How many connections wait in the kernel at most; `net.core.somaxconn` may be less.
    static let backlog: Int32 = 4096

    /// The sockets of all addresses, in their order. `systemd` may be several.
    ///
    /// - Parameters:
    ///   - access: who may connect; see there what of it holds for which address.
    ///   - activation: where `systemd` finds its sockets.
    /// - Throws: `ListenError` when one of them cannot be had: none is left behind then. `SystemError` when the accounts that
    ///   `access` names cannot be read, or the process is out of descriptors.
    package static func open(
        _ addresses: [ListenAddress], access: SocketAccess = SocketAccess(), activation: SocketActivation = SocketActivation()
    ) throws -> [ListeningSocket] {
        var inherited: Set<Int32> = []
        var sockets: [ListeningSocket] = []
        let resolved = try addresses.flatMap { try activation.resolved($0) }
        do {
            for address in resolved {
                if case .inherited(let number) = address, !inherited.insert(number).inserted {
                    throw ListenError.inherited(.namedTwice(number))
                }
                sockets.append(try ListeningSocket(address, access: access))
            }
        } catch let error as ListenError where error.kind != .settings {
            let passed = activation.unserved(by: [])
            // Whoever has a socket unit, names none of its sockets and cannot have what is named wanted the unit's.
            guard !passed.isEmpty, resolved.allSatisfy({ if case .inherited = $0 { false } else { true } }) else { throw error }
            throw ListenError.inherited(.notNamed(passed: passed, reason: "\(error)"))
        }
        guard access.allowedUsers.isEmpty || sockets.contains(where: { !$0.isTCP }) else {
            throw ListenError.allowedUsersOverTCP
        }
        return sockets
    }

    /// - Precondition: the address names one socket, which `systemd` does not.
    /// - Throws: as `open`.
    init(_ address: ListenAddress, access: SocketAccess = SocketAccess()) throws {
        self.address = address
        let users = try access.allowedUserIDs()
        switch address {
        case .unix(let path):
            var place = try SocketPath(path)
            descriptor = try place.listen(access)
            file = place.file
        case .tcp(let host, let port):
            descriptor = try Self.bindTCP(address, host, port)
            file = nil
        case .inherited(let number):
            descriptor = try Self.adopt(number)
            file = nil
        case .systemd: preconditionFailure("systemd passes several on")
        }
        isOwn = if case .inherited = address { false } else { true }
        isShared = false
        isTCP = try Self.option(descriptor.number, SO_DOMAIN) != AF_UNIX
        name = Self.name(of: address, descriptor.number)
        allowedUsers = isTCP ? [] : users
        allowedAddresses = isTCP ? access.allowedAddresses : nil
        _ = try SystemError.check("fcntl", fcntl(descriptor.number, F_SETFL, O_NONBLOCK))
    }

    /// One that another process has opened, and shares with this one.
    ///
    /// - Parameters:
    ///   - descriptor: of it.
    ///   - isOwn: as that process says.
    ///   - name: as that process calls it. The kernel would have the name that a unix socket was bound under, ahead of its path.
    ///   - access: who may connect.
    /// - Throws: as `open`.
    package init(shared descriptor: consuming Descriptor, isOwn: Bool, name: String, access: SocketAccess) throws {
        self.name = name
        address = .inherited(descriptor.number)
        isTCP = try Self.option(descriptor.number, SO_DOMAIN) != AF_UNIX
        allowedUsers = isTCP ? [] : try access.allowedUserIDs()
        allowedAddresses = isTCP ? access.allowedAddresses : nil
        (self.isOwn, isShared, file) = (isOwn, true, nil)
        self.descriptor = descriptor
    }

    deinit { removePath() }

    /// To pass it on.
    package var number: Int32 { descriptor.number }

    /// Takes a path of its own away, so that nobody connects any more. Whoever has connected is still there to be accepted.
    ///
    /// Another process may have put its own socket at the path by now; that one stays.
    package func removePath() {
        if case .unix(let path) = address, let file, file == FileStatus(notFollowing: path)?.identity { _ = unsafe unlink(path) }
    }

    /// Waits for a connection, which is a blocking socket. For a thread of its own; loops have `Listener`.
    ///
    /// - Returns: nil when the descriptor does not listen any more, as after shutdown(2): no later call would get a connection either.
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

    /// Whether somebody has connected, and waits to be accepted.
    package var hasWaiting: Bool {
        var readiness = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&readiness, 1, 0) > 0
    }

    /// Whether an open descriptor is a listening socket.
    package static func isListening(_ number: Int32) -> Bool {
        do { return try option(number, SO_ACCEPTCONN) != 0 } catch { return false }
    }

    /// The port that the kernel chose for `tcp:HOST:0`.
    package var port: UInt16? { SocketName(descriptor.number)?.port }

    /// Whether other machines may connect, as far as it depends on this one.
    package var isOpenToOthers: Bool {
        isTCP && allowedAddresses == nil && SocketName(descriptor.number)?.address?.isLoopback != true
    }

    private static func name(of address: ListenAddress, _ number: Int32) -> String {
        switch address {
        case .inherited: return SocketName(number)?.text ?? address.description
        case .tcp(let host, 0): return ListenAddress.tcp(host: host, port: SocketName(number)?.port ?? 0).description
        default: return address.description
        }
    }

    // MARK: TCP

    private static func bindTCP(_ address: ListenAddress, _ host: String, _ port: UInt16) throws(ListenError) -> Descriptor {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, String(port), &hints, &list)
        defer { unsafe freeaddrinfo(list) }
        guard code == 0, let first = unsafe list?.pointee else {
            throw .unknownHost(address, reason: unsafe String(cString: gai_strerror(code)))
        }
        do throws(SystemError) {
            let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            let number = unsafe Glibc.socket(first.ai_family, type, 0)
            let socket = Descriptor(owning: try SystemError.check("socket", number))
            try socket.set(SOL_SOCKET, SO_REUSEADDR, to: 1)
            // "::" is IPv6's alone, as it is nginx's: 0.0.0.0 may stand beside it.
            if unsafe first.ai_family == AF_INET6 { try socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, to: 1) }
            _ = try SystemError.check("bind", unsafe bind(socket.number, first.ai_addr, first.ai_addrlen))
            _ = try SystemError.check("listen", listen(socket.number, backlog))
            return socket
        } catch {
            switch error.code {
            case EADDRINUSE: throw .inUse(address, by: nil)
            case EACCES, EPERM: throw .portNotPermitted(address)
            case EADDRNOTAVAIL: throw .notOfThisMachine(address)
            default: throw .failed(address, error)
            }
        }
    }

    // MARK: Inherited

    /// Takes a listening socket over that another process made. One that does not listen stays open.
    private static func adopt(_ number: Int32) throws(ListenError) -> Descriptor {
        do throws(SystemError) {
            guard try option(number, SO_ACCEPTCONN) != 0, try option(number, SO_TYPE) == SOCK_STREAM.rawValue else {
                throw SystemError("listen", code: EINVAL)
            }
            _ = try SystemError.check("fcntl", fcntl(number, F_SETFD, FD_CLOEXEC))
            return Descriptor(owning: number)
        } catch {
            throw .inherited(.notListening(number))
        }
    }

    private static func option(_ number: Int32, _ name: Int32) throws(SystemError) -> Int32 {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        _ = try SystemError.check("fd:\(number)", unsafe getsockopt(number, SOL_SOCKET, name, &value, &size))
        return value
    }
}
