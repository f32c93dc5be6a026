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
        #expect(error?.description == "there is no group '\(name)' for the socket")
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
        #expect(error?.description == "allowed_users names '\(name)', and there is no such user")
        #expect(mode(of: path) == nil)
    }

    @Test func `TCP peers have no user that could be allowed`() throws {
        let access = SocketAccess(allowedUsers: [String(geteuid())])
        let error = #expect(throws: ListenError.self) {
            try ListeningSocket(.tcp(host: "127.0.0.1", port: 0), access: access)
        }
        #expect(error == .allowedUsersOverTCP)
        #expect(error?.description == "allowed_users needs a unix socket")
        let tcp = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
        let copy = dup(tcp.descriptor.number)
        #expect(throws: ListenError.allowedUsersOverTCP) { try ListeningSocket(.inherited(copy), access: access) }
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
private func prepareForNobody(_ directory: TemporaryDirectory) throws {
    guard geteuid() == 0 else { return }
    _ = try SystemError.check("chmod", unsafe chmod(directory.path(""), 0o777))
    _ = try SystemError.check("setgroups", setgroups(0, nil))
    _ = try SystemError.check("setgid", setgid(65534))
    _ = try SystemError.check("setuid", setuid(65534))
}

private func expectGroupNotGivable(_ path: String) {
    let error = #expect(throws: SystemError.self) {
        try ListeningSocket(.unix(path), access: SocketAccess(group: "0"))
    }
    #expect(error == SystemError("chown \(path) to group 0", code: EPERM))
    #expect(mode(of: path) == nil)
}
