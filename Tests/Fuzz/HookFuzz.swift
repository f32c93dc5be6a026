// Whatever a hook answers: it is no answer, or what follows from it is a request that a caller could have sent, or JSON.

import Chat

private let callers = [
    #"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}],"model":"m"}"#,
    #"{"model":"m","messages":[ {"role":"user","content":null} ] }"#,
].map { [UInt8]($0.utf8) }

func feedHook(_ input: [UInt8]) {
    let answer: HookAnswer
    do { answer = try HookAnswer(body: input, depthMax: 32) } catch { return }
    require(PlainJSON(input)?.isObject == true, "no object is taken: \(text(input))")
    switch answer {
    case .goOn: break
    case .putIn(let messages): for caller in callers { check(messages, among: caller) }
    case .say(let words):
        let completion = OwnChunks(id: "req_1", model: nil, systemFingerprint: nil, created: 0).completion(saying: words)
        let message = PlainJSON(completion)?["choices"]?.elements?.first?["message"]
        require(message?["content"]?.string == [UInt8](words.utf8), "another text: \(text(completion))")
    case .deny(let status, let message):
        let error = ChatError.denied(status: status, message: message)
        require(HookAnswer.statuses.contains(error.status), "status \(error.status)")
        let told = PlainJSON(error.body)?["error"]?["message"]?.string
        require(told?.isEmpty == false && (message == nil || told == message.map { [UInt8]($0.utf8) }), "\(text(error.body))")
    }
}

private func check(_ messages: HookMessages, among caller: [UInt8]) {
    do {
        let chat = try ChatRequest(body: caller, depthMax: 32).adding(messages, depthMax: 32)
        let (own, all) = (PlainJSON(caller)?["messages"]?.elements, PlainJSON(chat.body)?["messages"]?.elements)
        guard let own, let all else { fatalError("no messages: \(text(chat.body))") }
        require(own.count < all.count && all.count <= own.count + HookAnswer.messagesMax, "\(all.count) messages")
        require(all.allSatisfy { $0["role"]?.string != nil }, "no role: \(text(chat.body))")
        // The caller's are all there, in their order.
        var rest = own[...]
        for message in all { if let next = rest.first, next.bytes.elementsEqual(message.bytes) { rest.removeFirst() } }
        require(rest.isEmpty, "the caller's are not there: \(text(chat.body))")
        let body = chat.upstreamBody(UpstreamRules()).bytes
        require(PlainJSON(body)?["messages"]?.elements?.count == all.count, "no JSON for the upstream: \(text(body))")
    } catch {
        fatalError("its messages make no request: \(error)")
    }
}
