// Bytes one behind the other, each with its length.

/// Netstrings (cr.yp.to/proto/netstrings.txt): `5:hello,`. Whatever the bytes are, nothing of them is escaped, and what was cut off is
/// none.
enum Netstring {
    /// A length below a terabyte.
    private static let digitsMax = 12
    /// What may stand ahead of the content.
    static let prefixBytesMax = digitsMax + 1

    /// Contents one behind the other.
    static func joined(_ contents: [[UInt8]]) -> [UInt8] {
        contents.reduce(into: []) { bytes, content in
            bytes += Array("\(content.count):".utf8)
            bytes += content
            bytes.append(UInt8(ascii: ","))
        }
    }

    /// The contents of all that stand one behind the other.
    ///
    /// - Returns: nil when anything else is among them.
    static func split(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>]? {
        var (rest, contents): (ArraySlice<UInt8>, [ArraySlice<UInt8>]) = (bytes, [])
        while !rest.isEmpty {
            guard let range = contentRange(in: rest), range.upperBound < rest.endIndex,
                rest[range.upperBound] == UInt8(ascii: ",")
            else { return nil }
            contents.append(rest[range])
            rest = rest[(range.upperBound + 1)...]
        }
        return contents
    }

    /// Where the content of the first one is, or would be: there may be less than all of it.
    static func contentRange(in bytes: ArraySlice<UInt8>) -> Range<Int>? {
        let digits = bytes.prefix(digitsMax).prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
        guard let count = Int(String(decoding: digits, as: UTF8.self)), bytes[digits.endIndex...].first == UInt8(ascii: ":")
        else { return nil }
        let start = digits.endIndex + 1
        return start..<start + count
    }
}
