// Why there is no listening socket, in sentences that say how to mend it.

import CLinux
package import EventLoop
import Glibc

/// A listening socket that cannot be had as it is asked for.
package enum ListenError: Error, Equatable {
    /// `socket.allowed_users` names somebody whom the machine does not know.
    case unknownUser(String)
    /// The same of `socket.group`.
    case unknownGroup(String)
    /// The kernel does not know the user of a TCP peer.
    case allowedUsersOverTCP
    /// A socket of systemd or of the parent process.
    case inherited(InheritanceProblem)
    /// More than a master can tell a process of.
    case tooManySockets
    /// What stands at the path is something else.
    case notASocket(String)
    /// Somebody listens there already.
    case inUse(ListenAddress, by: SocketOwner?)
    /// The folder of a path is not there.
    case folderMissing(String)
    /// The process may not make a socket in the folder of a path.
    case folderNotPermitted(String)
    /// Nobody can: it is on a file system that is only read.
    case folderReadOnly(String)
    /// A socket that another user has left or listens on, at this path.
    case othersSocket(String)
    /// A path's group that is not ours to give.
    case groupNotPermitted(String)
    /// A port below 1024, which is not everybody's.
    case portNotPermitted(ListenAddress)
    /// No machine has this name, in the resolver's words.
    case unknownHost(ListenAddress, reason: String)
    /// Another machine has this address, or none.
    case notOfThisMachine(ListenAddress)
    /// For a reason that has no words of its own here.
    case failed(ListenAddress, SystemError)

    /// Why a socket cannot be taken over.
    package enum InheritanceProblem: Equatable, Sendable {
        /// No socket unit started this process.
        case notActivated
        /// The sockets are for another process: what `LISTEN_PID` says.
        case otherProcessActivated(String)
        /// No socket has this name; the others have those.
        case nameNotPassed(String, passed: [String])
        /// `listen` names an address that cannot be had, for this reason, and none of the sockets with these names.
        case notNamed(passed: [String], reason: String)
        /// A descriptor that two addresses name.
        case namedTwice(Int32)
        /// A descriptor that is not open, or no listening socket of streams.
        case notListening(Int32)
    }

    /// What kind of mistake it is: for the status that the program ends with.
    package enum Kind { case settings, creation, permission }

    /// Whose turn it is: the settings', the file system's or the network's, or the rights'.
    package var kind: Kind {
        switch self {
        case .unknownUser, .unknownGroup, .allowedUsersOverTCP, .inherited, .tooManySockets: .settings
        case .notASocket, .inUse, .folderMissing, .folderReadOnly, .unknownHost, .notOfThisMachine, .failed: .creation
        case .folderNotPermitted, .othersSocket, .groupNotPermitted, .portNotPermitted: .permission
        }
    }
}

extension ListenError: CustomStringConvertible {
    /// A sentence with how to mend it.
    package var description: String {
        switch self {
        case .unknownUser(let name): "socket.allowed_users names '\(name)', and there is no such user: make it, or leave it out"
        case .unknownGroup(let name): "socket.group is '\(name)', and there is no such group: make it, or name another"
        case .allowedUsersOverTCP:
            "socket.allowed_users needs a unix socket, and listen has none: add one, or leave socket.allowed_users out"
        case .inherited(let problem): problem.description
        case .tooManySockets:
            "there are more listening sockets than several processes can share: name fewer, or let processes be 1"
        case .notASocket(let path): "\(path) is there and is not a socket: remove it, or name another path"
        case .inUse(let address, let owner): Self.inUse(address, owner)
        case .folderMissing(let folder):
            """
            the folder \(folder) is missing: make it for Sluice's user (install -d -o \(geteuid()) \(folder)), or let the \
            service have RuntimeDirectory=
            """
        case .folderNotPermitted(let folder): Self.folderNotPermitted(folder, ownFolder: environmentVariable("RUNTIME_DIRECTORY"))
        case .folderReadOnly(let folder):
            """
            the folder \(folder) is on a file system that is read-only here: name a path below /run, or let the service have \
            RuntimeDirectory= or ReadWritePaths=
            """
        case .othersSocket(let path): "the socket at \(path) is another user's: remove it, or name another path"
        case .groupNotPermitted(let group):
            """
            Sluice's user, \(geteuid()), may not give a socket to the group '\(group)': add the user to that group \
            (SupplementaryGroups=), or leave socket.group out
            """
        case .portNotPermitted(let address):
            "Sluice's user, \(geteuid()), may not listen on \(address): take a port from 1024 on"
        case .unknownHost(let address, let reason): "\(address) has no address (\(reason)): name one of this machine's"
        case .notOfThisMachine(let address): "\(address) is not an address of this machine: name one that it has"
        case .failed(let address, let error): "cannot listen on \(address): \(error)"
        }
    }

