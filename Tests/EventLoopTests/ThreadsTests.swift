import Glibc
import Testing

@testable import EventLoop

@Suite(.timeLimit(.minutes(1))) struct ThreadsTests {
    /// They are for the descriptor that a loop reads them from. A library's handler on another thread would swallow them.
    @Test func `a thread takes none of the process's signals, and dies of its own faults`() async throws {
        let kept = try await runOnThread {
            var set = sigset_t()
            unsafe pthread_sigmask(SIG_BLOCK, nil, &set)
            return (1...31).filter { unsafe sigismember(&set, $0) == 1 }
        }
        let never = [SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT]
        #expect(kept == (1...31).filter { !never.contains($0) })
    }
}
