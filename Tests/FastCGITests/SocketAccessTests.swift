import EventLoop
@testable import FastCGI
import Foundation
import Glibc
import Testing

@Suite(.timeLimit(.minutes(5))) struct SocketAccessTests {
    @Test(arguments: [0o600, 0o620, 0o660, 0o666] as [mode_t])
    func `a path has the mode that is asked for, whatever the umask`(mode: mode_t) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let socket = try ListeningSocket(.unix(path), access: SocketAccess(mode: mode))
        #expect(FastCGITests.mode(of: path) == S_IFSOCK | mode)
        #expect(try connects(to: path))
        withExtendedLifetime(socket) {}
    }

    @Test(arguments: [String(givableGroup)] + groupName(givableGroup))
    func `a path is given to a group by name or number`(group: String) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let socket = try ListeningSocket(.unix(path), access: SocketAccess(group: group))
        #expect(FastCGITests.group(of: path) == givableGroup)
        #expect(mode(of: path) == S_IFSOCK | 0o660)
        withExtendedLifetime(socket) {}
    }

    @Test(arguments: noAccounts)
    func `a group that does not exist is an error that names it, and nothing is left behind`(name: String) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let error = #expect(throws: ListenError.self) {
            try ListeningSocket(.unix(path), access: SocketAccess(group: name))
        }
        #expect(error == .unknownGroup(name))
        #expect(error?.description == "socket.group is '\(name)', and there is no such group: make it, or name another")
        #expect(mode(of: path) == nil)
    }

    @Test func `a group that is not ours to give to is an error that names it, and nothing is left behind`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            try prepareForNobody(directory)
            expectGroupNotGivable(directory.path("s"))
        }
    }

    @Test(arguments: noAccounts)
    func `an allowed user that does not exist is an error that names it, before anything is bound`(name: String) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let error = #expect(throws: ListenError.self) {
            try ListeningSocket(.unix(path), access: SocketAccess(allowedUsers: [String(geteuid()), name]))
        }
        #expect(error == .unknownUser(name))
        #expect(
            error?.description == "socket.allowed_users names '\(name)', and there is no such user: make it, or leave it out")
        #expect(mode(of: path) == nil)
    }

    @Test func `TCP peers have no user that could be allowed`() throws {
        let access = SocketAccess(allowedUsers: [String(geteuid())])
        let error = #expect(throws: ListenError.self) {
            try ListeningSocket.open([.tcp(host: "127.0.0.1", port: 0)], access: access)
        }
        #expect(error == .allowedUsersOverTCP)
        #expect(
            error?.description
                == "socket.allowed_users needs a unix socket, and listen has none: add one, or leave socket.allowed_users out")
        let tcp = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
        let copy = dup(tcp.descriptor.number)
        #expect(throws: ListenError.allowedUsersOverTCP) { try ListeningSocket.open([.inherited(copy)], access: access) }
    }

    @Test func `of several addresses the unix ones have the users, the mode and the group`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let access = SocketAccess(mode: 0o620, allowedUsers: [String(geteuid())])
        let sockets = try ListeningSocket.open([.unix(path), .tcp(host: "127.0.0.1", port: 0)], access: access)
        #expect(sockets.map(\.allowedUsers) == [[geteuid()], []])
        #expect(FastCGITests.mode(of: path) == S_IFSOCK | 0o620)
    }

    @Test func `a folder that is not ours to write in is an error that tells what to do, and so is another's socket`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            try leaveSocket(at: directory.path("others"))
            try prepareForNobody(directory, mode: 0o1777)
            guard geteuid() == 65534 else { return }
            #expect(throws: ListenError.othersSocket(directory.path("others"))) {
                try ListeningSocket(.unix(directory.path("others")))
            }
            let error = #expect(throws: ListenError.self) { try ListeningSocket(.unix("/usr/s")) }
            #expect(error == .folderNotPermitted("/usr"))
            #expect(
                error?.description == """
                    Sluice's user, 65534, may not make a socket in the folder /usr: let it have the folder (chown 65534 /usr), or name \
                    another path
                    """)
            let low = ListenAddress.tcp(host: "127.0.0.1", port: 1)
            do { _ = try ListeningSocket(low) } catch let error as ListenError { #expect(error == .portNotPermitted(low)) }
        }
    }

    @Test func `an inherited socket keeps its mode and group, and TCP has none`() throws {
        let access = SocketAccess(mode: 0o606, group: noAccounts[0])
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let number = try #require(try leaveSocket(at: path, backlog: 5).first)
        let before = (mode(of: path), group(of: path))
        let socket = try ListeningSocket(.inherited(number), access: access)
        #expect((mode(of: path), group(of: path)) == before)
        withExtendedLifetime(socket) {}
        #expect(throws: Never.self) { try ListeningSocket(.tcp(host: "127.0.0.1", port: 0), access: access) }
    }
}

/// Names and numbers of no user and no group. The largest number means "leave it" to chown(2).
private let noAccounts = ["no-such-account", "", "-1", "+0", "4294967295", "4294967296", "root\0"]

/// A group that this process may give a file to, and for root not the one that the file has anyway.
private let givableGroup: gid_t = geteuid() == 0 ? 1 : getegid()

/// None when the number has no name.
private func groupName(_ number: gid_t) -> [String] {
    unsafe getgrgid(number).map { unsafe [String(cString: $0.pointee.gr_name)] } ?? []
}

/// The group of the file at `path` itself.
private func group(of path: String) -> gid_t? {
    var status = stat()
    return unsafe lstat(path, &status) == 0 ? status.st_gid : nil
}

/// Root may give any group: the rest of the process is nobody's, who may write to `directory`.
private func prepareForNobody(_ directory: TemporaryDirectory, mode: mode_t = 0o777) throws {
    guard geteuid() == 0 else { return }
    _ = try SystemError.check("chmod", unsafe chmod(directory.path(""), mode))
    _ = try SystemError.check("setgroups", setgroups(0, nil))
    _ = try SystemError.check("setgid", setgid(65534))
    _ = try SystemError.check("setuid", setuid(65534))
}

private func expectGroupNotGivable(_ path: String) {
    let error = #expect(throws: ListenError.self) {
        try ListeningSocket(.unix(path), access: SocketAccess(group: "0"))
    }
    #expect(error == .groupNotPermitted("0"))
    #expect(mode(of: path) == nil)
}
