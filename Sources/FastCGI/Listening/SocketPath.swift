// A unix socket's path, which leads to a socket that listens or is not there.

import CLinux
import EventLoop
import Glibc

/// Where a unix socket is to stand: a name in a folder.
///
/// The socket is bound to another name in that folder, and gets its own when it listens and has its mode and group: whoever finds the
/// path finds a socket that takes connections. One that a dead process has left there goes in the same moment.
struct SocketPath: ~Copyable {
    /// A socket that listens, under a name that nobody looks for.
    struct Prepared: ~Copyable {
        let socket: Descriptor
        let temporary: String
        let file: FileIdentity
    }

    private let path: String
    private let folderPath: String
    private let name: String
    private let folder: Descriptor
    /// The socket's, when it listens.
    private(set) var file: FileIdentity?

    /// How often the path may change hands while it is looked at.
    private static let triesMax = 1000

    /// - Throws: `ListenError` when the path leads nowhere.
    init(_ path: String) throws(ListenError) {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        self.path = path
        name = slash.map { String(path[path.utf8.index(after: $0)...]) } ?? path
        folderPath = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        folder = try Self.open(folderPath, of: path)
    }

    private static func open(_ folder: String, of path: String) throws(ListenError) -> Descriptor {
        guard path.utf8.count <= ListenAddress.pathBytesMax else {
            throw tooLong(path)
        }
        let number = unsafe Glibc.open(folder, OPEN_AS_PATH | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw error(path, folder, SystemError("open \(folder)")) }
        return Descriptor(owning: number)
    }

    /// Has a socket listen there.
    ///
    /// - Throws: `ListenError` when somebody else listens there, or it is not ours to use; then nothing has changed.
    mutating func listen(_ access: SocketAccess) throws -> Descriptor {
        let prepared = try prepare(access)
        do throws(ListenError) { try place(prepared) } catch {
            remove(prepared.temporary, prepared.file)
            throw error
        }
        file = prepared.file
        return prepared.takeSocket()
    }

    // MARK: Binding

    /// Has a socket listen beside the path, with the mode and the group that it is to have.
    func prepare(_ access: SocketAccess) throws -> Prepared {
        let group = try access.groupID()
        let socket = try makeSocket()
        let temporary = try bind(socket)
        let file = identity(of: temporary)
        do throws(ListenError) {
            // Nobody can connect before listen(2): the mode that the umask left is never one to connect by. In a folder of somebody
            // else's the name may stand for another file by now: neither call follows a link.
            if let group { try give(temporary, to: group, access.group ?? "") }
            try check("chmod", unsafe fchmodat(folder.number, temporary, access.mode, AT_SYMLINK_NOFOLLOW))
            try check("listen", Glibc.listen(socket.number, ListeningSocket.backlog))
            guard let file else { throw failed("stat") }
            return Prepared(socket: socket, temporary: temporary, file: file)
        } catch {
            remove(temporary, file)
            throw error
        }
    }

    /// Binds to a name that is not the socket's own, and returns it.
    ///
    /// The kernel shows the address that was bound, to `ss -x` say: it is the path with a few letters more. Where those would make it
    /// longer than an address may be, it leads by way of the folder's descriptor.
    private func bind(_ socket: borrowing Descriptor) throws(ListenError) -> String {
        let letters = String(UInt32.random(in: .min ... .max), radix: 16)
        var temporary = ".\(name).\(letters)"
        var address = "\(folderPath)/\(temporary)"
        if address.utf8.count > ListenAddress.pathBytesMax {
            temporary = ".sluice.\(letters)"
            address = "/proc/self/fd/\(folder.number)/\(temporary)"
        }
        try check("bind", try unixAddress(address).bind(socket))
        return temporary
    }

    private func give(_ temporary: String, to group: gid_t, _ name: String) throws(ListenError) {
        guard unsafe fchownat(folder.number, temporary, .max, group, AT_SYMLINK_NOFOLLOW) != 0 else { return }
        if errno == EPERM { throw .groupNotPermitted(name) }
        throw failed("chown")
    }

    /// Another's, which stands there in its place, is left.
    private func remove(_ temporary: String, _ file: FileIdentity?) {
        if identity(of: temporary) == file { _ = unsafe unlinkat(folder.number, temporary, 0) }
    }

    private func identity(of name: String) -> FileIdentity? { FileStatus(notFollowing: name, in: folder)?.identity }

    // MARK: Getting the name

    /// Gives the socket its name, unless somebody else listens there.
    private func place(_ prepared: borrowing Prepared) throws(ListenError) {
        for _ in 0..<Self.triesMax {
            if try takeFreeName(prepared) { return }
            guard let dead = try deadSocket() else { continue }
            if try replace(dead, by: prepared) { return }
        }
        throw .inUse(.unix(path), by: nil)
    }

