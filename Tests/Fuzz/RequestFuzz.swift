// Whatever a caller asks: JSON is what RFC 8259 says, and what goes to the upstream is a request with nothing changed that is not to
// be changed.

import Chat

/// The first byte chooses the rules of the upstream.
func feedRequest(_ input: [UInt8]) {
    guard input.count > 1 else { return }
    let document = input[1...]
    let plain = checkScanner(Array(document))
    do throws(ChatError) {
        let request = try ChatRequest(body: Array(document), depthMax: 64)
        guard let plain, plain.isObject else { fatalError("accepted, and no JSON object") }
        readAll(request)
        for rules in [rules(input[0]), edited(rules(input[0]))] {
            check(request, plain, rules)
            checkPrompt(request, rules)
        }
    } catch {
        require(error.status == 400, "status \(error.status)")
        require(PlainJSON(error.body)?["error"]?["message"]?.string?.isEmpty == false, "no error: \(text(error.body))")
    }
    if isLong(input) { feedLong(document, input[0]) }
}

private func checkScanner(_ document: [UInt8]) -> PlainJSON? {
    let plain = PlainJSON(document, depthMax: 64)
    do throws(JSONError) {
        let value = try JSONScanner.validate(document.span, depthMax: 64)
        guard let plain else { fatalError("accepted, and no JSON") }
        require(document[value.range] == plain.bytes, "another value")
        let members = value.members(in: document.span)
        require(members.count == plain.members.count, "other members")
        for (member, plain) in zip(members, plain.members) {
            require(document[member.value.range] == plain.value.bytes, "another member")
            require(Array(JSONText.decode(member.name, in: document.span).utf8) == plain.name, "another name")
            let name = String(decoding: plain.name, as: UTF8.self)
            require(JSONText.isEqual(member.name, to: name, in: document.span), "a name that is not its own")
        }
        require(
            value.elements(in: document.span).map { document[$0.range] } == (plain.elements ?? []).map(\.bytes), "other elements")
        require(value.string(in: document.span).map { Array($0.utf8) } == plain.string, "another text")
    } catch {
        require(plain == nil, "refused, and JSON: \(error)")
        require(error.offset <= document.count, "an error behind the end")
    }
    return plain
}

/// A message over and over, and a member.
private func feedLong(_ part: ArraySlice<UInt8>, _ flags: UInt8) {
    for (start, separator, end) in [("{\"messages\":[", ",", "]}"), ("{\"messages\":[{}],", ",", "}"), ("", "", "")] {
        var long = [UInt8](start.utf8)
        while long.count + part.count + 2 <= 1 << 16 { long += part + Array(separator.utf8) }
        if !separator.isEmpty, long.last == UInt8(ascii: ",") { long.removeLast() }
        long += end.utf8
        do throws(ChatError) {
            let request = try ChatRequest(body: long, depthMax: 64)
            readAll(request)
            _ = request.upstreamBody(edited(rules(flags)))
        } catch {
            _ = error.body
        }
    }
}

private let paths = ["a", "a.b", "a.b.c", "call.id", "metadata.a", "messages.a", "user"].compactMap(RequestPath.init)
private let requestPaths = RequestPaths(paths)

private func readAll(_ request: ChatRequest) {
    for text in requestPaths.texts(in: request) { require((text?.utf8.count ?? 0) <= 1024, "a long text at a path") }
    _ = (request.lastUserMessage, request.endsWithUser, request.wantsReasoning, request.maxTokens, request.includeUsage)
    require((1...128).contains(request.choicesCount) || request.choicesCount > 128, "no choices")
    require(request.toolNames.count <= 256, "more tools than are looked at")
    require((request.model?.utf8.count ?? 1) <= 256, "a long model")
}

/// Made anew each time: what a global refers to by one of several cases looks like a leak.
private func prompt() -> ServerPrompt {
    do throws(PromptTemplateError) {
        return ServerPrompt(try PromptTemplate("${a|x} ${a.b}\n${call.id|\"} ${user} ${call}"), role: "system", replaces: true)
    } catch { fatalError("no template: \(error)") }
}

/// The server's own message is one, whatever the request puts into it, and stands where it belongs.
private func checkPrompt(_ request: ChatRequest, _ rules: UpstreamRules) {
    guard let own = prompt().message(for: request, PromptVariables(date: "", time: "", client: nil, call: "\"")) else {
        fatalError("a text of its own says something")
    }
    require(PlainJSON(own.json, depthMax: 2)?["content"]?.string != nil, "no message: \(text(own.json))")
    var request = request
    request.ownMessage = own
    let sent = PlainJSON(request.upstreamBody(rules).bytes, depthMax: 65)?["messages"]?.elements
    require(sent?.first?.bytes.elementsEqual(own.json) == true, "the own message is not the first")
}

// MARK: Rules

