// A log's file that is full, and those from before.

import EventLoop
import Glibc

/// Moves a file that would get larger than it may: it is called PATH.1 from then on, the one that was called so PATH.2, and so on, and the
/// last of them goes. Whoever writes the file opens another one at its path then.
///
/// Several processes may write the same file. The one that has its lock (flock(2)) moves it, and gives all names before there can be
/// another file at the path; the others find that theirs is not there any more. None of them waits.
struct LogRotation: Equatable, Sendable {
    let path: String
    let bytesMax: Int
    /// How many files from before are kept.
    let filesCount: Int

    /// Whether lines belong into another file at the path from now on: this one is full and has been moved, or somebody else has moved it.
    ///
    /// - Parameters:
    ///   - file: the open one.
    ///   - count: how many bytes are to be written.
    /// - Throws: `SystemError` when it cannot be moved.
    func leaves(_ file: Int32, for count: Int) throws(SystemError) -> Bool {
        guard let status = FileStatus(file) else { return false }
        guard isThere(status) else { return true }
        guard status.size > 0, status.size + count > bytesMax else { return false }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            // Another process is about to move it.
            if errno == EWOULDBLOCK { return false }
            throw SystemError(path)
        }
        defer { _ = flock(file, LOCK_UN) }
        guard isThere(status) else { return true }
        try move()
        return true
    }

    private func isThere(_ file: FileStatus) -> Bool { FileStatus(path)?.identity == file.identity }

    private func move() throws(SystemError) {
        let path = try realPath()
        // Up to the first name that is free: where the file itself cannot be moved, those from before do not go further each time.
        let last = (1..<filesCount).first { FileStatus(notFollowing: "\(path).\($0)") == nil } ?? filesCount
        for number in (1..<last).reversed() { try rename("\(path).\(number)", to: "\(path).\(number + 1)") }
        try rename(path, to: "\(path).1")
    }

    /// A link stays where it is.
    private func realPath() throws(SystemError) -> String {
        guard let real = unsafe realpath(path, nil) else { throw SystemError(path) }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    private func rename(_ path: String, to other: String) throws(SystemError) {
        guard unsafe Glibc.rename(path, other) != 0 else { return }
        let code = errno
        throw SystemError("\(path) to \(other)", code: code)
    }
}
