// Where log lines go. Nobody who serves waits for whoever reads them.

import Chat
import Clock
import Glibc
import Logging
import Synchronization

/// A file, pipe, socket or terminal that takes lines from any thread. Those that it has no room for are lost and counted, and the
/// next line that it takes comes behind one that tells how many.
final class LogOutput: Sendable {
    static let standardError = LogOutput(STDERR_FILENO)

    /// A pipe takes so many bytes whole or not at all (pipe(7), `PIPE_BUF`), and one that can be written to has room for them.
    static let lineBytesMax = 4096

    private struct Lines {
        var lost = 0
        /// What a socket, a terminal or a full disk has not taken of the last line.
        var rest: [UInt8] = []
        var clock = LogClock()
    }

    private let descriptor: Int32
    private let isSocket: Bool
    private let lines = Mutex(Lines())

    /// - Parameter descriptor: not owned.
    init(_ descriptor: Int32) {
        var status = stat()
        let kind = unsafe fstat(descriptor, &status) == 0 ? status.st_mode & S_IFMT : 0
        isSocket = kind == S_IFSOCK
        self.descriptor = kind == S_IFIFO || isatty(descriptor) == 1 ? Self.reopened(descriptor) : descriptor
    }

    /// The same pipe or terminal, of which a write never waits, also when another process has filled it meanwhile, or a terminal has
    /// room for a part of the line. The descriptor that was given may be shared with processes that rely on its waiting.
    private static func reopened(_ descriptor: Int32) -> Int32 {
        let own = unsafe open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        return own < 0 ? descriptor : own
    }

    /// - Parameter line: with its line feed, at most `lineBytesMax` bytes.
    func write(_ line: [UInt8]) {
        lines.withLock { lines in
            let isTaken = finishLast(&lines) && tellLoss(&lines) && send(line, &lines)
            if !isTaken { lines.lost += 1 }
        }
    }

    private func finishLast(_ lines: inout Lines) -> Bool {
        if !lines.rest.isEmpty { lines.rest.removeFirst(max(0, attempt(lines.rest))) }
        return lines.rest.isEmpty
    }

    private func tellLoss(_ lines: inout Lines) -> Bool {
        guard lines.lost > 0 else { return true }
        var line: [UInt8] = []
        lines.clock.appendStart(of: .warning, to: &line)
        line.append(#""log lines were lost: nobody read them","count":"#)
        line.append(decimal: lines.lost)
        line.append("}\n")
        guard send(line, &lines) else { return false }
        lines.lost = 0
        return lines.rest.isEmpty
    }

    /// Whether it was taken, at least in part.
    private func send(_ line: [UInt8], _ lines: inout Lines) -> Bool {
        let count = attempt(line)
        if count > 0, count < line.count { lines.rest = Array(line[count...]) }
        return count > 0
    }

    /// How many bytes were taken without waiting.
    private func attempt(_ bytes: [UInt8]) -> Int {
        if isSocket {
            return unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        }
        var interest = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&interest, 1, 0) == 1, interest.revents & Int16(POLLOUT) != 0 else { return 0 }
        return unsafe Glibc.write(descriptor, bytes, bytes.count)
    }
}

extension [UInt8] {
    /// Appends a member of a log line's object, with the comma ahead of it. One that would make the line too long is left out.
    mutating func appendLogMember(_ name: String, _ value: String) { appendLogMember(name) { $0.appendJSONString(value) } }

    mutating func appendLogMember(_ name: String, _ value: Int) { appendLogMember(name) { $0.append(decimal: value) } }

    private mutating func appendLogMember(_ name: String, _ appendValue: (inout [UInt8]) -> Void) {
        let before = count
        append(",")
        appendJSONString(name)
        append(":")
        appendValue(&self)
        // Two bytes end the line.
        if count + 2 > LogOutput.lineBytesMax { removeLast(count - before) }
    }
}
