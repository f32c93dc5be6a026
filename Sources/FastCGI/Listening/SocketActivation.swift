// A listening socket that systemd made before it started this process.

import Glibc

/// What systemd passes on to a service that a socket unit starts, as sd_listen_fds(3) has it: `LISTEN_PID` is the service's
/// process, and `LISTEN_FDS` the number of sockets, on descriptors from 3.
package struct SocketActivation {
    /// Looks a variable up.
    private let environment: (String) -> String?
    private let processID: pid_t
    private let firstDescriptor: Int32

    /// What this process was started with.
    package init() {
        self.init(environment: { name in unsafe getenv(name).map { unsafe String(cString: $0) } }, processID: getpid())
    }

    init(environment: @escaping (String) -> String?, processID: pid_t, firstDescriptor: Int32 = 3) {
        self.environment = environment
        self.processID = processID
        self.firstDescriptor = firstDescriptor
    }

    /// The descriptor of the one socket. The variables stay: Sluice starts no process that could take them for its own.
    func descriptor() throws(ListenError) -> Int32 {
        guard let process = environment("LISTEN_PID"), let count = environment("LISTEN_FDS").flatMap({ Int(digits: $0) }),
            count > 0
        else { throw .notActivated }
        guard process == String(processID) else { throw .otherProcessActivated(process) }
        guard count == 1 else { throw .severalSockets(count) }
        return firstDescriptor
    }
}
