/// What a hook says of a request that is about to be answered.
package enum HookAnswer: Hashable, Sendable {
    /// It has nothing to say.
    case goOn
    case putIn(HookMessages)
    /// This is the answer; no model is asked.
    case say(String)
    /// There is none.
    case deny(status: Int, message: String?)

    /// How long it may be.
    package static let bytesMax = 256 << 10
    /// How many messages it may put in, ahead and behind together.
    package static let messagesMax = 64
    /// What a refusal may have, which is the caller's doing.
    package static let statuses = 400...499
    /// Of a refusal that names none.
    private static let standardStatus = 403
}

/// Why something is no hook's answer: a phrase for the log that has nothing of the answer in it.
package enum HookNonsense: String, Error, CaseIterable {
    case notJSON = "it is no JSON, or is nested too deep"
    case notAnObject = "it is no object"
    case unknownMember = "it has a member twice, or one besides prepend, append, say and deny"
    case contradiction = "it wants more than one thing: messages, say or deny"
    case notMessages = "prepend and append must be arrays of messages, each an object with a role"
    case tooManyMessages = "it has more than 64 messages"
    case notText = "say must be text"
    case notDenial = "deny must be an object with a status from 400 to 499 and a message"
}

extension HookAnswer {
    private enum Member: String, CaseIterable {
        case prepend, append, say, deny
    }

    /// Reads the body of an answer. A member that is null counts as none.
    ///
    /// Whatever else it has makes it nonsense: of a guard's answer that was misspelt no half may hold.
    ///
    /// - Parameter depthMax: how many objects and arrays may be open at once.
    package init(body: [UInt8], depthMax: Int) throws(HookNonsense) {
        let members = try Self.members(of: body, depthMax: depthMax)
        let (prepend, append) = (members[.prepend], members[.append])
        let putsIn = prepend != nil || append != nil
        switch (members[.say], members[.deny]) {
        case (nil, nil): self = try Self.messages(prepend, append, of: body)
        case (let said?, nil) where !putsIn:
            guard let text = said.string(in: body.span) else { throw .notText }
            self = .say(text)
        case (nil, let denial?) where !putsIn: self = try Self.denial(denial, in: body.span)
        default: throw .contradiction
        }
    }

    /// Those that are there and not null.
    private static func members(of body: [UInt8], depthMax: Int) throws(HookNonsense) -> [Member: JSONValue] {
        let object: JSONValue
        do throws(JSONError) { object = try JSONScanner.validate(body.span, depthMax: depthMax) } catch { throw .notJSON }
        guard object.kind == .object else { throw .notAnObject }
        var (members, isKnown): ([Member: JSONValue], Bool) = ([:], true)
        object.forEachMember(in: body.span, countMax: Member.allCases.count + 1) { member in
            let name = Member.allCases.first { JSONText.isEqual(member.name, to: $0.rawValue, in: body.span) }
            guard let name, members.updateValue(member.value, forKey: name) == nil else { return isKnown = false }
        }
        guard isKnown else { throw .unknownMember }
        return members.filter { $0.value.kind != .null }
    }

    private static func messages(
        _ prepend: JSONValue?, _ append: JSONValue?, of body: [UInt8]
    ) throws(HookNonsense) -> HookAnswer {
        var countLeft = messagesMax
        let prepended = try elements(of: prepend, in: body, &countLeft)
        let appended = try elements(of: append, in: body, &countLeft)
        if prepended.isEmpty, appended.isEmpty { return .goOn }
        return .putIn(HookMessages(prepended: prepended, appended: appended))
    }

    /// What stands between the brackets of an array of messages; nothing where it has none.
    ///
    /// - Parameter countLeft: how many there may be, which becomes how many more there may be.
    private static func elements(
        of array: JSONValue?, in body: [UInt8], _ countLeft: inout Int
    ) throws(HookNonsense) -> ArraySlice<UInt8> {
        guard let array else { return [] }
        guard array.kind == .array else { throw .notMessages }
        let count = array.elements(in: body.span, countMax: countLeft + 1).count
        guard count <= countLeft else { throw .tooManyMessages }
        guard count > 0 else { return [] }
        guard RequestReader.areMessages(array, in: body.span) else { throw .notMessages }
        countLeft -= count
        return body[array.range.lowerBound + 1..<array.range.upperBound - 1]
    }

    private static func denial(_ denial: JSONValue, in document: Span<UInt8>) throws(HookNonsense) -> HookAnswer {
        guard denial.kind == .object else { throw .notDenial }
        let (status, message) = (denial.member("status", in: document), denial.member("message", in: document))
        var number: Int? = standardStatus
        if let status, status.kind != .null { number = status.integer(in: document) }
        guard let number, statuses.contains(number) else { throw .notDenial }
        guard let message, message.kind != .null else { return .deny(status: number, message: nil) }
        guard let text = message.string(in: document) else { throw .notDenial }
        // As much as of an upstream's words.
        let words = String(decoding: text.utf8.prefix(1024), as: UTF8.self)
        return .deny(status: number, message: words.isEmpty ? nil : words)
    }
}
