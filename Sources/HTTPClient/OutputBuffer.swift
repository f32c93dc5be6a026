// Where a request, frames or ciphertext are put together before they are sent.

/// Bytes to be sent, appended piece by piece and then taken all at once. The buffer is used again for the next ones.
final class OutputBuffer {
    /// A larger one gives its memory back when it is emptied.
    private static let spareBytesMax = 256 << 10

    private(set) var bytes: [UInt8] = []

    var count: Int { bytes.count }

    func append(_ more: UnsafeRawBufferPointer) {
        unsafe bytes.append(contentsOf: more)
    }

    /// - Parameter text: ASCII, or UTF-8.
    func append(_ text: StaticString) {
        unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    func append(utf8 text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    func removeAll() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= Self.spareBytesMax)
    }

    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe bytes.withUnsafeBytes(body)
    }
}
