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
    /// As it has come, without what Redis 6 has ahead of an error inside of a script.
    private let line: [UInt8]
    /// Whether it is about what was asked for, so that it may answer another question.
    let isAboutQuestion: Bool

    /// Of what is told.
    private static let bytesMax = 120

    /// What Redis begins its errors with that are no fault of what it was asked.
    private static let kinds = [
        "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOAUTH", "NOPERM", "NOREPLICAS", "OOM", "READONLY",
        "TRYAGAIN", "WRONGPASS",
    ]
    private static let kindsAboutQuestions = ["ERR", "WRONGTYPE"]

    init(line: ArraySlice<UInt8>) {
        // `ERR Error running script (call to f_…): @user_script:6: -READONLY …`
        let cause = line.split(separator: UInt8(ascii: " ")).first { word in
            word.first == UInt8(ascii: "-") && Self.kinds.contains { word.dropFirst().elementsEqual($0.utf8) }
        }
        self.line = Array(cause.map { line[$0.startIndex...].dropFirst() } ?? line)
        let kind = self.line.prefix { $0 != UInt8(ascii: " ") }
        isAboutQuestion = Self.kindsAboutQuestions.contains { kind.elementsEqual($0.utf8) }
    }

    /// Its first word alone, if that is one of Redis's.
    private var kind: String {
        let first = line.prefix { $0 != UInt8(ascii: " ") }
        return (Self.kinds + Self.kindsAboutQuestions).first { first.elementsEqual($0.utf8) } ?? "an error"
    }

    // MARK: What is told of it

    /// Its words as far as they are plain ones, with nothing of who has logged in: behind them it may repeat what it was sent.
    func words(hiding user: String?, _ password: String?) -> String {
        if let password, line.contains(Array(password.utf8)) { return kind }
        var words: [String] = []
        for word in line.split(separator: UInt8(ascii: " ")) {
            let isEnd = word.last.map { ".,".utf8.contains($0) } ?? false
            let plain = isEnd ? word.dropLast() : word
            guard Self.isPlain(plain) else { break }
            if user.map({ !plain.elementsEqual($0.utf8) }) ?? true { words.append(String(decoding: plain, as: UTF8.self)) }
            if isEnd { break }
        }
        // `WRONGTYPE … value script: 7d0e9f…`
        while words.last?.utf8.last == UInt8(ascii: ":") { words.removeLast() }
        while words.reduce(-1, { $0 + 1 + $1.utf8.count }) > Self.bytesMax { words.removeLast() }
        return words.isEmpty ? "an error" : words.joined(separator: " ")
    }

    /// Letters, as in `can't` and `read-only:`, or the name of a command that it was sent.
    private static func isPlain(_ word: ArraySlice<UInt8>) -> Bool {
        let bytes = word.last == UInt8(ascii: ":") ? word.dropLast() : word
        if let first = bytes.first, "'`".utf8.contains(first) {
            let name = bytes.dropFirst().dropLast().map { $0 | 0x20 }
            return bytes.last == first && StoreCommand.names.contains { $0.utf8.elementsEqual(name) }
        }
        return !bytes.isEmpty && bytes.allSatisfy { ($0 | 0x20) &- UInt8(ascii: "a") < 26 || "'-_".utf8.contains($0) }
    }

    /// What Redis says of a password. Whoever does not know `AUTH` repeats what it was sent, whole or cut, so that nothing else is told.
    private static let loginSentences = [
        "WRONGPASS invalid username-password pair or user is disabled",
        "ERR AUTH <password> called without any password configured for the default user", "ERR max number of clients reached",
        "LOADING Redis is loading the dataset in memory",
    ]

    /// Where it answers what a password was sent with: one of the sentences that Redis has for that, else its kind.
    var wordsOfLogin: String { Self.loginSentences.first { line.starts(with: $0.utf8) } ?? kind }
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
