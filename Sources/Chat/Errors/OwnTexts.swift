// What goes out with a request and is not its caller's.

extension ChatRequest {
    /// Whether texts go out with it that are not its caller's to read: the server's own message, a hook's, what the settings say and set.
    ///
    /// Upstreams quote requests in their errors, in whatever form, so that no words of those go on. Nobody looks whether one does: by what is
    /// withheld and what is not a caller would find the texts out word by word, with errors that quote its guesses.
    package func hasOwnTexts(_ rules: UpstreamRules) -> Bool {
        if ownMessage != nil || hasHookMessages { return true }
        if rules.edits.contains(where: \.haveText) { return true }
        guard said != nil else { return false }
        let continuation = rules.continuation
        return continuation.prompt != nil || continuation.message.contains(where: \.hasText)
            || continuation.set.contains(where: \.hasText)
    }
}

extension ParameterEdits {
    fileprivate var haveText: Bool { defaults.contains(where: \.hasText) || set.contains(where: \.hasText) }
}

extension ParameterEdits.Value {
    /// Whether a string of it is long enough to be a secret. Shorter ones are words of the API, which stand in many an error.
    fileprivate var hasText: Bool {
        guard let json else { return false }
        var offset = 0
        while let start = json[offset...].firstIndex(of: UInt8(ascii: "\"")) {
            offset = ValidatedJSON.end(ofStringAt: start, in: json.span)
            if offset - start - 2 >= 16, json[offset...].first(where: { $0 > UInt8(ascii: " ") }) != UInt8(ascii: ":") {
                return true
            }
        }
        return false
    }
}
