// Programs that tests start, watch and end.

package import Foundation
import Synchronization

/// A program that a test runs. It does not outlive its owner, nor the process of the tests.
package final class ChildProcess: Sendable {
    package enum Exit: Sendable, Equatable { case code(Int32), signal(Int32) }

    package let name: String
    package let identifier: pid_t
    package let output = Observed(Output())
    package let errors = Observed(Output())
    package let exit = Observed<Exit?>(nil)
    private let running: Running
    private let lastSignal: Int32
    private let directory: TemporaryDirectory

    /// Starts a program, with nothing at its standard input.
    ///
    /// - Parameters:
    ///   - program: a path, or a name that is looked up in `PATH`.
    ///   - environment: the whole environment but for `PATH`, `HOME` and `LANG`.
    ///   - lastSignal: what ends the program when the owner goes; nginx must get SIGTERM, or its workers stay.
    ///   - readOutput: reads the standard output instead of ``output``, on a thread of its own.
    package init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], in directory: TemporaryDirectory,
        lastSignal: Int32 = SIGKILL, readOutput: (@Sendable (Socket) -> Void)? = nil
    ) throws {
        let output = try Socket.pipe()
        let errors = try Socket.pipe()
        // setpriv: should the tests die, the kernel sends the program its last signal.
        let words =
            ["env", "-C", directory.path, "setpriv", "--pdeathsig", lastSignal == SIGKILL ? "KILL" : "TERM", "--", program]
            + arguments
        let inherited = ProcessInfo.processInfo.environment
        let path = "\(inherited["PATH"] ?? "/usr/bin:/bin"):/usr/sbin:/sbin"
        let basis = ["PATH": path, "HOME": inherited["HOME"] ?? "/", "LANG": "C.UTF-8"]
        identifier = try Spawner.shared.spawn(
            words, environment: basis.merging(environment) { $1 }, output: output.writing, errors: errors.writing)
        name = URL(fileURLWithPath: program).lastPathComponent
        running = Running(identifier)
        self.lastSignal = lastSignal
        self.directory = directory
        output.writing.close()
        errors.writing.close()
        startThread("\(name) output") { [collected = self.output] in
            if let readOutput { readOutput(output.reading) } else { collected.collect(output.reading) }
        }
        startThread("\(name) errors") { [collected = self.errors] in collected.collect(errors.reading) }
        startThread("\(name) exit") { [running, exit] in
            let status = running.reap()
            exit.update { $0 = status }
        }
    }

    deinit { running.signal(lastSignal) }

    package func signal(_ signal: Int32) { running.signal(signal) }

    /// What it has said last is there then, unless a process that outlives it may say more.
    package func exited(within limit: Duration = .seconds(120)) async throws -> Exit {
        let exit = try await exit.wait(for: "\(name) to exit", within: limit) { $0 }
        for stream in [output, errors] {
            do { _ = try await stream.wait(for: "its end", within: .seconds(5)) { $0.ended ? true : nil } } catch {
                // Somebody else holds the other end of the pipe.
                break
            }
        }
        return exit
    }

    /// Sends its last signal and waits for it to go.
    package func end() async throws {
        signal(lastSignal)
        _ = try await exited()
    }

    /// Waits for a whole line that contains `text`.
    package static func line(containing text: String, in stream: Observed<Output>) async throws -> String {
        try await stream.wait(for: "a line containing \(text)") { output in
            if let line = output.lines.first(where: { $0.contains(text) }) { return line }
            if output.ended { throw OutputEnded(text: output.text) }
            return nil
        }
    }

    /// Runs a program to its end.
    ///
    /// - Returns: its standard output.
    /// - Throws: ``Failed`` unless it exits with 0.
    @discardableResult
    package static func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], in directory: TemporaryDirectory
    ) async throws -> String {
        let child = try ChildProcess(program, arguments, environment: environment, in: directory)
        let exit = try await child.exited(within: .seconds(120))
        try await child.output.wait(for: "the end of its output") { $0.ended }
        try await child.errors.wait(for: "the end of its errors") { $0.ended }
        guard exit == .code(0) else {
            throw Failed(program: program, exit: exit, output: child.output.value.text, errors: child.errors.value.text)
        }
        return child.output.value.text
    }

    package struct OutputEnded: Error { package let text: String }

    package struct Failed: Error {
        package let program: String
        package let exit: Exit
        package let output: String
        package let errors: String
    }
}

/// What a program has written so far.
package struct Output: Sendable {
    package fileprivate(set) var bytes: [UInt8] = []
    package fileprivate(set) var ended = false

    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The complete ones.
    package var lines: [String] { text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init) }
}

extension Observed<Output> {
    fileprivate func collect(_ pipe: Socket) {
        // A pipe that cannot be read is at its end.
        while let bytes = try? pipe.read(), !bytes.isEmpty { update { $0.bytes += bytes } }
        update { $0.ended = true }
    }
}

/// A process identifier that is not signalled any more once it may belong to somebody else.
private final class Running: Sendable {
    private let identifier: pid_t
    private let reaped = Mutex(false)

    init(_ identifier: pid_t) {
        self.identifier = identifier
    }

    func signal(_ signal: Int32) {
        reaped.withLock { reaped in
            if !reaped { kill(identifier, signal) }
        }
    }

    func reap() -> ChildProcess.Exit {
        var information = unsafe siginfo_t()
        while unsafe waitid(P_PID, id_t(identifier), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
        return reaped.withLock { reaped in
            var status: Int32 = 0
            while unsafe waitpid(identifier, &status, 0) < 0 && errno == EINTR {}
            reaped = true
            let signal = status & 0x7f
            return signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal)
        }
    }
}
