// The server's own message, which goes out ahead of the caller's (contract §2).

/// A message of the server's own, for all requests of a route.
package struct ServerPrompt: Sendable {
    /// How long the text in a placeholder may be, in Unicode's scalars. Of a longer one that is the beginning.
    package static let valueScalarsMax = 256

    private let template: PromptTemplate
    private let paths: RequestPaths
    private let role: String
    private let replaces: Bool

    /// - Parameters:
    ///   - role: of the message.
    ///   - replaces: whether it takes the place of the caller's leading messages of `system` and `developer`.
    package init(_ template: PromptTemplate, role: String, replaces: Bool) {
        (self.template, self.role, self.replaces) = (template, role, replaces)
        paths = RequestPaths(template.paths)
    }

    /// What one request gets; nil where nothing is said, since some servers refuse a message without a text.
    ///
    /// - Parameter variables: what is not in its body.
    package func message(for chat: ChatRequest, _ variables: PromptVariables) -> OwnMessage? {
        var values = paths.values(in: chat)[...]
        var json: [UInt8] = []
        json.append(#"{"role":"#)
        json.appendJSONString(role)
        json.append(#","content":""#)
        let start = json.count
        for part in template.parts {
            switch part {
            case .text(let text): json.append(contentsOf: text)
            case .placeholder(let source, let standard):
                let text =
                    switch source {
                    case .date: variables.date
                    case .time: variables.time
                    case .client: variables.client.map(Self.beginning)
                    case .call: variables.call.map(Self.beginning)
                    case .value: values.popFirst()?.flatMap { Self.text(of: $0, in: chat.body.span) }
                    }
                if let text, !text.isEmpty { json.appendEscaped(text) } else { json.append(contentsOf: standard) }
            }
        }
        guard json.count > start else { return nil }
        json.append(#""}"#)
        return OwnMessage(json: json, replaces: replaces)
    }

    /// A string without its escapes, a number or a literal as it is written; nil for all else. Of a number the beginning would be another.
    private static func text(of value: JSONValue, in document: Span<UInt8>) -> String? {
        switch value.kind {
        case .object, .array, .null: return nil
        case .number, .true, .false: return value.range.count <= valueScalarsMax ? document.text(in: value.range) : nil
        case .string:
            // As many bytes as the scalars may have.
            let bytes = JSONText.bytes(value.range, in: document, countMax: 4 * valueScalarsMax)
            var text = String(decoding: bytes, as: UTF8.self)
            // The last one may have been cut.
            if bytes.count >= 4 * valueScalarsMax, text.unicodeScalars.last?.value == 0xFFFD { text.unicodeScalars.removeLast() }
            return beginning(of: text)
        }
    }

    private static func beginning(of text: String) -> String {
        var beginning = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars where !scalar.breaksText {
            guard count < valueScalarsMax else { break }
            beginning.append(scalar)
            count += 1
        }
        return String(beginning)
    }
}

/// What a prompt may say of a request that its body does not.
package struct PromptVariables: Sendable {
    /// As `2026-11-30`, in UTC.
    package var date: String
    /// As `08:30`, in UTC.
    package var time: String
    /// The web server's name of the caller.
    package var client: String?
    /// The platform's id of the call.
    package var call: String?

    package init(date: String, time: String, client: String?, call: String?) {
        (self.date, self.time, self.client, self.call) = (date, time, client, call)
    }
}

/// The server's own message, as one request has it.
package struct OwnMessage: Sendable {
    /// The whole message.
    package let json: [UInt8]
    /// Whether it takes the place of the caller's leading messages of `system` and `developer`.
    let replaces: Bool
}

/// The messages that go out.
struct OutgoingMessages {
    /// What stands ahead of the caller's; nothing where these are all.
    let opening: [UInt8]
    /// The caller's: the whole array, or behind an opening what is left of it, up to its end.
    let callers: Range<Int>

    init(_ messages: JSONValue, behind own: OwnMessage?, in document: Span<UInt8>) {
        guard let own else {
            (opening, callers) = ([], messages.range)
            return
        }
        let start = messages.leading({ own.replaces && $0.isInstruction(in: document) }, in: document).next
        var opening: [UInt8] = []
        opening.reserveCapacity(own.json.count + 2)
        opening.append("[")
        opening.append(contentsOf: own.json)
        callers = start..<messages.range.upperBound
        if callers.count > 1 { opening.append(",") }
        self.opening = opening
    }
}

extension JSONValue {
    /// Whether a message is one of `system` or `developer`.
    func isInstruction(in document: Span<UInt8>) -> Bool {
        guard let role = member("role", in: document), role.kind == .string else { return false }
        return JSONText.isEqual(role.range, to: "system", in: document)
            || JSONText.isEqual(role.range, to: "developer", in: document)
    }

    /// Of the elements of a kind that an array begins with: where the last of them ends, or the array's bracket if there is none, and where
    /// the element behind them begins, or the array's bracket closes.
    func leading(_ isOfKind: (JSONValue) -> Bool, in document: Span<UInt8>) -> (end: Int, next: Int) {
        var end = range.lowerBound + 1
        var next = ValidatedJSON.next(from: end, in: document)
        while next < range.upperBound, let element = ValidatedJSON.value(from: next, in: document), isOfKind(element) {
            end = element.range.upperBound
            next = ValidatedJSON.next(from: end, in: document)
        }
        return (end, next)
    }
}

extension Unicode.Scalar {
    /// Whether it is a control character, or ends a line or a paragraph.
    fileprivate var breaksText: Bool { value < 0x20 || (0x7F...0x9F).contains(value) || value == 0x2028 || value == 0x2029 }
}
