// What files hold, for threads that may wait.

import Glibc

extension Descriptor {
    /// What a file holds.
    ///
    /// - Parameters:
    ///   - countMax: how much of its beginning is read at most.
    ///   - name: what an error names.
    /// - Throws: `SystemError` when it cannot be read.
    func fileBytes(atMost countMax: Int, named name: String) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count < countMax {
            let count = unsafe pread(number, &part, min(part.count, countMax - bytes.count), off_t(bytes.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError(name) }
            if count == 0 { break }
            bytes += part.prefix(count)
        }
        return bytes
    }

    /// Writes bytes into a file.
    ///
    /// - Parameters:
    ///   - start: from where in the file.
    ///   - name: what an error names.
    /// - Throws: `SystemError` when not all of them could be written.
    func write(_ bytes: [UInt8], at start: Int, named name: String) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes[written...].withUnsafeBytes {
                unsafe pwrite(number, $0.baseAddress, $0.count, off_t(start + written))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw SystemError(name) }
            written += count
        }
    }
}
