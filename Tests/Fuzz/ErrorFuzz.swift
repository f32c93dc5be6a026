// Whatever an upstream says of an error: the caller gets a bounded text in JSON, without control characters and without our key.

import Chat

private let secrets = ["hunter2-correct", "pass/word"].map { [UInt8]($0.utf8) }

/// The first byte chooses where the words come from, the second the status.
func feedError(_ input: [UInt8]) {
    guard input.count > 2 else { return }
    let (body, key) = (Array(input[2...]), UpstreamKey(isFromCaller: input[0] & 1 != 0, secrets: secrets))
    check(error(body, input[0], status: 300 + Int(input[1]), key))
    if isLong(input) { check(error(Array(repeated(body[...])), input[0], status: 500, key)) }
}

private func error(_ body: [UInt8], _ flags: UInt8, status: Int, _ key: UpstreamKey) -> ChatError {
    switch flags & 6 {
    case 0: return .upstreamReported(UpstreamError(data: body.span, ofEvent: body.span, depthMax: 32), key: key)
    case 2: return .upstreamAnswered(status: status, body: Span(), coding: text(body), key: key, depthMax: 32)
    default: return .upstreamAnswered(status: status, body: body.span, key: key, depthMax: 32)
    }
}

private func check(_ error: ChatError) {
    let body = error.body
    guard let object = PlainJSON(body)?["error"] else { fatalError("no error: \(text(body))") }
    require(object["message"]?.string?.isEmpty == false, "no message: \(text(body))")
    require(body.count <= 8 << 10, "\(body.count) bytes")
    require(error.message.utf8.count <= 1300, "a message of \(error.message.utf8.count) bytes")
    require((400...599).contains(error.status) || error.status >= 300, "status \(error.status)")
    for words in texts(object) {
        for secret in secrets { require(!holds(words, secret), "the key is shown: \(text(body))") }
        require(!words.contains { $0 < 0x20 || $0 == 0x7F }, "a control character: \(text(body))")
    }
    require(
        plainEvents(error.event) == [body.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }], "another event: \(text(error.event))")
    require(plainEvents(error.bareEvent).count == 1, "no bare event")
    for (name, value) in error.headers { require(!(name + value).utf8.contains { $0 < 0x20 }, "a header with a line's end") }
}

private func texts(_ value: PlainJSON) -> [[UInt8]] {
    (value.string.map { [$0] } ?? []) + value.members.flatMap { [$0.name] + texts($0.value) }
        + (value.elements ?? []).flatMap(texts)
}

private func holds(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
    bytes.indices.contains { bytes[$0...].starts(with: part) }
}
