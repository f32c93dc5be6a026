// A network of a test's own: its addresses, routes and ports are nobody else's.

import Dispatch
import EventLoop
import Glibc
import Synchronization

extension LoopActor {
    /// As `run`, on a thread in a new network namespace (network_namespaces(7)), in which the loopback interface is up.
    ///
    /// Sockets that the body opens belong to that namespace.
    ///
    /// - Parameter setUp: shell commands, run in the namespace first; any that fails, fails the test.
    package static func runInNetwork<Result: Sendable>(
        _ setUp: String, _ body: @escaping @Sendable (isolated LoopActor) async throws -> Result
    ) async throws -> Result {
        try await run(preparing: { try enterNetwork(setUp) }, body)
    }
}

/// Whether this process may make network namespaces, as root may.
package let mayMakeNetworks: Bool = {
    let answer = Atomic(false)
    let done = DispatchSemaphore(value: 0)
    startThread("namespace trial") {
        answer.store(unshareNetwork(), ordering: .relaxed)
        done.signal()
    }
    done.wait()
    return answer.load(ordering: .relaxed)
}()

package struct NetworkFailure: Error, CustomStringConvertible {
    package let description: String
}

/// Moves the calling thread; it never comes back.
private func enterNetwork(_ setUp: String) throws {
    guard unshareNetwork() else { throw NetworkFailure(description: "unshare: \(unsafe String(cString: strerror(errno)))") }
    // A child is in the namespace of the thread that made it.
    let status = try shell("command -v ip >/dev/null || exit 96; ip link set lo up; \(setUp)")
    guard status != 96 else { throw NetworkFailure(description: "this test needs ip: apt-get install iproute2") }
    guard status == 0 else { throw NetworkFailure(description: "exit status \(status) of: \(setUp)") }
}

/// The Glibc module lacks unshare(2).
private func unshareNetwork() -> Bool {
    guard let function = unsafe dlsym(nil, "unshare") else { return false }
    let unshare = unsafe unsafeBitCast(function, to: (@convention(c) (Int32) -> Int32).self)
    return unshare(0x4000_0000) == 0  // CLONE_NEWNET
}

private func shell(_ commands: String) throws -> Int32 {
    let (words, path) = (["sh", "-ec", commands], ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    var variables = unsafe path.map { unsafe strdup($0) } + [nil]
    defer { unsafe (arguments + variables).forEach { unsafe free($0) } }
    var (identifier, status) = (pid_t(0), Int32(0))
    let code = forkLock.withLock { _ in unsafe posix_spawn(&identifier, "/bin/sh", nil, nil, &arguments, &variables) }
    guard code == 0 else { throw NetworkFailure(description: "posix_spawn: \(code)") }
    while unsafe waitpid(identifier, &status, 0) < 0 { guard errno == EINTR else { break } }
    return (status >> 8) & 0xFF
}
