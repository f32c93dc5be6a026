// What clients have used, as bytes.

import Settings

/// A client's counts at some moment, as the budgets' file has them: each in as many bytes, of which a checksum goes ahead, so that one
/// that is damaged or cut is known as such and hides no other. The last of a client counts.
struct BudgetRecord: Equatable {
    /// Nil for all those together that there was no room for.
    let client: ClientName?
    let tokens: SpanCount
    let requests: SpanCount
    let refused: SpanCount

    /// Of a record: its checksum, the length of the name, three words, the name.
    static let bytesCount = 8 + 3 * 8 + ClientSettings.nameBytesMax
    /// In place of a name's length.
    private static let noName = UInt8.max
    private static let (lengthByte, wordsByte, nameByte) = (4, 8, 32)

    init(_ record: ClientCounts.Record) {
        (client, tokens, requests, refused) = (record.client, record.tokens, record.requests, record.refused)
    }

    init(client: ClientName?, tokens: SpanCount, requests: SpanCount, refused: SpanCount) {
        (self.client, self.tokens, self.requests, self.refused) = (client, tokens, requests, refused)
    }

    /// Whether any of it counts still.
    func isCurrent(at time: CountedTime) -> Bool {
        tokens.count(in: time.day) + requests.count(in: time.minute) + refused.count(in: time.day) > 0
    }

    var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.bytesCount)
        bytes[Self.lengthByte] = client.map { UInt8($0.bytes.count) } ?? Self.noName
        for (index, word) in [tokens.word, requests.word, refused.word].enumerated() {
            bytes.write(word, byteCount: 8, at: Self.wordsByte + 8 * index)
        }
        bytes.replaceSubrange(Self.nameByte..<(Self.nameByte + (client?.bytes.count ?? 0)), with: client?.bytes ?? [])
        bytes.write(UInt64(crc32(bytes[Self.lengthByte...])), byteCount: Self.lengthByte, at: 0)
        return bytes
    }

    /// - Returns: nil for what is no record, or a damaged one.
    init?(bytes: ArraySlice<UInt8>) {
        let bytes = Array(bytes)
        guard bytes.count == Self.bytesCount,
            bytes.word(byteCount: Self.lengthByte, at: 0) == UInt64(crc32(bytes[Self.lengthByte...]))
        else { return nil }
        let length = bytes[Self.lengthByte]
        guard length == Self.noName || length <= ClientSettings.nameBytesMax else { return nil }
        let name = bytes[Self.nameByte...].prefix(Int(length))
        guard length == Self.noName || name.allSatisfy({ (0x20..<0x7F).contains($0) }) else { return nil }
        client = length == Self.noName ? nil : ClientName(String(decoding: name, as: UTF8.self))
        let words = (0..<3).map { SpanCount(word: bytes.word(byteCount: 8, at: Self.wordsByte + 8 * $0)) }
        (tokens, requests, refused) = (words[0], words[1], words[2])
    }
}

/// What is in a file of such records.
struct BudgetRecords: Equatable {
    /// The last of each client.
    let records: [BudgetRecord]
    /// How many bytes of it are no whole record.
    let unreadBytes: Int

    /// What such a file begins with, as long as a record.
    static let head: [UInt8] = {
        let text = Array("sluice budgets 1\n".utf8)
        return text + [UInt8](repeating: 0, count: BudgetRecord.bytesCount - text.count)
    }()

    /// - Returns: nil for the bytes of something else.
    init?(file bytes: [UInt8]) {
        // One that is cut inside its beginning is still known.
        guard Self.head.starts(with: bytes.prefix(Self.head.count)) else { return nil }
        var latest: [[UInt8]?: BudgetRecord] = [:]
        var unread = bytes.count < Self.head.count ? bytes.count : 0
        for start in stride(from: Self.head.count, to: bytes.count, by: BudgetRecord.bytesCount) {
            let part = bytes[start...].prefix(BudgetRecord.bytesCount)
            if let record = BudgetRecord(bytes: part) { latest[record.client?.bytes] = record } else { unread += part.count }
        }
        (records, unreadBytes) = (Array(latest.values), unread)
    }

    /// A whole file.
    static func file(of records: [BudgetRecord]) -> [UInt8] { records.reduce(into: head) { $0 += $1.bytes } }
}

extension [UInt8] {
    /// Writes the lower bytes of a word, the lowest first.
    fileprivate mutating func write(_ word: UInt64, byteCount: Int, at start: Int) {
        for index in 0..<byteCount { self[start + index] = UInt8(truncatingIfNeeded: word >> UInt64(8 * index)) }
    }

    fileprivate func word(byteCount: Int, at start: Int) -> UInt64 {
        (0..<byteCount).reduce(0) { $0 | UInt64(self[start + $1]) << UInt64(8 * $1) }
    }
}

/// The checksum of Ethernet and of zip files (IEEE 802.3 §3.2.9).
private func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var checksum = UInt32.max
    for byte in bytes {
        checksum ^= UInt32(byte)
        for _ in 0..<8 { checksum = checksum >> 1 ^ (checksum & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
    return ~checksum
}
