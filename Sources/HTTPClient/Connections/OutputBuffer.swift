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

    /// - Parameter text: ASCII, or UTF-8.
    func append(_ text: StaticString) {
        change { unsafe $0.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)) }
    }

    func append(_ more: [UInt8]) {
        change { $0.append(contentsOf: more) }
    }

    func append(utf8 text: String) {
        change { $0.append(utf8: text) }
    }

    /// A line of a head (RFC 9112 §5).
    func appendField(_ name: String, _ value: String) {
        change {
            $0.append(utf8: name)
            $0.append(UInt8(ascii: ":"))
            if !value.isEmpty { $0.append(UInt8(ascii: " ")) }
            $0.append(utf8: value)
            $0.append(UInt8(ascii: "\r"))
            $0.append(UInt8(ascii: "\n"))
        }
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
