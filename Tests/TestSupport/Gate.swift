// How a test lets a script go on.

import Glibc

/// Holds a script until the test lets it on, once for each opening.
///
/// A script that sends event n + 1 only after the client has reported event n proves that nothing buffers, without a clock.
package final class Gate: Sendable {
    private let ends: (reading: Socket, writing: Socket)

    package init() throws {
        ends = try Socket.pipe()
        _ = fcntl(ends.reading.fileDescriptor, F_SETFL, O_NONBLOCK)
    }

    var descriptor: Int32 { ends.reading.fileDescriptor }

    package func open(_ times: Int = 1) {
        let bytes = [UInt8](repeating: 1, count: times)
        _ = unsafe bytes.withUnsafeBytes { unsafe write(ends.writing.fileDescriptor, $0.baseAddress, times) }
    }

    /// Takes one opening; false when another script took it first.
    func take() -> Bool {
        var byte: UInt8 = 0
        return unsafe read(descriptor, &byte, 1) == 1
    }
}
