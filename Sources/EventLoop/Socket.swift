// Receiving and sending without waiting, one line of C each.

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

    /// Sends all of `bytes` without waiting. Whether it did.
    package func sendAtOnce(_ bytes: [UInt8]) -> Bool {
        let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
        return unsafe bytes.withUnsafeBytes { unsafe send(number, $0.baseAddress, $0.count, flags) } == bytes.count
    }
}
