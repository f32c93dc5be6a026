// Where TLS records begin and end, without their content.

/// Follows ciphertext from record to record (RFC 8446 §5.1): OpenSSL does not tell of a record that has come in part.
struct TLSRecordBounds {
    private static let headerBytes = 5

    /// Of the present record's header, how much has come.
    private var headerCount = 0
    /// The length that the header gives, as far as it has come.
    private var length = 0
    /// Of the present record's content, how much is to come.
    private var left = 0

    /// Whether all records that have begun are whole.
    var isBetweenRecords: Bool { headerCount == 0 && left == 0 }

    /// The next bytes that have come.
    mutating func pass(_ bytes: UnsafeRawBufferPointer) {
        var cursor = 0
        while cursor < bytes.count {
            guard left == 0 else {
                let count = min(left, bytes.count - cursor)
                (left, cursor) = (left - count, cursor + count)
                continue
            }
            unsafe passHeader(bytes[cursor])
            cursor += 1
        }
    }

    /// Type and version are three bytes; two of length follow.
    private mutating func passHeader(_ byte: UInt8) {
        headerCount += 1
        if headerCount > 3 { length = length << 8 | Int(byte) }
        guard headerCount == Self.headerBytes else { return }
        (left, length, headerCount) = (length, 0, 0)
    }
}
