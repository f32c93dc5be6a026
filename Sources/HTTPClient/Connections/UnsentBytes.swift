// What a connection's socket has not taken yet.

import EventLoop

/// Bytes that wait for a socket, in their order.
struct UnsentBytes {
    /// With so much of it taken, the memory is used again: a socket may take less than it is given for long.
    private static let takenBytesMax = 64 << 10

    private var bytes: [UInt8] = []
    /// Of `bytes`, how many the socket has taken.
    private var takenCount = 0

    var count: Int { bytes.count - takenCount }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ more: UnsafeRawBufferPointer) {
        if takenCount >= Self.takenBytesMax {
            bytes.removeFirst(takenCount)
            takenCount = 0
        }
        unsafe bytes.append(contentsOf: more)
    }

    /// Sends as many as the socket takes at once.
    ///
    /// - Returns: false when sending has failed for good.
    mutating func send(over socket: StreamSocket) -> Bool {
        while !isEmpty {
            switch unsafe bytes.withUnsafeBytes({ unsafe socket.send(UnsafeRawBufferPointer(rebasing: $0[takenCount...])) }) {
            case .bytes(let count): takenCount += count
            case .nothing: return true
            case .failed: return false
            }
        }
        self = UnsentBytes()
        return true
    }
}