    /// Whether nothing stood there.
    private func takeFreeName(_ prepared: borrowing Prepared) throws(ListenError) -> Bool {
        if rename(prepared, RENAME_WITHOUT_REPLACING) { return true }
        switch errno {
        case EEXIST: return false
        case EINVAL where identity(of: name) == nil: return try renamePlainly(prepared)
        case EINVAL: return false
        default: throw failed("rename")
        }
    }

    /// Puts the socket in the place of a dead one. Whether that has gone well.
    ///
    /// Others may try the same at the same time, after they have found the same dead socket. Who gets that one in exchange has the
    /// path. Who gets another one has taken a living socket's place, and gives it back.
    func replace(_ dead: borrowing Descriptor, by prepared: borrowing Prepared) throws(ListenError) -> Bool {
        guard rename(prepared, RENAME_EXCHANGING) else {
            switch errno {
            case ENOENT: return false
            case EINVAL: return try renamePlainly(prepared)
            case EPERM, EACCES: throw .othersSocket(path)
            default: throw failed("rename")
            }
        }
        guard identity(of: prepared.temporary) == FileStatus(dead.number)?.identity else {
            giveBack(prepared)
            return false
        }
        _ = unsafe unlinkat(folder.number, prepared.temporary, 0)
        return true
    }

    /// Gives the path back to whom it was taken from, and has one's own socket under its other name again.
    ///
    /// Where several do so at once, one may get what another has taken, and has to try again. When each has its own, the one that has
    /// not taken a living socket's place is left, and has the path.
    func giveBack(_ prepared: borrowing Prepared) {
        for _ in 0..<Self.triesMax {
            guard rename(prepared, RENAME_EXCHANGING) else { return }
            if identity(of: prepared.temporary) == prepared.file { return }
            usleep(.random(in: 10...1000))
        }
    }

    func rename(_ prepared: borrowing Prepared, _ way: UInt32) -> Bool {
        unsafe renameat2(folder.number, prepared.temporary, folder.number, name, way) == 0
    }

    /// On a file system that knows no other way, as some network's: whoever takes the same path at the same moment is not noticed.
    private func renamePlainly(_ prepared: borrowing Prepared) throws(ListenError) -> Bool {
        try check("rename", unsafe renameat(folder.number, prepared.temporary, folder.number, name))
        return true
    }

    /// The socket at the path, on which no process listens any more; nil when there is nothing by now. It is held: as long as it is,
    /// no other file has its number.
    ///
    /// - Throws: `ListenError` when somebody listens, also one whose queue is full, and when there is something else.
    func deadSocket() throws(ListenError) -> Descriptor? {
        let number = unsafe openat(folder.number, name, OPEN_AS_PATH | O_NOFOLLOW | O_CLOEXEC)
        if number < 0, errno == ENOENT { return nil }
        let held = Descriptor(owning: try check("open", number))
        guard FileStatus(held.number)?.kind == .socket else { throw .notASocket(path) }
        let probe = try makeSocket(flags: Int32(SOCK_NONBLOCK.rawValue))
        let result = try unixAddress(path).connect(probe)
        switch result == 0 ? 0 : errno {
        case ECONNREFUSED: return held
        case ENOENT: return nil
        case 0: throw .inUse(.unix(path), by: SocketOwner(probe))
        // Its queue is full, or it is one of datagrams: it lives.
        case EAGAIN, EPROTOTYPE: throw .inUse(.unix(path), by: nil)
        case EACCES, EPERM: throw .othersSocket(path)
        default: throw failed("connect")
        }
    }

    // MARK: Errors

    private func makeSocket(flags: Int32 = 0) throws(ListenError) -> Descriptor {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | flags
        return Descriptor(owning: try check("socket", socket(AF_UNIX, type, 0)))
    }

    private func unixAddress(_ path: String) throws(ListenError) -> UnixAddress {
        guard let address = UnixAddress(path: path) else { throw Self.tooLong(self.path) }
        return address
    }

    @discardableResult
    private func check(_ call: String, _ result: Int32) throws(ListenError) -> Int32 {
        guard result >= 0 else { throw failed(call) }
        return result
    }

    /// What `errno` says.
    private func failed(_ call: String) -> ListenError { Self.error(path, folderPath, SystemError("\(call) \(path)")) }

    private static func tooLong(_ path: String) -> ListenError {
        .failed(.unix(path), SystemError("bind", code: ENAMETOOLONG))
    }

    private static func error(_ path: String, _ folder: String, _ error: SystemError) -> ListenError {
        switch error.code {
        case ENOENT, ENOTDIR: .folderMissing(folder)
        case EACCES, EPERM: .folderNotPermitted(folder)
        case EROFS: .folderReadOnly(folder)
        default: .failed(.unix(path), error)
        }
    }
}

extension SocketPath.Prepared {
    /// Leaves its file where it is.
    consuming func takeSocket() -> Descriptor { socket }
}
