// What Redis answers, as far as budgets need it: a line each (RESP2).

import Chat

/// An answer of the budgets' store. All that it is asked answers in one line: that it is done, a number that is not negative, or an error.
enum StoreReply: Equatable {
    case done
    case number(Int)
    case error(StoreError)
}

/// What the store says that is wrong.
struct StoreError: Error, Equatable {
    /// Its words as far as they are plain ones: behind them it may repeat what it was sent.
    let words: String
    /// Whether it is about what was asked for, so that it may answer another question.
    let isAboutQuestion: Bool

    private static let bytesMax = 80

    init(line: ArraySlice<UInt8>) {
        let plain = line.prefix { ($0 | 0x20) &- UInt8(ascii: "a") < 26 || " -_".utf8.contains($0) }
        let kind = line.prefix { $0 != UInt8(ascii: " ") }
        isAboutQuestion =
            (kind.elementsEqual("ERR".utf8) || kind.elementsEqual("WRONGTYPE".utf8)) && !Self.saysThatItCountsNothing(line)
        let trimmed = plain.prefix(Self.bytesMax).reversed().drop { $0 == UInt8(ascii: " ") }.reversed()
        words = trimmed.isEmpty ? "an error" : String(decoding: Array(trimmed), as: UTF8.self)
    }

    /// Redis 6 has an error inside of a script behind words of its own: `ERR Error running script (call to f_…): … -READONLY …`.
    private static func saysThatItCountsNothing(_ line: ArraySlice<UInt8>) -> Bool {
        line.split(separator: UInt8(ascii: " ")).contains { word in
            word.first == UInt8(ascii: "-") && kinds.contains { word.dropFirst().elementsEqual($0.utf8) }
        }
    }

    /// What Redis begins its errors with that are no fault of what it was asked.
    private static let kinds = [
        "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOAUTH", "NOPERM", "NOREPLICAS", "OOM", "READONLY",
        "TRYAGAIN", "WRONGPASS",
    ]

    /// Its first word alone, if that is one of Redis's: that to which a password was sent may repeat it, whoever it is.
    var kind: String {
        let first = words.utf8.prefix { $0 != UInt8(ascii: " ") }
        return (Self.kinds + ["ERR", "WRONGTYPE"]).first { $0.utf8.elementsEqual(first) } ?? "an error"
    }
}

/// It is no answer to what is asked: a text of some length, a list, a line without an end.
struct StoreNonsense: Error {}

/// Takes bytes apart into answers. What comes is known to be none by its first byte, or when a line is too long: nothing is kept of it.
struct StoreReplies {
    /// More than any answer has.
    static let lineBytesMax = 1024

    /// What has come of a line.
    private var line: [UInt8] = []

    /// The next answer.
    ///
    /// - Parameter bytes: what has come; what was taken is removed.
    /// - Returns: nil when the rest of it has not come yet.
    mutating func next(in bytes: inout ArraySlice<UInt8>) throws(StoreNonsense) -> StoreReply? {
        while let byte = bytes.popFirst() {
            if byte == UInt8(ascii: "\n") { return try takeReply() }
            if line.isEmpty, !"+-:".utf8.contains(byte) { throw StoreNonsense() }
            guard line.count < Self.lineBytesMax else { throw StoreNonsense() }
            line.append(byte)
        }
        return nil
    }

    private mutating func takeReply() throws(StoreNonsense) -> StoreReply {
        defer { line.removeAll(keepingCapacity: true) }
        guard let kind = line.first, line.count > 1, line.last == UInt8(ascii: "\r") else { throw StoreNonsense() }
        let content = line.dropFirst().dropLast()
        switch kind {
        case UInt8(ascii: "+"): return .done
        case UInt8(ascii: "-"): return .error(StoreError(line: content))
        default:
            guard let number = Int(decimal: content), number >= 0 else { throw StoreNonsense() }
            return .number(number)
        }
    }
}