    /// - Parameter ownFolder: what systemd has made for the service (systemd.exec(5), RuntimeDirectory=); several with colons between them.
    static func folderNotPermitted(_ folder: String, ownFolder: String?) -> String {
        let first = ownFolder?.split(separator: ":").first.map(String.init)
        let mend =
            first.map { "name a path in the service's own folder, \($0)" }
            ?? "let it have the folder (chown \(geteuid()) \(folder)), or name another path"
        return "Sluice's user, \(geteuid()), may not make a socket in the folder \(folder): \(mend)"
    }

    private static func inUse(_ address: ListenAddress, _ owner: SocketOwner?) -> String {
        let other = if case .tcp = address { "port" } else { "path" }
        let mend =
            owner?.isSystemd == true
            ? "let listen be \"systemd\", or stop the socket unit" : "stop it, or name another \(other)"
        return "\(owner?.description ?? "another process") listens on \(address) already: \(mend)"
    }
}

extension ListenError.InheritanceProblem: CustomStringConvertible {
    /// A sentence with how to mend it.
    package var description: String {
        switch self {
        case .notActivated: "systemd passed no socket on: start Sluice through a systemd socket unit"
        case .otherProcessActivated(let process):
            "systemd passed its sockets to process \(process), which is not this one: let the service start Sluice itself"
        case .nameNotPassed(let name, let passed):
            """
            systemd passed no socket that is called '\(name)', but \(Self.list(passed)): set FileDescriptorName= in the \
            socket unit, or name one of these
            """
        case .notNamed(let passed, let reason):
            """
            systemd passed sockets on (\(Self.list(passed))), and listen names none of them: write listen = "systemd" for all, or \
            "systemd:NAME" for those of a name; without that \(reason)
            """
        case .namedTwice(let number): "listen names descriptor \(number) twice: leave one of its addresses out"
        case .notListening(let number):
            """
            descriptor \(number) is not a listening socket: have it listen for streams before Sluice is started (a socket \
            unit: ListenStream= alone, and no Accept=yes)
            """
        }
    }

    /// Each name once.
    private static func list(_ names: [String]) -> String {
        var once: [String] = []
        for name in names where !once.contains(name) { once.append(name) }
        return once.map { "'\($0)'" }.joined(separator: ", ")
    }
}

/// The process that listens on a unix socket.
package struct SocketOwner: Equatable, Sendable, CustomStringConvertible {
    /// Its number; 0 when it is in a part of the machine that this one does not see.
    let process: pid_t
    /// What it is called, if that can be read.
    let name: String?
    /// Whether it has ended. Processes that it has given the socket to still have it.
    let isGone: Bool

    /// - Parameter connection: one to that socket. The kernel tells who called listen(2).
    init(_ connection: borrowing Descriptor) {
        process = connection.peer.pid
        name = process > 0 ? Self.name(of: process) : nil
        isGone = process > 0 && kill(process, 0) != 0 && errno == ESRCH
    }

    init(process: pid_t, name: String?, isGone: Bool = false) {
        (self.process, self.name, self.isGone) = (process, name, isGone)
    }

    var isSystemd: Bool { name == "systemd" }

    /// Its name and number, as far as they are known.
    package var description: String {
        if process == getpid() { return "this process" }
        guard process > 0 else { return "a process of another container" }
        if isGone { return "another process (\(process), which opened the socket, is gone)" }
        return name.map { "\($0) (process \(process))" } ?? "process \(process)"
    }

    /// Any process may call itself as it likes: only what can do no harm in a terminal is taken.
    private static func name(of process: pid_t) -> String? {
        let number = unsafe open("/proc/\(process)/comm", O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        let file = Descriptor(owning: number)
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = unsafe read(file.number, &bytes, bytes.count)
        let name = bytes.prefix(max(count, 0)).filter { 0x20...0x7E ~= $0 }
        return name.isEmpty ? nil : String(decoding: name, as: UTF8.self)
    }
}
