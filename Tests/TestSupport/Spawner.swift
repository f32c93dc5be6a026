// Where child processes are made.

import Foundation
import Synchronization

/// Makes child processes, all from one thread that never ends: a parent-death signal (prctl(2)) comes with the end of the
/// thread that made the child, and the threads that run tests come and go.
final class Spawner: Sendable {
    static let shared = Spawner()

    private let jobs = Observed<[@Sendable () -> Void]>([])
    private let work = DispatchSemaphore(value: 0)

    private init() {
        startThread("spawner") { [jobs, work] in
            while true {
                work.wait()
                jobs.update { $0.removeFirst() }()
            }
        }
    }

    func spawn(_ words: [String], environment: [String: String], output: Socket, errors: Socket) throws -> pid_t {
        let result = Mutex<Result<pid_t, SystemError>?>(nil)
        let done = DispatchSemaphore(value: 0)
        jobs.update { jobs in
            jobs.append {
                result.withLock { $0 = spawnHere(words, environment, output, errors) }
                done.signal()
            }
        }
        work.signal()
        done.wait()
        return try result.withLock { $0! }.get()
    }
}

private func spawnHere(
    _ words: [String], _ environment: [String: String], _ output: Socket, _ errors: Socket
) -> Result<pid_t, SystemError> {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output.fileDescriptor, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, errors.fileDescriptor, 2)

    // The child starts with the usual signals, whatever this process ignores or blocks.
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe posix_spawnattr_setsigmask(&attributes, &signals)
    unsafe sigfillset(&signals)
    unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    var variables = unsafe environment.map { unsafe strdup("\($0)=\($1)") } + [nil]
    defer { unsafe (arguments + variables).forEach { unsafe free($0) } }
    var identifier: pid_t = 0
    let code = forkLock.withLock { _ in
        unsafe posix_spawn(&identifier, "/usr/bin/env", &actions, &attributes, &arguments, &variables)
    }
    return code == 0 ? .success(identifier) : .failure(SystemError("posix_spawn", code))
}
