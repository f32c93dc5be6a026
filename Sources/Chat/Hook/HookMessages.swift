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
    /// The same request with a hook's messages among its own, whose bytes stay as they are.
    ///
    /// What is put ahead of them stands behind the system's and the developer's with which they begin. Many servers take a system's
    /// message as the very first and nowhere else; and what each request of a call begins with stays at its front, where a cache of
    /// prompts finds it. Where the server's own message takes the place of those, they go here: the hook's are to stay.
    ///
    /// - Throws: as `init(body:depthMax:)`; not for messages of a hook's answer that was read with the same depth.
    package func adding(_ messages: HookMessages, depthMax: Int) throws(ChatError) -> ChatRequest {
        guard let own = members.value(.messages) else { return self }
        let leading = own.leading({ $0.isInstruction(in: body.span) }, in: body.span)
        let (start, end) = (own.range.lowerBound + 1, own.range.upperBound - 1)
        let replaces = ownMessage?.replaces == true
        let front = replaces ? start : leading.end
        let rest = body[(replaces ? leading.next : front)..<end]
        // Only behind another message the rest has the comma that parts it from what is ahead.
        let isBehind = front > start
        var bytes: [UInt8] = []
        bytes.reserveCapacity(body.count + messages.bytesCount + 2)
        bytes += body[..<front]
        if !messages.prepended.isEmpty {
            if isBehind { bytes.append(",") }
            bytes += messages.prepended
            if !isBehind, !rest.isEmpty { bytes.append(",") }
        }
        bytes += rest
        if !messages.appended.isEmpty {
            if bytes.count > start { bytes.append(",") }
            bytes += messages.appended
        }
        bytes += body[end...]
        var request = try ChatRequest(body: bytes, depthMax: depthMax)
        request.hasHookMessages = messages.bytesCount > 0
        request.needsUsage = needsUsage
        request.ownMessage = ownMessage.map { OwnMessage(json: $0.json, replaces: false) }
        return request
    }
}
