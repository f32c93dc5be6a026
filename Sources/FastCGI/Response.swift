// The answer to one request, written through libfcgi, which never gets to write when that could block.

import CFastCGI
import EventLoop

/// Why an answer could not be written.
package enum FastCGIError: Error, Equatable, Sendable {
    /// The caller left, or the web server closed the connection or took the request back. Nothing is wrong here.
    case callerLeft
    /// The peer took no bytes for longer than the time for it.
    case writeTimedOut
}

/// A CGI response (RFC 3875 §6) on the connection's STDOUT stream.
///
/// A response that is not finished, for whatever reason, cuts the connection: it never looks complete.
package struct Response: ~Copyable {
    private let connection: Connection
    /// Whether the header has been written; from then on an error can only be told inside the body.
    package private(set) var hasStarted = false

    package init(on connection: Connection) { self.connection = connection }

    /// Writes the header. It leaves with the first bytes of the body, or with `flush()`.
    ///
    /// - Parameter headers: names and values without CR, LF or NUL; a value that has one is left out.
    package mutating func start(status: Int, headers: [(name: String, value: String)]) async throws(FastCGIError) {
        precondition(!hasStarted)
        hasStarted = true
        var head = "Status: \(status)\r\n"
        for (name, value) in headers where !value.utf8.contains(where: { $0 == 10 || $0 == 13 || $0 == 0 }) {
            head += "\(name): \(value)\r\n"
        }
        head += "\r\n"
        try await connection.write([UInt8](head.utf8)[...], flushes: false)
    }

    /// Writes body bytes and flushes them to the web server, waiting while that is slow.
    package mutating func send(_ bytes: ArraySlice<UInt8>) async throws(FastCGIError) {
        precondition(hasStarted)
        try await connection.write(bytes, flushes: true)
    }

    /// Ends the answer, and with it the request. On failure the connection is cut.
    package consuming func finish() async throws(FastCGIError) {
        precondition(hasStarted)
        try await connection.waitForCredit(RecordHeader.size + Connection.bufferBytes)
        connection.endAnswer(isComplete: true)
    }

    deinit { connection.endAnswer(isComplete: false) }
}

extension Connection {
    /// libfcgi's output buffer, and so the most that one flush writes.
    static let bufferBytes = 8192
    /// What may be written after the kernel said that the socket is writable. A unix socket says so when three quarters of
    /// its send buffer (208 KiB) are free, TCP when a third of it (at least 256 KiB) is.
    static let creditBytes = 64 << 10
    /// The kernel counts its own structures against the send buffer too.
    static let overheadBytes = 1024

    func write(_ bytes: ArraySlice<UInt8>, flushes: Bool) async throws(FastCGIError) {
        var rest = bytes
        repeat {
            let part = rest.prefix(Self.bufferBytes - 2 * RecordHeader.size)
            rest = rest.dropFirst(part.count)
            try await waitForCredit(part.count + 2 * Self.overheadBytes)
            put(part)
            if flushes, unsafe FCGX_FFlush(handle.pointee.out) != 0 { abandon() }
            // libfcgi reports a failed write once and then hides it; the stream's error alone is truthful.
            if unsafe FCGX_GetError(handle.pointee.out) != 0 { abandon() }
            guard state == .open else { throw .callerLeft }
        } while !rest.isEmpty
    }

    private func put(_ bytes: ArraySlice<UInt8>) {
        unsafe bytes.withUnsafeBytes { buffer in
            let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            _ = unsafe FCGX_PutStr(start, Int32(buffer.count), handle.pointee.out)
        }
    }

    /// Returns when `count` bytes can be written without blocking, and takes them from the credit.
    func waitForCredit(_ count: Int) async throws(FastCGIError) {
        if credit < count { try await renewCredit() }
        guard state == .open else { throw .callerLeft }
        credit -= count
    }

    private func renewCredit() async throws(FastCGIError) {
        let deadline = loop.now + timeouts.write
        while state == .open, !descriptor.isWritable {
            guard loop.now < deadline else {
                abandon()
                throw .writeTimedOut
            }
            await waitUntilWritable(deadline)
        }
        credit = Self.creditBytes
    }
}
