import CLinux
import Glibc
import TestSupport
import Testing

@testable import EventLoop

@Suite struct `A process on its way` {
    /// What holds it here is the opening of a file that nobody reads; somebody may as well have stopped it.
    @Test func `is killed though it is held ahead of its program, and its pid is known then`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("unread")
        #expect(unsafe mkfifo(path, 0o600) == 0)
        let launch = ProcessLaunch()
        let process = Observed<Int32?>(nil)
        TestSupport.startThread("starts") {
            let pid = launch.run { Self.startHeld(by: path) }
            process.update { $0 = pid }
        }
        try await eventually("its end") {
            launch.kill()
            return process.value != nil
        }
        let pid = try #require(process.value)
        try #require(pid > 0)
        var status: Int32 = 0
        #expect(unsafe waitpid(pid, &status, 0) == pid)
        #expect(status & 0x7F == SIGKILL)
    }

    @Test func `is not looked for where there is none`() {
        let launch = ProcessLaunch()
        launch.kill()
        let pid = launch.run {
            launch.kill()
            return 1
        }
        launch.kill()
        #expect(pid == 1)
    }

    /// - Returns: the pid, when it has its program or is no more; -1 when there is no process.
    private static func startHeld(by path: String) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, path, O_WRONLY, 0)
        var words = unsafe [strdup("true"), nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        var process: pid_t = 0
        let code = unsafe posix_spawn(&process, "/bin/true", &actions, nil, &words, process_environment())
        return code == 0 ? process : -1
    }
}
