/// Messages that a hook puts among a caller's: objects of JSON with commas between them, as they came; empty where there are none.
package struct HookMessages: Hashable, Sendable {
    /// What stands ahead of the caller's messages, but for those with instructions that these begin with.
    let prepended: ArraySlice<UInt8>
    /// What stands behind all of them.
    let appended: ArraySlice<UInt8>

    /// How many bytes they are.
    package var bytesCount: Int { prepended.count + appended.count }
}

extension ChatRequest {
    /// Of messages with instructions so many stay at the front.
    private static let instructionsMax = 16

    /// The same request with a hook's messages among its own, whose bytes stay as they are.
    ///
    /// What is put ahead of them stands behind the system's and the developer's with which they begin. Many servers take a system's
    /// message as the very first and nowhere else; and what each request of a call begins with stays at its front, where a cache of
    /// prompts finds it. Where the server's own message takes the place of those, they go here: the hook's are to stay.
    ///
    /// - Throws: as `init(body:depthMax:)`; not for messages of a hook's answer that was read with the same depth.
    package func adding(_ messages: HookMessages, depthMax: Int) throws(ChatError) -> ChatRequest {
        guard let own = members.value(.messages) else { return self }
        if let ownMessage, ownMessage.replaces { return try replacing(ownMessage, messages, own, depthMax: depthMax) }
        let leading = own.elements(in: body.span, countMax: Self.instructionsMax).prefix(while: isInstruction)
        let (start, end) = (leading.last?.range.upperBound ?? own.range.lowerBound + 1, own.range.upperBound - 1)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(body.count + messages.bytesCount + 2)
        bytes += body[..<start]
        if !messages.prepended.isEmpty {
            if !leading.isEmpty { bytes.append(",") }
            bytes += messages.prepended
            // The caller has at least one.
            if leading.isEmpty { bytes.append(",") }
        }
        bytes += body[start..<end]
        if !messages.appended.isEmpty {
            bytes.append(",")
            bytes += messages.appended
        }
        bytes += body[end...]
        var request = try ChatRequest(body: bytes, depthMax: depthMax)
        (request.needsUsage, request.ownMessage) = (needsUsage, ownMessage)
        return request
    }

    private func replacing(
        _ ownMessage: OwnMessage, _ messages: HookMessages, _ own: JSONValue, depthMax: Int
    ) throws(ChatError) -> ChatRequest {
        let start = own.start(ofElementsBehind: isInstruction, in: body.span)
        let parts = [messages.prepended, body[start..<own.range.upperBound - 1], messages.appended].filter { !$0.isEmpty }
        let joined = Array(parts.joined(separator: CollectionOfOne(UInt8(ascii: ","))))
        var request = try ChatRequest(
            body: body[...own.range.lowerBound] + joined + body[(own.range.upperBound - 1)...], depthMax: depthMax)
        request.needsUsage = needsUsage
        request.ownMessage = OwnMessage(json: ownMessage.json, replaces: false)
        return request
    }

    private func isInstruction(_ message: JSONValue) -> Bool { message.isInstruction(in: body.span) }
}
