/// An upstream's own words about an error, made fit for a caller: at most 1 KiB, without control characters, keys masked.
enum ErrorWords {
    /// Of a message.
    private static let bytesMax = 1024
    /// Of a type, a code or a parameter's path.
    private static let nameBytesMax = 128
    /// What is looked at, so that no key that begins within the limit is cut before it is known to be one.
    private static let readBytesMax = 4096
    /// Of a page, most of which is no text.
    private static let pageBytesMax = 1 << 16
    /// How many elements of a list, or texts of an object, are looked at.
    static let elementsMax = 16
    /// How many members of an object are looked at.
    static let membersMax = 1024
    /// How many values are looked at in all.
    private static let valuesMax = 256
    /// How many lists and objects deep a reason may lie.
    private static let depthMax = 6

    /// The text of a value, or the texts in it; nil when there are none.
    static func text(of value: JSONValue?, in document: Span<UInt8>) -> String? {
        guard let value else { return nil }
        var (words, valuesLeft) = ([UInt8](), valuesMax)
        append(value, in: document, depthMax, &valuesLeft, to: &words)
        return fit(words, bytesMax: bytesMax)
    }

    /// A short text, or a number as text.
    static func name(_ value: JSONValue?, in document: Span<UInt8>) -> String? {
        switch value?.kind {
        case .string:
            value.flatMap { fit(JSONText.bytes($0.range, in: document, countMax: readBytesMax), bytesMax: nameBytesMax) }
        case .number: value?.integer(in: document).map { "\($0)" }
        default: nil
        }
    }

    /// The text of a body that is no JSON: as it stands, or what is between the tags of a page.
    static func text(ofPage body: Span<UInt8>) -> String? {
        var start = body.bytes(in: 0..<min(body.count, pageBytesMax))
        // The last character may be cut where the looking ends.
        if body.count > pageBytesMax, let last = start.lastIndex(where: { $0 & 0xC0 != 0x80 }),
            String(validating: start[last...], as: UTF8.self) == nil
        {
            start.removeSubrange(last...)
        }
        guard String(validating: start, as: UTF8.self) != nil, let first = start.first(where: { $0 > UInt8(ascii: " ") }) else {
            return nil
        }
        return fit(first == UInt8(ascii: "<") ? betweenTags(start) : start, bytesMax: bytesMax)
    }

    /// What shows nothing, and how its end begins.
    private static let hiddenParts = [("style", "</style"), ("script", "</script"), ("!--", "-->")]

    private static func betweenTags(_ page: [UInt8]) -> [UInt8] {
        var words: [UInt8] = []
        var rest = page[...]
        while let open = rest.firstIndex(of: UInt8(ascii: "<")) {
            words += rest[..<open] + [UInt8(ascii: " ")]
            rest = rest[open...]
            for (hidden, end) in hiddenParts
            where rest.dropFirst().prefix(hidden.utf8.count).isEqualIgnoringCase(to: hidden) {
                while !rest.isEmpty, !rest.prefix(end.utf8.count).isEqualIgnoringCase(to: end) { rest = rest.dropFirst() }
            }
            guard let close = rest.firstIndex(of: UInt8(ascii: ">")) else { return words }
            rest = rest[(close + 1)...]
        }
        return words + rest
    }

    // MARK: Finding them

    /// The names under which a reason stands, the most telling first.
    private static let reasons: [ErrorMembers.Name] = [
        .message, .msg, .detail, .errorMessage, .statusMessage, .error, .errors, .description, .reason, .title,
    ]

    private static func append(
        _ value: JSONValue, in document: Span<UInt8>, _ depthLeft: Int, _ valuesLeft: inout Int, to words: inout [UInt8]
    ) {
        guard depthLeft > 0, valuesLeft > 0, words.count < readBytesMax else { return }
        valuesLeft -= 1
        switch value.kind {
        case .string:
            guard value.saysAnything(in: document) else { return }
            if !words.isEmpty { words.append("; ") }
            words += JSONText.bytes(value.range, in: document, countMax: readBytesMax)
        case .array:
            for element in value.elements(in: document, countMax: elementsMax) {
                append(element, in: document, depthLeft - 1, &valuesLeft, to: &words)
            }
        case .object:
            let (members, count) = (ErrorMembers(value, in: document), words.count)
            for reason in reasons where words.count == count {
                members[reason].map { append($0, in: document, depthLeft - 1, &valuesLeft, to: &words) }
            }
            if words.count == count {
                for text in members.others { append(text, in: document, depthLeft - 1, &valuesLeft, to: &words) }
            } else {
                appendLocation(members[.location], in: document, to: &words)
            }
        default: break
        }
    }

