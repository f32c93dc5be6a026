// Processes of this program: their start, and their end.

import CLinux
import Glibc
import Synchronization

/// How a process has ended.
package enum ProcessEnd: Equatable, Sendable {
    case exited(status: Int32)
    case killed(signal: Int32)
}

/// Whether a child of this process has ended, and is still to be reaped (waitid(2), `WNOWAIT`).
package func isZombie(_ process: Int32) -> Bool {
    var information = unsafe siginfo_t()
    let result = unsafe waitid(P_PID, id_t(process), &information, WEXITED | WNOHANG | WNOWAIT)
    return unsafe result == 0 && information.si_signo == SIGCHLD
}

/// A process that is on its way: nobody knows its pid before it is the program that it is to be, and somebody who has stopped
/// it, or what it opens, may keep it from that.
package final class ProcessLaunch: Sendable {
    /// Which starts it, and waits for it; 0 while none does.
    private let thread = Atomic<pid_t>(0)

    package init() {}

    /// Has `body` start one, and nothing else, on this thread, which has started none.
    package func run<Failure>(_ body: () throws(Failure) -> Int32) throws(Failure) -> Int32 {
        thread.store(gettid(), ordering: .releasing)
        defer { thread.store(0, ordering: .releasing) }
        return try body()
    }

    /// Kills it where it is; what waits for it learns its pid by that. Nothing comes of it where there is none, or where the
    /// kernel does not tell of children (proc(5), `CONFIG_PROC_CHILDREN`). For the thread that reaps: nobody else has its pid
    /// meanwhile.
    package func kill() {
        let thread = thread.load(ordering: .acquiring)
        guard thread > 0 else { return }
        let number = unsafe open("/proc/self/task/\(thread)/children", O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return }
        let file = Descriptor(owning: number)
        var text = [UInt8](repeating: 0, count: 256)
        let count = unsafe read(file.number, &text, text.count)
        for word in text.prefix(max(0, count)).split(separator: UInt8(ascii: " ")) {
            if let process = Int32(String(decoding: word, as: UTF8.self)) { _ = Glibc.kill(process, SIGKILL) }
        }
    }
}

/// Starts this program anew, and returns when it has begun, which may take its time: for a thread that may wait. This goes
/// also where its file has been replaced or removed since. The process has a group of its own, so that a terminal's signals
/// do not reach it, nothing at its standard input, and of this one's descriptors the standard output and error and one more.
///
/// - Parameters:
///   - arguments: with the program's name as the first.
///   - socket: its descriptor 3.
/// - Returns: its pid.
/// - Throws: `SystemError` when the machine allows no more processes.
package func startProcess(_ arguments: [String], with socket: MessageSocket) throws(SystemError) -> Int32 {
    // Out of the way: the call that gives it its number there would leave it closing on exec if it had that number here.
    let own = Descriptor(owning: try SystemError.check("fcntl", fcntl(socket.number, F_DUPFD_CLOEXEC, 10)))
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
        unsafe posix_spawn_file_actions_destroy(&actions)
        unsafe posix_spawnattr_destroy(&attributes)
    }
    unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, own.number, STDERR_FILENO + 1)
    // Whoever started this one may have left it some that do not close by themselves.
    unsafe posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 2)
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe posix_spawnattr_setsigmask(&attributes, &signals)
    unsafe sigfillset(&signals)
    unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
    unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
    var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { unsafe words.forEach { unsafe free($0) } }
    var process: pid_t = 0
    let code = unsafe posix_spawn(&process, "/proc/self/exe", &actions, &attributes, &words, process_environment())
    guard code == 0 else { throw SystemError("posix_spawn /proc/self/exe", code: code) }
    return process
}

/// Calls this process as the program is called: it was started by another name of its file.
package func nameProcess(_ name: String) { _ = unsafe name_thread(name) }

/// The next process of those that this one has started that has ended; nil when none has.
package func nextEndedProcess() -> (pid: Int32, end: ProcessEnd)? {
    var status: Int32 = 0
    while true {
        let process = unsafe waitpid(-1, &status, WNOHANG)
        if process < 0, errno == EINTR { continue }
        guard process > 0 else { return nil }
        let signal = status & 0x7F
        return (process, signal == 0 ? .exited(status: (status >> 8) & 0xFF) : .killed(signal: signal))
    }
}

/// A process into which nobody but root can look (proc(5), ptrace(2)), and of which the kernel writes nothing down when it
/// crashes. It is one from when this is made: a program begins as one that its user can look into.
package struct HiddenProcess {
    private let wasHidden: Bool

    package init() {
        wasHidden = !is_dumpable()
        _ = set_dumpable(false)
    }

    /// It is to stay one, also where the kernel would pass what it writes on to a program (core(5)), which is not asked about
    /// this limit.
    package func forbidCoreDumps() {
        var none = rlimit()
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    }

    /// It is as it was.
    package func show() { if !wasHidden { _ = set_dumpable(true) } }
}

/// Whether what this process has printed has not come to where it was to go.
///
/// - Returns: why; nil when it has, or when nobody is there to read on, who then has had enough.
package func lostOutput() -> SystemError? {
    errno = 0
    guard output_is_lost() else { return nil }
    let failure = SystemError("write")
    return failure.code == EPIPE || outputIsUnread() ? nil : failure
}

/// After which time what takes nothing, though it says that it would, is tried again.
private let outputRetryMilliseconds: Int32 = 100

/// Whether nobody reads what goes to the standard output any more: of a pipe, a socket or a terminal.
private func outputIsUnread() -> Bool {
    var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
    return unsafe poll(&output, 1, 0) > 0 && output.revents & Int16(POLLERR | POLLHUP) != 0
}

/// Writes all of it to the standard output, at once. It waits where that takes nothing for a while.
///
/// - Throws: `SystemError` when it cannot be written; not when nobody is there to read on, who then has had enough.
package func writeOutput(_ bytes: [UInt8]) throws(SystemError) {
    var (rest, isSaidToBeReady) = (bytes[...], false)
    while !rest.isEmpty {
        let count = unsafe rest.withUnsafeBytes { unsafe write(STDOUT_FILENO, $0.baseAddress, $0.count) }
        if count > 0 {
            (rest, isSaidToBeReady) = (rest.dropFirst(count), false)
            continue
        }
        // One that has written nothing, without a failure, has left there what was before.
        switch count < 0 ? errno : EAGAIN {
        case EINTR: continue
        case EPIPE: return
        case EAGAIN:
            // Another process has set O_NONBLOCK on the open file.
            var output = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
            _ = unsafe poll(&output, 1, -1)
            // A terminal says that there is room also when there is too little for anything (pty(7)).
            if isSaidToBeReady { _ = poll(nil, 0, outputRetryMilliseconds) }
            isSaidToBeReady = true
        default:
            let failure = SystemError("write")
            // A connection that was reset, or a terminal that has hung up.
            if outputIsUnread() { return }
            throw failure
        }
    }
}
