/// A voice platform's id of a call, fit for a log: 1 to 64 letters, digits and `-` `_` `.` `:`, and no phone number as far as one
/// can tell.
package struct CallID: Hashable, Sendable {
    /// As it came.
    package let text: String

    /// Nil for a text of another form. A phone number is told by having no letter, also behind a scheme such as `tel:`, or by
    /// standing beside a short word, as in `x15551234567`. A UUID of 32 hexadecimal digits has more than that beside any number.
    package init?(_ text: String) {
        let bytes = text.utf8
        guard (1...64).contains(bytes.count), bytes.allSatisfy(\.isIDByte) else { return nil }
        let number = bytes.suffix { $0 != UInt8(ascii: ":") }
        guard number.contains(where: { $0.isLetter }), !bytes.holdsPhoneNumber(besidesAtMost: Self.wordBytes) else { return nil }
        self.text = text
    }

    /// As long as `conversation`.
    private static let wordBytes = 12
}

extension String.UTF8View {
    /// How many digits a phone number has (ITU-T E.164 has no longer ones).
    static let phoneNumberDigits = 8...15

    /// Whether it has the digits of a phone number in a row, with no letter between them, and few other letters and digits.
    ///
    /// - Parameter othersMax: how many.
    package func holdsPhoneNumber(besidesAtMost othersMax: Int) -> Bool {
        let count = count { $0.isLetter || $0.isDigit }
        func isNumber(_ run: Int) -> Bool { Self.phoneNumberDigits.contains(run) && count - run <= othersMax }
        var run = 0
        for byte in self {
            if byte.isDigit {
                run += 1
            } else if byte.isLetter {
                if isNumber(run) { return true }
                run = 0
            }
        }
        return isNumber(run)
    }
}

extension ChatRequest {
    /// The platform's id of the call: Vapi's `call.id`, or the conversation's id among what an ElevenLabs client adds, where its
    /// name is the integrator's choice. Nil when there is none, or none fit for a log; see ``CallID``.
    package var callID: String? {
        if let id = callID(in: .call, "id") { return id }
        return callID(in: .elevenlabs_extra_body, "conversation_id")
            ?? callID(in: .elevenlabs_extra_body, "system__conversation_id")
    }

    private func callID(in parameter: Parameter, _ name: String) -> String? {
        guard let id = members.value(parameter)?.member(name, in: body.span), id.range.count <= Self.callIDBytesMax else {
            return nil
        }
        return id.string(in: body.span).flatMap { CallID($0)?.text }
    }

    /// Of what may be one when its escapes are undone.
    private static var callIDBytesMax: Int { 6 * 64 + 2 }
}

extension UInt8 {
    /// Whether it may stand in an id: a letter, a digit, or one of `-` `_` `.` `:`.
    package var isIDByte: Bool { isAlphanumeric(or: "-_.:") }
}

extension String.UTF8View {
    /// The longest end of which every byte satisfies `predicate`.
    fileprivate func suffix(while predicate: (UInt8) -> Bool) -> Substring.UTF8View {
        guard let last = lastIndex(where: { !predicate($0) }) else { return self[...] }
        return self[index(after: last)...]
    }
}
