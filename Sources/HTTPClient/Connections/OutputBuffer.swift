// Where a request, frames or ciphertext are put together before they are sent.

import EventLoop

/// Bytes to be sent, appended piece by piece and then taken all at once. The buffer is used again for the next ones.
final class OutputBuffer {
    /// A larger one gives its memory back when it is emptied.
    private static let spareBytesMax = 256 << 10

    private(set) var bytes: [UInt8] = []

    var count: Int { bytes.count }
    var isEmpty: Bool { bytes.isEmpty }

    func append(_ more: UnsafeRawBufferPointer) {
        change { unsafe $0.append(contentsOf: more) }
    }

    func append(_ more: [UInt8]) {
        change { $0.append(contentsOf: more) }
    }

    func append(utf8 text: String) {
        change { $0.append(utf8: text) }
    }

    /// A request line (RFC 9112 §3), its fields and the empty line behind them.
    func appendHead(of request: HTTPRequest, to destination: Destination, _ clientFields: ClientFields) {
        change { $0.appendHead(of: request, to: destination, clientFields) }
    }

    func removeAll() {
        change { $0.removeAll(keepingCapacity: $0.capacity <= Self.spareBytesMax) }
    }

    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let bytes = bytes
        return unsafe bytes.withUnsafeBytes(body)
    }

    /// Where an array that an object owns is only moved out and in again, the compiler sees that no two accesses overlap, and the
    /// runtime need not look, which it does at each access else.
    @inline(always)
    private func change(_ body: (inout [UInt8]) -> Void) {
        var bytes = exchange(&self.bytes, with: [])
        body(&bytes)
        self.bytes = bytes
    }
}
