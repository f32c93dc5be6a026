// The numbers and dates of TOML 1.0. TOMLKit's parser ends the process at some texts that are nearly one.

import Chat

enum PlainTOMLValue {
    /// Whether a value that begins so is to be a number or a date.
    static func beginsNumber(_ byte: UInt8) -> Bool { "0123456789+-._in".utf8.contains(byte) }

    /// Whether it is a word, an address or a path without its quotes. What begins with a digit is rather meant to be a number.
    ///
    /// - Parameter text: as of `isNumberOrDate`.
    static func isBareText(_ text: ArraySlice<UInt8>) -> Bool {
        guard let first = text.first, first.isAlphanumeric(or: "/~$<"), !"0123456789".utf8.contains(first) else { return false }
        let end = text.lastIndex { !" \t\r".utf8.contains($0) } ?? text.startIndex
        return !["true", "false", "inf", "nan"].contains { $0.utf8.elementsEqual(text[...end]) }
    }

    /// - Parameter text: up to what ends it, with white space behind it.
    static func isNumberOrDate(_ text: ArraySlice<UInt8>) -> Bool {
        var reader = Reader(rest: text)
        guard reader.readDate() || reader.readNumber() else { return false }
        return reader.rest.allSatisfy { " \t\r".utf8.contains($0) }
    }
}

/// Each function takes what it is called after, or says that it is not there.
private struct Reader {
    var rest: ArraySlice<UInt8>

    // MARK: Dates

    /// A date, a time, or both with an offset or without one. Whether there is such a day is not looked at.
    mutating func readDate() -> Bool {
        if take(form: "##:##:##") {
            readFraction()
            return true
        }
        guard take(form: "####-##-##") else { return false }
        let day = rest
        guard takeAny("Tt ") else { return true }
        guard take(form: "##:##:##") else {
            rest = day
            return true
        }
        readFraction()
        if !takeAny("Zz"), takeAny("+-") { return take(form: "##:##") }
        return true
    }

    private mutating func readFraction() {
        let whole = rest
        guard takeAny("."), takeAny("0123456789") else {
            rest = whole
            return
        }
        while takeAny("0123456789") {}
    }

    // MARK: Numbers

    mutating func readNumber() -> Bool {
        for (prefix, digits) in [("0x", "0123456789abcdefABCDEF"), ("0o", "01234567"), ("0b", "01")] where take(prefix) {
            return readDigits(digits)
        }
        _ = takeAny("+-")
        if take("inf") || take("nan") { return true }
        guard take("0") || readDigits("0123456789") else { return false }
        if take("."), !readDigits("0123456789") { return false }
        guard takeAny("eE") else { return true }
        _ = takeAny("+-")
        return readDigits("0123456789")
    }

    /// Of which underscores may stand between two.
    private mutating func readDigits(_ digits: String) -> Bool {
        repeat { guard takeAny(digits) else { return false } } while take("_") || rest.first.map(digits.utf8.contains) == true
        return true
    }

    // MARK: Bytes

    /// - Parameter form: a digit for each `#`.
    private mutating func take(form: String) -> Bool {
        let isThere = rest.prefix(form.utf8.count).elementsEqual(form.utf8) { byte, place in
            place == UInt8(ascii: "#") ? "0123456789".utf8.contains(byte) : byte == place
        }
        if isThere { rest = rest.dropFirst(form.utf8.count) }
        return isThere
    }

    private mutating func take(_ text: String) -> Bool {
        guard rest.starts(with: text.utf8) else { return false }
        rest = rest.dropFirst(text.utf8.count)
        return true
    }

    private mutating func takeAny(_ bytes: String) -> Bool {
        guard let first = rest.first, bytes.utf8.contains(first) else { return false }
        rest = rest.dropFirst()
        return true
    }
}
