// Settings that are being read for as long as a test wants.

import Glibc
import Synchronization
import TestSupport
import Testing

/// A settings file that is a pipe, with somebody who has begun to read it.
final class SettingsPipe: Sendable {
    private let path: String
    private let descriptor = Mutex<Int32>(-1)

    /// - Parameter mode: who may read it.
    private init(_ path: String, mode: mode_t = 0o600) throws {
        self.path = path
        try #require(unsafe mkfifo(path, mode) == 0)
        // Nobody may read any more where this process stood still.
        _ = signal(SIGPIPE, SIG_IGN)
    }

    /// Asks for a reload while the settings file is a pipe, and returns when a process has begun to read it.
    static func reload(in directory: TemporaryDirectory) async throws -> (reload: ChildProcess, pipe: SettingsPipe) {
        let path = directory.path("sluice.toml")
        #expect(unsafe unlink(path) == 0)
        let pipe = try SettingsPipe(path)
        func ask() throws -> ChildProcess {
            try ChildProcess(
                SluiceProcess.binary, ["reload", "--control", "unix:control.sock"], environment: [:], in: directory)
        }
        var reload = try ask()
        try await eventually("a reader") {
            // Where this process stood still for as long as reading may take, nobody reads any more.
            if reload.exit.value != nil { reload = try ask() }
            return pipe.isRead
        }
        return (reload, pipe)
    }

    /// Starts a program whose settings file, `sluice.toml`, is a pipe, and returns when it has begun to read it.
    static func start(
        _ program: String, _ arguments: [String], in directory: TemporaryDirectory
    ) async throws -> (child: ChildProcess, pipe: SettingsPipe) {
        let pipe = try SettingsPipe(directory.path("sluice.toml"), mode: 0o644)
        var child = try ChildProcess(program, arguments, in: directory)
        try await eventually("a reader") {
            // Where this process stood still for as long as reading may take, nobody reads any more.
            if child.exit.value != nil { child = try ChildProcess(program, arguments, in: directory) }
            return pipe.isRead
        }
        return (child, pipe)
    }

    /// Whether somebody reads, who waits then for what is written.
    var isRead: Bool {
        descriptor.withLock { descriptor in
            if descriptor < 0 { descriptor = unsafe open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC) }
            return descriptor >= 0
        }
    }

    /// Lets whoever reads have all of it.
    func feed(_ text: String) {
        let number = descriptor.withLock { exchange(&$0, with: -1) }
        let bytes = Array(text.utf8)
        #expect(unsafe write(number, bytes, bytes.count) == bytes.count)
        close(number)
    }
}
