// Bytes on their way to a socket.

/// What is to be sent and was not yet: appended at the end, taken from the start.
final class OutputBuffer {
    /// An idle connection keeps no more than this.
    static let spareBytesMax = 256 << 10

    private(set) var bytes: [UInt8] = []

    var count: Int { bytes.count }
    var isEmpty: Bool { bytes.isEmpty }

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

    /// In decimal digits.
    func append(decimal number: Int) {
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        let start = bytes.endIndex
        var rest = number.magnitude
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    /// Takes away what the socket took. The rest moves to the front.
    func removeFirst(_ count: Int) {
        if count == bytes.count { removeAll() } else { bytes.removeFirst(count) }
    }

    func removeAll() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= Self.spareBytesMax)
    }

    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe bytes.withUnsafeBytes(body)
    }
}
