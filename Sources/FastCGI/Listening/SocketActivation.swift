// Listening sockets that systemd made before it started this process.

import EventLoop
import Glibc

/// What systemd passes on to a service that socket units start, as sd_listen_fds(3) has it: `LISTEN_PID` is the service's process,
/// `LISTEN_FDS` the number of descriptors, from 3 on, and `LISTEN_FDNAMES` the name of each, with colons between them.
package struct SocketActivation {
    private let process: String?
    private let count: String?
    private let names: String?
    private let ownProcess: pid_t
    private let firstDescriptor: Int32

    /// Takes it out of this process's environment: no process that it starts is to take the sockets for its own.
    package static func take() -> SocketActivation {
        let activation = SocketActivation(
            process: environmentVariable("LISTEN_PID"), count: environmentVariable("LISTEN_FDS"),
            names: environmentVariable("LISTEN_FDNAMES"))
        for name in ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"] { _ = unsafe unsetenv(name) }
        return activation
    }

    /// Nothing passed on.
    package init() { self.init(process: nil) }

    /// - Parameters:
    ///   - process: as `LISTEN_PID` says.
    ///   - count: as `LISTEN_FDS` says.
    ///   - names: as `LISTEN_FDNAMES` says.
    init(
        process: String?, count: String? = nil, names: String? = nil, ownProcess: pid_t = getpid(),
        firstDescriptor: Int32 = 3
    ) {
        (self.process, self.count, self.names) = (process, count, names)
        (self.ownProcess, self.firstDescriptor) = (ownProcess, firstDescriptor)
    }

    /// The sockets that an address names: itself, unless it is systemd's.
    func resolved(_ address: ListenAddress) throws(ListenError) -> [ListenAddress] {
        guard case .systemd(let name) = address else { return [address] }
        let passed = try descriptors()
        let named = passed.filter { name == nil || $0.name == name }
        guard !named.isEmpty else { throw .inherited(.nameNotPassed(name ?? "", passed: passed.map(\.name))) }
        return named.map { .inherited($0.number) }
    }

    /// The names of those that were passed and that none of these sockets is; none when nothing was passed to this process.
    package func unserved(by sockets: [ListeningSocket]) -> [String] {
        let served = sockets.map(\.address)
        do { return try descriptors().filter { !served.contains(.inherited($0.number)) }.map(\.name) } catch { return [] }
    }

    /// All that were passed, each closing on exec from now on, whether it is used or not.
    private func descriptors() throws(ListenError) -> [(number: Int32, name: String)] {
        guard let process, let count = count.flatMap({ Int32(digits: $0) }), count > 0 else { throw .inherited(.notActivated) }
        guard process == String(ownProcess) else { throw .inherited(.otherProcessActivated(process)) }
        let names = names.map { $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init) } ?? []
        var descriptors: [(number: Int32, name: String)] = []
        for (index, number) in (firstDescriptor..<(.max)).prefix(Int(count)).enumerated() {
            guard fcntl(number, F_SETFD, FD_CLOEXEC) >= 0 else { throw .inherited(.notListening(number)) }
            descriptors.append((number, index < names.count ? names[index] : "unknown"))
        }
        return descriptors
    }
}