    /// FastAPI's list of names and numbers, which says where a fault lies.
    private static func appendLocation(_ location: JSONValue?, in document: Span<UInt8>, to words: inout [UInt8]) {
        let names = location?.elements(in: document, countMax: elementsMax).compactMap { name($0, in: document) } ?? []
        if !names.isEmpty { words.append(" (\(names.joined(separator: ".")))") }
    }

    // MARK: Making them fit

    /// Without control characters and with keys masked; nil when nothing is left.
    private static func fit(_ text: [UInt8], bytesMax: Int) -> String? {
        var words = withoutControls(text.prefix(readBytesMax))
        // Where blank space has gone, the end of what was looked at shows: a key that is cut there may be like none.
        if text.count >= readBytesMax, words.count <= bytesMax {
            while let last = words.last, last != UInt8(ascii: " ") { words.removeLast() }
            if !words.isEmpty { words.append("…") }
        }
        words = masked(words)
        if words.count > bytesMax {
            // The first byte of a character is none that continues one.
            var end = bytesMax - "…".utf8.count
            while end > 0, words[end] & 0xC0 == 0x80 { end -= 1 }
            words = Array(words[..<end])
            words.append("…")
        }
        return words.isEmpty ? nil : String(decoding: words, as: UTF8.self)
    }

    /// Each run of control characters and spaces becomes one space, and none is left at the ends.
    private static func withoutControls(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var words: [UInt8] = []
        words.reserveCapacity(text.count)
        var (index, hasGap) = (text.startIndex, false)
        while index < text.endIndex {
            let byte = text[index]
            let isC1 = byte == 0xC2 && index + 1 < text.endIndex && text[index + 1] < 0xA0
            if byte <= UInt8(ascii: " ") || byte == 0x7F || isC1 {
                hasGap = !words.isEmpty
                index += isC1 ? 2 : 1
                continue
            }
            if hasGap { words.append(UInt8(ascii: " ")) }
            words.append(byte)
            (hasGap, index) = (false, index + 1)
        }
        return words
    }