private func rules(_ flags: UInt8) -> UpstreamRules {
    var rules = UpstreamRules()
    rules.passesAll = flags & 1 != 0
    rules.messages = flags & 2 != 0 ? .allButAddedByHume : .known
    rules.asksForUsage = flags & 4 != 0
    rules.obfuscation = flags & 8 != 0 ? false : nil
    rules.model = flags & 16 != 0 ? "mod\"el" : nil
    rules.defaultModel = "default"
    return rules
}

private func edited(_ rules: UpstreamRules) -> UpstreamRules {
    var (rules, edits) = (rules, ParameterEdits())
    rules.addedParameters = ["top_k", ""]
    edits.renamed = [.init("max_tokens", to: "max_completion_tokens"), .init("x", to: "y")]
    edits.dropped = ["temperature"]
    edits.defaults = [.init("top_p", json: [UInt8]("0.5".utf8))]
    edits.set = [.init("seed", json: [UInt8]("[7]".utf8))]
    rules.edits = [edits]
    return rules
}

/// What a rule, or a default of Sluice's, may have written instead of the caller.
private let written = ["model", "stream", "stream_options", "messages", "user", "max_completion_tokens", "top_p", "seed", "y"]
/// What goes through under every rule.
private let plainParameters = ["frequency_penalty", "logit_bias", "n", "prediction", "response_format", "stop", "verbosity"]
private let knownOfMessages = ["role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio", "function_call"]

private func check(_ request: ChatRequest, _ source: PlainJSON, _ rules: UpstreamRules) {
    let body = request.upstreamBody(rules).bytes
    guard let sent = PlainJSON(body, depthMax: 65), sent.isObject else { fatalError("no JSON goes out: \(text(body))") }
    let names = sent.members.map { $0.name }
    require(Set(names).count == names.count, "a name goes out twice: \(text(body))")
    for (name, value) in sent.members where !written.contains(text(name)) {
        require(value.bytes == source.members.last { $0.name == name }?.value.bytes, "changed: \(text(body))")
    }
    for name in ["api_base", "base_url", "api_key"] { require(sent[name] == nil, "\(name) goes out") }
    for name in plainParameters {
        require(sent[name]?.bytes == source[name]?.bytes, "\(name) is not the caller's: \(text(body))")
    }
    if let model = rules.model { require(sent["model"]?.string.map { text($0) } == model, "another model") }
    if request.isStreaming { require(sent["stream"]?.bytes.elementsEqual("true".utf8) == true, "no stream is asked for") }
    checkOptions(sent["stream_options"], source["stream_options"], request, rules)
    checkMessages(sent["messages"]?.elements ?? [], source["messages"]?.elements ?? [], rules)
}

private func checkOptions(_ sent: PlainJSON?, _ source: PlainJSON?, _ request: ChatRequest, _ rules: UpstreamRules) {
    guard request.isStreaming else { return require(sent?.bytes == source?.bytes, "options of no stream are changed") }
    for (name, wanted) in [("include_usage", rules.asksForUsage ? true : nil), ("include_obfuscation", rules.obfuscation)] {
        let callers = source?[name].flatMap { $0.isNull ? nil : $0 }
        guard let wanted else { continue }
        require(
            sent?[name]?.bytes.elementsEqual(callers?.bytes ?? Array("\(wanted)".utf8)[...]) == true, "\(name) is not asked for")
    }
    for (name, value) in source?.members ?? [] where !text(name).hasPrefix("include_") {
        require(sent?.members.contains { $0.name == name && $0.value.bytes == value.bytes } == true, "an option is lost")
    }
}

private func checkMessages(_ sent: [PlainJSON], _ source: [PlainJSON], _ rules: UpstreamRules) {
    require(!sent.isEmpty && sent.count == source.count, "\(sent.count) of \(source.count) messages go out")
    for (sent, source) in zip(sent, source) {
        let names = source.members.map { $0.name }
        let isVariant = { (name: [UInt8]) in
            knownOfMessages.contains(text(name).lowercased()) && !knownOfMessages.contains(text(name))
        }
        let sentNames = sent.members.map { $0.name }
        require(Set(sentNames).count == sentNames.count, "a member goes out twice: \(text(sent.bytes))")
        require(!sentNames.contains(where: isVariant), "a member goes out under another's name: \(text(sent.bytes))")
        if rules.passesAll, Set(names).count == names.count, !names.contains(where: isVariant) {
            require(sent.bytes == source.bytes, "a message is changed")
            continue
        }
        let isKept = { (name: [UInt8]) in
            rules.passesAll
                ? !isVariant(name)
                : rules.messages == .known
                    ? knownOfMessages.contains(text(name)) : !["time", "models"].contains(text(name)) && !isVariant(name)
        }
        require(sent.members.allSatisfy { isKept($0.name) }, "a message goes out with \(text(sent.bytes))")
        for (name, _) in source.members where isKept(name) {
            let (value, callers) = (sent[text(name)], source[text(name)])
            require(value?.bytes == callers?.bytes, "a message's member is changed: \(text(sent.bytes))")
        }
    }
}
