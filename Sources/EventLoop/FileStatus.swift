// What the kernel tells of a file (stat(2)).

import Glibc

/// Which file something is. No other has its numbers as long as it is open somewhere.
package struct FileIdentity: Equatable, Sendable {
    package let device: UInt
    package let inode: UInt
}

/// What a file was like when the kernel was asked. Each initializer returns nil, with the kernel's reason in `errno`, when it does not
/// tell.
package struct FileStatus: Equatable, Sendable {
    /// What kinds of files are told apart.
    package enum Kind: Sendable { case regular, pipe, characterDevice, socket, other }

    package let identity: FileIdentity
    package let kind: Kind
    /// In bytes.
    package let size: Int
    /// The number of the user whose it is.
    package let owner: UInt32
    /// Who may do what with it, as chmod(2) takes it.
    package let mode: UInt32
    /// How many names it has: none where the last one was taken away, and it is only open.
    package let namesCount: Int
    /// When what it holds, its owner or its mode last changed: seconds since 1970, and nanoseconds beside them.
    private let changeSeconds: Int
    private let changeNanoseconds: Int

    /// The file at a path, or the one that a link there leads to.
    package init?(_ path: String) { unsafe self.init { unsafe stat(path, $0) } }

    /// What stands at the path itself, a link or not.
    package init?(notFollowing path: String) { unsafe self.init { unsafe lstat(path, $0) } }

    /// What stands there in a directory, a link or not.
    package init?(notFollowing name: String, in directory: borrowing Descriptor) {
        let number = directory.number
        unsafe self.init { unsafe fstatat(number, name, $0, AT_SYMLINK_NOFOLLOW) }
    }

    /// An open file.
    package init?(_ descriptor: Int32) { unsafe self.init { unsafe fstat(descriptor, $0) } }

    private init?(_ call: (UnsafeMutablePointer<stat>) -> Int32) {
        var status = stat()
        guard unsafe call(&status) == 0 else { return nil }
        identity = FileIdentity(device: UInt(status.st_dev), inode: UInt(status.st_ino))
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFIFO: .pipe
            case S_IFCHR: .characterDevice
            case S_IFSOCK: .socket
            default: .other
            }
        size = Int(status.st_size)
        (owner, mode) = (status.st_uid, status.st_mode & 0o7777)
        namesCount = Int(status.st_nlink)
        (changeSeconds, changeNanoseconds) = (status.st_ctim.tv_sec, status.st_ctim.tv_nsec)
    }
}