    /// Whether an object can go out as it stands: nothing in it is a control character, also behind an escape, or is like a key.
    static func areFit(_ object: [UInt8]) -> Bool {
        for (index, byte) in object.enumerated() where byte == UInt8(ascii: "\\") && index + 1 < object.count {
            switch object[index + 1] {
            case UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"): return false
            // Whether it is the second half of an escaped backslash is not worth knowing.
            case UInt8(ascii: "u") where object[(index + 2)...].starts(with: [0x30, 0x30]):
                let digits = object[(index + 4)...].prefix(2)
                if let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16),
                    value < 0x20 || (0x7F..<0xA0).contains(value)
                {
                    return false
                }
            default: break
            }
        }
        let hasC1 = zip(object, object.dropFirst()).contains { $0 == 0xC2 && $1 < 0xA0 }
        let text = unescaped(object)
        return !object.contains(0x7F) && !hasC1 && masked(text) == text
    }

    /// The texts of a validated object as they are read, with all that stands between them: `\/` is a slash.
    static func unescaped(_ object: [UInt8]) -> [UInt8] { JSONText.bytes(object.indices, in: object.span) }

    // MARK: Keys

    private static let mask = [UInt8]("***".utf8)
    /// How the keys of well-known services begin.
    private static let keyPrefixes = [
        "sk-", "sk_", "pk-", "pk_", "rk_", "gsk_", "xai-", "csk-", "nvapi-", "pplx-", "hf_", "r8_", "fw_", "tgp_", "key-", "key_",
        "api-",
        "AIza", "AKIA", "eyJ", "ghp_",
    ].map { [UInt8]($0.utf8) }
    /// As many letters and digits in a row, of both kinds, are no word.
    private static let randomBytesMin = 32
    private static let keyBytesMin = 11

    /// Whatever is like a key becomes `***`: a word that begins as keys do, what stands behind `Bearer`, a long run of letters
    /// and digits, and the user's part of a URL.
    private static func masked(_ words: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(words.count)
        var rest = words[...]
        while let first = rest.first {
            if result.suffix(3).elementsEqual("://".utf8), let userPart = userPart(of: rest) {
                result += mask
                rest = rest[userPart.endIndex...]
                continue
            }
            guard first.isKeyByte else {
                result.append(first)
                rest = rest.dropFirst()
                continue
            }
            let word = rest.prefix { $0.isKeyByte }
            rest = rest[word.endIndex...]
            result += isKey(word) || isCredential(word, behind: result) ? mask[...] : word
        }
        return result
    }

    /// Whether a name has a word in it that is like a key.
    static func holdsKey(_ name: String) -> Bool {
        guard name.utf8.count >= keyBytesMin else { return false }
        return Array(name.utf8).split { !$0.isKeyByte }.contains(where: isKey)
    }

    private static func isKey(_ word: ArraySlice<UInt8>) -> Bool {
        if word.count >= keyBytesMin, keyPrefixes.contains(where: { word.starts(with: $0) }) { return true }
        return word.split { !$0.isAlphanumeric() }.contains { run in
            run.count >= randomBytesMin && run.contains { $0.isDigit } && run.contains { !$0.isDigit }
        }
    }

    private static func isCredential(_ word: ArraySlice<UInt8>, behind words: [UInt8]) -> Bool {
        word.count >= 6 && ["bearer ", "basic "].contains { words.suffix($0.utf8.count).isEqualIgnoringCase(to: $0) }
    }

    /// Of `https://USER:SECRET@HOST`, from behind the slashes on, what stands ahead of the at sign.
    private static func userPart(of rest: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let authority = rest.prefix { $0 > UInt8(ascii: " ") && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\"") }
        return authority.lastIndex(of: UInt8(ascii: "@")).map { authority[..<$0] }
    }

    /// A text without the secrets in it, or a part of one where it was cut.
    static func masked(_ text: String, _ secrets: [[UInt8]]) -> String {
        let text = withoutCutSecret(text, secrets)
        guard hold(Array(text.utf8), secrets) else { return text }
        var (result, rest) = ([UInt8](), [UInt8](text.utf8)[...])
        while let first = rest.first {
            if let secret = secrets.first(where: { !$0.isEmpty && rest.starts(with: $0) }) {
                result += mask
                rest = rest.dropFirst(secret.count)
            } else {
                result.append(first)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func withoutCutSecret(_ text: String, _ secrets: [[UInt8]]) -> String {
        let bytes = Array(text.utf8)
        guard bytes.suffix("…".utf8.count).elementsEqual("…".utf8) else { return text }
        let kept = bytes.dropLast("…".utf8.count)
        let cut = secrets.map { secret in
            (1..<max(secret.count, 1)).last { kept.suffix($0).elementsEqual(secret.prefix($0)) } ?? 0
        }
        guard let count = cut.max(), count > 0 else { return text }
        let whole = Array(kept.prefix(kept.count - count))
        return String(decoding: whole + mask + [UInt8]("…".utf8), as: UTF8.self)
    }

    /// Whether any of the secrets stands in a text.
    static func hold(_ text: [UInt8], _ secrets: [[UInt8]]) -> Bool { secrets.contains { holds(text, $0) } }

    /// Whether a secret stands in a text.
    static func holds(_ text: [UInt8], _ secret: [UInt8]) -> Bool {
        !secret.isEmpty && text.indices.contains { text[$0] == secret[0] && text[$0...].starts(with: secret) }
    }
}

extension UInt8 {
    fileprivate var isKeyByte: Bool { isAlphanumeric(or: "-_") }
}
