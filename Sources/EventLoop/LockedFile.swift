// A small file that one process at a time keeps.

import Glibc

/// A regular file that nobody else has as long as this value lives (flock(2)). For a thread that may wait.
package struct LockedFile: ~Copyable {
    private let path: String
    private var descriptor: Descriptor
    /// Up to where it has been written.
    package private(set) var size: Int

    /// Opens it, or makes it, for its owner alone.
    ///
    /// - Returns: nil when another process has it.
    /// - Throws: `SystemError` when it cannot be opened or made, or is something else than a file.
    package init?(_ path: String) throws(SystemError) {
        let descriptor = try Self.opened(path, O_RDWR)
        guard flock(descriptor.number, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw SystemError(path) }
            return nil
        }
        guard let status = FileStatus(descriptor.number) else { throw SystemError(path) }
        guard status.kind == .regular else { throw SystemError(path, code: EINVAL) }
        // Whoever had it before may have put another one in its place.
        guard FileStatus(path)?.identity == status.identity else { return nil }
        self.path = path
        self.descriptor = consume descriptor
        size = status.size
    }

    private static func opened(_ path: String, _ flags: Int32) throws(SystemError) -> Descriptor {
        let flags = flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        return Descriptor(owning: try SystemError.check(path, unsafe open(path, flags, 0o600)))
    }

    /// All that it holds.
    ///
    /// - Parameter bytesMax: of a larger one no more than that, and one byte.
    /// - Throws: `SystemError` when it cannot be read.
    package func bytes(atMost bytesMax: Int) throws(SystemError) -> [UInt8] {
        try descriptor.fileBytes(atMost: bytesMax + 1, named: path)
    }

    /// The same of one that another process may have.
    package static func bytes(of path: String, atMost bytesMax: Int) throws(SystemError) -> [UInt8] {
        let flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        let descriptor = Descriptor(owning: try SystemError.check(path, unsafe open(path, flags)))
        return try descriptor.fileBytes(atMost: bytesMax + 1, named: path)
    }

    /// Whether it still stands at its path, and has all that was written. Anybody may take it away, or cut it.
    package var isWhole: Bool {
        guard let own = FileStatus(descriptor.number), own.size >= size else { return false }
        return FileStatus(path)?.identity == own.identity
    }

    /// Writes more behind what there is, and comes back when that is on the disk.
    ///
    /// - Throws: `SystemError` when it is not; what there was is there still.
    package mutating func append(_ bytes: [UInt8]) throws(SystemError) {
        do throws(SystemError) { try Self.write(bytes, to: descriptor, at: size, path) } catch {
            // What has come of it would be read as what was written last.
            _ = ftruncate(descriptor.number, off_t(size))
            throw error
        }
        size += bytes.count
    }

    /// Puts other content in the place of what there is. Whatever happens meanwhile, the one or the other is there.
    ///
    /// - Throws: `SystemError` when it is what there was.
    package mutating func replace(with bytes: [UInt8]) throws(SystemError) {
        let newPath = path + ".new"
        let new = try Self.opened(newPath, O_RDWR | O_TRUNC)
        do throws(SystemError) {
            _ = try SystemError.check(newPath, flock(new.number, LOCK_EX | LOCK_NB))
            try Self.write(bytes, to: new, at: 0, newPath)
            _ = try SystemError.check(newPath, unsafe rename(newPath, path))
        } catch {
            _ = unsafe unlink(newPath)
            throw error
        }
        descriptor = consume new
        size = bytes.count
        syncFolder()
    }

    private static func write(
        _ bytes: [UInt8], to descriptor: borrowing Descriptor, at start: Int, _ path: String
    ) throws(SystemError) {
        try descriptor.write(bytes, at: start, named: path)
        _ = try SystemError.check(path, fdatasync(descriptor.number))
    }

    /// The new file's name is on the disk too. A file system that does not know this has it there anyway.
    private func syncFolder() {
        let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? "."
        let number = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { return }
        _ = fsync(number)
        close(number)
    }
}
