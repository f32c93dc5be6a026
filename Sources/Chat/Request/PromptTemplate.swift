// A text of the settings with places that each request fills in.

/// What the server says to a model on its own account, as the settings have it.
///
///     You speak with ${customer.name|a caller}. Today is ${date}.
///
/// A placeholder is filled in once: what a request puts there is text, whatever it looks like.
package struct PromptTemplate: Equatable, Sendable {
    /// How many placeholders there may be.
    package static let placeholdersMax = 64

    /// What stands in a placeholder.
    enum Source: Hashable, Sendable {
        case date, time, client, call
        /// A value of the request's body.
        case value(RequestPath)
    }

    enum Part: Equatable, Sendable {
        case text([UInt8])
        /// - Parameter standard: what stands there where the request has nothing.
        case placeholder(Source, standard: [UInt8])
    }

    /// In their order; texts are as JSON has them between its quotes.
    let parts: [Part]
    /// How long the text is, as it was written.
    package let byteCount: Int

    /// The paths in it, each as often as it stands there.
    package var paths: [RequestPath] {
        parts.compactMap { if case .placeholder(.value(let path), _) = $0 { path } else { nil } }
    }
}

/// Why a text cannot be a template.
package struct PromptTemplateError: Error, Equatable, CustomStringConvertible {
    enum Reason {
        case controlCharacter, unclosed, nested, noName, tooMany
    }

    let reason: Reason
    /// From 1, in the text.
    let line: Int

    /// A phrase that follows the name of what holds the text. It quotes nothing.
    package var description: String {
        switch reason {
        case .controlCharacter: "has a control character in its line \(line)"
        case .unclosed: "has a '${' without a '}' in its line \(line)"
        case .nested: "has a '${' inside of another in its line \(line)"
        case .noName:
            "has a '${' in its line \(line) that is followed by no path such as customer.name, and by none of date, time, client and "
                + "call; a '${' itself is written '$${'"
        case .tooMany: "has more than \(PromptTemplate.placeholdersMax) placeholders"
        }
    }
}

extension PromptTemplate {
    /// - Parameter text: `${NAME}` and `${NAME|DEFAULT}` are placeholders, `$${` stands for `${`. Line breaks at its end are left out.
    package init(_ text: String) throws(PromptTemplateError) {
        byteCount = text.utf8.count
        var rest = text.utf8[...]
        while let last = rest.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { rest.removeLast() }
        var (parts, literal, line, count) = ([Part](), [UInt8](), 1, 0)
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\n") { line += 1 }
            guard byte.mayStandInPrompt else { throw PromptTemplateError(reason: .controlCharacter, line: line) }
            if byte == UInt8(ascii: "$"), rest.starts(with: "${".utf8) {
                literal += "${".utf8
                rest = rest.dropFirst(2)
            } else if byte == UInt8(ascii: "$"), rest.first == UInt8(ascii: "{") {
                guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else {
                    throw PromptTemplateError(reason: .unclosed, line: line)
                }
                count += 1
                guard count <= Self.placeholdersMax else { throw PromptTemplateError(reason: .tooMany, line: line) }
                if !literal.isEmpty { parts.append(.text(Self.escaped(exchange(&literal, with: [])))) }
                parts.append(try Self.placeholder(rest[..<end].dropFirst(), &line))
                rest = rest[end...].dropFirst()
            } else {
                literal.append(byte)
            }
        }
        if !literal.isEmpty { parts.append(.text(Self.escaped(literal))) }
        self.parts = parts
    }

    /// - Parameter inner: what stands between the braces.
    private static func placeholder(_ inner: Substring.UTF8View, _ line: inout Int) throws(PromptTemplateError) -> Part {
        let name = inner.prefix { $0 != UInt8(ascii: "|") }
        let standard = inner[name.endIndex...].dropFirst()
        for (byte, next) in zip(inner, inner.dropFirst()) where byte == UInt8(ascii: "$") && next == UInt8(ascii: "{") {
            throw PromptTemplateError(reason: .nested, line: line)
        }
        guard let source = source(name) else { throw PromptTemplateError(reason: .noName, line: line) }
        for byte in standard {
            if byte == UInt8(ascii: "\n") { line += 1 }
            guard byte.mayStandInPrompt else { throw PromptTemplateError(reason: .controlCharacter, line: line) }
        }
        return .placeholder(source, standard: escaped(Array(standard)))
    }

    private static func source(_ name: Substring.UTF8View) -> Source? {
        for (own, source) in [("date", Source.date), ("time", .time), ("client", .client), ("call", .call)]
        where name.elementsEqual(own.utf8) {
            return source
        }
        return RequestPath("\(Substring(name))").map(Source.value)
    }

    /// As JSON has it between its quotes.
    private static func escaped(_ text: [UInt8]) -> [UInt8] {
        var json: [UInt8] = []
        json.appendEscaped(String(decoding: text, as: UTF8.self))
        return json
    }
}

extension UInt8 {
    /// Whether it is no control character, or one that breaks or indents lines.
    fileprivate var mayStandInPrompt: Bool {
        self >= 0x20 && self != 0x7F || self == UInt8(ascii: "\n") || self == UInt8(ascii: "\r") || self == UInt8(ascii: "\t")
    }
}
