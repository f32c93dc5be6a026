// Who may connect: the permissions of a unix socket's path, the users that its peers may be, and the addresses that TCP's may have.

import EventLoop
import Glibc

/// Who may connect to a listening socket.
///
/// `mode` and `group` are given to the path of a `unix:` address. An inherited socket belongs to whoever made it, and TCP has
/// neither: there they do nothing. `allowedUsers` holds for every unix socket, inherited or not, and for no other; `allowedAddresses` for
/// every one of TCP.
package struct SocketAccess: Equatable, Sendable {
    /// Permission bits of the path, 0 to 0o777; to connect takes the right to write.
    package var mode: UInt32
    /// Name or number of the path's group; `nil` leaves it to the kernel. Sluice's user must be root or in that group.
    package var group: String?
    /// Names or numbers of the users that peers may be; empty for all whom `mode` lets in. No other user is let in, and
    /// neither is root unless it is listed.
    ///
    /// A peer's user is its effective one when it connected. One that Sluice's user namespace does not know counts as the
    /// overflow user, 65534, which is `nobody` to most systems.
    package var allowedUsers: [String]
    /// The addresses that peers may come from; nil for all that reach the socket. The kernel's word for it is the connection's own, so
    /// that nobody can be another who cannot have the answers either.
    package var allowedAddresses: [AddressRange]?

    /// The path's owner and group may connect, unless told otherwise.
    package init(
        mode: UInt32 = 0o660, group: String? = nil, allowedUsers: [String] = [], allowedAddresses: [AddressRange]? = nil
    ) {
        self.mode = mode
        self.group = group
        self.allowedUsers = allowedUsers
        self.allowedAddresses = allowedAddresses
    }

    /// - Throws: `ListenError` for a group that does not exist, `SystemError` when it cannot be looked up.
    func groupID() throws -> gid_t? {
        guard let group else { return nil }
        guard let number = try unsafe accountID(group, unsafe Glibc.group(), \.gr_gid, getgrnam_r) else {
            throw ListenError.unknownGroup(group)
        }
        return number
    }

    /// The numbers of `allowedUsers`.
    ///
    /// - Throws: `ListenError` for a user that does not exist, `SystemError` when it cannot be looked up.
    package func allowedUserIDs() throws -> [UInt32] {
        try allowedUsers.map { user in
            guard let number = try unsafe accountID(user, unsafe passwd(), \.pw_uid, getpwnam_r) else {
                throw ListenError.unknownUser(user)
            }
            return number
        }
    }
}

/// The number that `name` is, or the one of the account that `lookUp` (`getpwnam_r`, `getgrnam_r`) finds by it; `nil` when
/// there is none.
///
/// - Parameter empty: where the account is put; it points into a buffer, so that only its number leaves here.
/// - Throws: `SystemError` when the accounts cannot be read.
private func accountID<Account>(
    _ name: String, _ empty: Account, _ number: KeyPath<Account, UInt32>,
    _ lookUp: (
        UnsafePointer<CChar>, UnsafeMutablePointer<Account>, UnsafeMutablePointer<CChar>, Int,
        UnsafeMutablePointer<UnsafeMutablePointer<Account>?>
    ) -> Int32
) throws(SystemError) -> UInt32? {
    // The largest number is no account's: system calls mean "none" by it.
    if let number = UInt32(digits: name), number != .max { return number }
    guard !name.utf8.contains(0) else { return nil }
    var account = empty
    var found: UnsafeMutablePointer<Account>?
    var code = ERANGE
    // A group holds all its members' names.
    for size in [4 << 10, 64 << 10, 1 << 20] where code == ERANGE {
        var buffer = [CChar](repeating: 0, count: size)
        code = unsafe lookUp(name, &account, &buffer, size, &found)
    }
    switch code {
    case 0: return unsafe found == nil ? nil : account[keyPath: number]
    // getpwnam(3): some sources of accounts say "not found" with these.
    case ENOENT, ESRCH, EBADF, EPERM: return nil
    default: throw SystemError("cannot look '\(name)' up", code: code)
    }
}
