// Receiving and sending without waiting, one line of C each, and to wait for that on a thread of one's own.

import CLinux
import Clock
import Glibc

extension Descriptor {
    /// What a non-blocking receive found.
    package enum Received: Equatable {
        case bytes(Int)
        case nothing
        case endOfFile
        /// With `errno`.
        case failed(Int32)
    }

    /// Receives into `buffer` from its start, without waiting.
    package func receive(into buffer: inout [UInt8], countMax: Int = .max) -> Received {
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(number, $0.baseAddress, min($0.count, countMax), Int32(MSG_DONTWAIT))
            }
            if count > 0 { return .bytes(count) }
            if count == 0 { return .endOfFile }
            if errno == EAGAIN || errno == EWOULDBLOCK { return .nothing }
            if errno != EINTR { return .failed(errno) }
        }
    }

    /// What a non-blocking send did.
    package enum Sent: Equatable {
        /// The kernel took so many, perhaps not all.
        case bytes(Int)
        /// It takes none at present.
        case nothing
        /// With `errno`.
        case failed(Int32)
    }

    /// Sends from the start of `bytes` what the kernel takes, without waiting.
    package func send(_ bytes: UnsafeRawBufferPointer) -> Sent {
        while true {
            let count = unsafe Glibc.send(number, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            if count >= 0 { return .bytes(count) }
            if errno == EAGAIN || errno == EWOULDBLOCK { return .nothing }
            if errno != EINTR { return .failed(errno) }
        }
    }

    /// The same for a part of an array.
    package func send(_ bytes: ArraySlice<UInt8>) -> Sent { unsafe bytes.withUnsafeBytes { unsafe send($0) } }

    /// Sends all of `bytes` without waiting. Whether it did.
    package func sendAtOnce(_ bytes: [UInt8]) -> Bool { send(bytes[...]) == .bytes(bytes.count) }

    /// Waits on the calling thread until there is something to read, be it the end.
    ///
    /// - Parameter limit: how long; nil for as long as it takes.
    /// - Returns: whether there is.
    package func isReadable(within limit: Duration?) -> Bool {
        let deadline = limit.map { Instant.current + $0 } ?? .distantFuture
        while true {
            let left = (deadline - .current).nanoseconds
            // Rounded up: not to look again and again in the last one.
            let milliseconds = deadline == .distantFuture ? -1 : Int32(clamping: max(0, left + 999_999) / 1_000_000)
            var readiness = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
            let count = unsafe poll(&readiness, 1, milliseconds)
            if count > 0 { return true }
            if count == 0, .current >= deadline { return false }
            if count < 0, errno != EINTR { return false }
        }
    }
}
