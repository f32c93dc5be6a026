// Machines of a test's own, in networks of their own (network_namespaces(7)).

import Glibc

/// A machine as far as the network goes: programs that run on it have its addresses and ports alone. The machine that runs the tests notices
/// nothing of it, and it is gone with its last program.
package final class Machine: Sendable {
    /// Keeps the network.
    private let keeper: ChildProcess
    private let directory: TemporaryDirectory

    /// One without a cable, in which the loopback interface is up.
    package init(in directory: TemporaryDirectory) async throws {
        self.directory = directory
        let command =
            "command -v ip >/dev/null || { echo 'apt-get install iproute2' >&2; exit 1; }; ip link set lo up; echo up; exec sleep infinity"
        keeper = try ChildProcess("unshare", ["--net", "sh", "-ec", command], in: directory)
        _ = try await ChildProcess.line(containing: "up", in: keeper.output)
    }

    /// The words of a command ahead of a program and its arguments, which then runs here.
    package var launcher: [String] { ["nsenter", "--net=/proc/\(keeper.identifier)/ns/net", "--"] }

    /// Starts a program here.
    package func start(
        _ words: [String], environment: [String: String] = [:], lastSignal: Int32 = SIGKILL, in directory: TemporaryDirectory
    ) throws -> ChildProcess {
        let command = launcher + words
        return try ChildProcess(
            command[0], Array(command.dropFirst()), environment: environment, in: directory, lastSignal: lastSignal)
    }

    /// Runs a command of ip(8) here.
    package func ip(_ words: String) async throws {
        let command = launcher + ["ip"] + words.split(separator: " ").map(String.init)
        try await ChildProcess.run(command[0], Array(command.dropFirst()), in: directory)
    }

    /// Joins it with another by a cable: this one is 10.NUMBER.0.1, the other 10.NUMBER.0.2. Each knows the other's interface for good, as
    /// machines with a router between them do, so that one that is cut off is silent and not missing.
    package func connect(to other: Machine, number: Int) async throws {
        let (own, others) = ("02:00:00:00:01:\(Self.octet(number))", "02:00:00:00:02:\(Self.octet(number))")
        try await ip(
            "link add cable\(number) address \(own) type veth peer name cable address \(others) netns \(other.keeper.identifier)")
        try await ip("address add 10.\(number).0.1/24 dev cable\(number)")
        try await other.ip("address add 10.\(number).0.2/24 dev cable")
        try await ip("link set cable\(number) up")
        try await other.ip("link set cable up")
        try await ip("neighbour replace 10.\(number).0.2 lladdr \(others) dev cable\(number) nud permanent")
        try await other.ip("neighbour replace 10.\(number).0.1 lladdr \(own) dev cable nud permanent")
    }

    private static func octet(_ number: Int) -> String { (number < 16 ? "0" : "") + String(number, radix: 16) }
}
