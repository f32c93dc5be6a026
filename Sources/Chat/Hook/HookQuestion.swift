/// Which of a caller's messages a hook is sent.
package enum HookScope: String, CaseIterable, Sendable {
    /// The last one of the user.
    case last
    /// All of them.
    case messages
}

extension ChatRequest {
    /// What a hook is asked, in parts that follow one another: joined, they are one JSON object. The messages are the caller's own bytes,
    /// where they are.
    ///
    ///     {"request":"req_…","client":"me","call":null,"model":"gpt-4o","route":"*","message":{"role":"user","content":"Hello"}}
    ///
    /// - Parameters:
    ///   - request: its id.
    ///   - client: the web server's name of the caller; nil for none.
    ///   - call: the platform's id of the call; nil for none.
    ///   - route: what the log calls the entry of `[[models]]`.
    package func hookQuestion(
        _ scope: HookScope, request: String, client: String?, call: String?, route: String
    ) -> [ArraySlice<UInt8>] {
        var head: [UInt8] = []
        head.append(#"{"request":"#)
        head.appendJSONString(request)
        for (name, text) in [("client", client), ("call", call), ("model", model), ("route", route)] {
            head.append(",\"\(name)\":")
            head.appendJSONString(text)
        }
        head.append(scope == .last ? #","message":"# : #","messages":"#)
        guard let said = scope == .last ? lastMessageOfUser : members.value(.messages) else {
            head.append("null}")
            return [head[...]]
        }
        return [head[...], body[said.range], [UInt8(ascii: "}")]]
    }
}
