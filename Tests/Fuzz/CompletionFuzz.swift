// Whatever an upstream answers without streaming: edited it stays JSON, and as events it says the same.

import Chat

/// The first byte says what the caller asked for.
func feedCompletion(_ input: [UInt8]) {
    guard input.count > 1 else { return }
    let (body, flags) = (Array(input[1...]), input[0])
    guard case .chunk(let chunk) = ChatFrame(body.span, depthMax: 32), !chunk.lacksChoices else { return }
    guard let source = PlainJSON(body, depthMax: 32) else { fatalError("accepted, and no JSON") }
    let model = JSONValue(validated: body.span).member("model", in: body.span)
    _ = (TokenUsage(body.span), model.flatMap { ServedModel($0, in: body.span, hiding: UpstreamKey()) })

    var edits = ChunkEdits()
    if flags & 1 != 0 { edits.systemFingerprint = "s" }
    edits.speaksRefusal = flags & 2 != 0
    let edited = edits.edited(body.span)
    guard let plain = PlainJSON(edited, depthMax: 33) else { fatalError("edited to no JSON: \(text(edited))") }
    require(edits.edited(edited.span) == edited, "edited twice: \(text(edited))")
    require(flags & 1 == 0 || plain["system_fingerprint"]?.bytes.elementsEqual("\"s\"".utf8) == true, "no fingerprint")
    for (name, value) in source.members where !["choices", "system_fingerprint"].contains(text(name)) {
        require(plain.members.contains { $0.name == name && $0.value.bytes == value.bytes }, "a member is changed")
    }
    if let events = CompletionEvents.events(of: body, edits: edits, includesUsage: flags & 4 != 0) {
        check(events, of: plain)
    }
    if isLong(input) { feedLong(input[1...], edits) }
}

private func feedLong(_ part: ArraySlice<UInt8>, _ edits: ChunkEdits) {
    let end = "]}"
    var long = [UInt8]("{\"choices\":[".utf8)
    while long.count + part.count + 3 <= 1 << 16 { long += part + [UInt8(ascii: ",")] }
    if long.last == UInt8(ascii: ",") { long.removeLast() }
    long += end.utf8
    if case .chunk = ChatFrame(long.span, depthMax: 32) {
        _ = CompletionEvents.events(of: long, edits: edits, includesUsage: true)
    }
}

private func check(_ stream: [UInt8], of completion: PlainJSON) {
    let events = plainEvents(stream)
    require(events.last?.elementsEqual("[DONE]".utf8) == true, "no end")
    let chunks = events.dropLast().map { PlainJSON($0) }
    require(chunks.allSatisfy { $0?["choices"]?.elements != nil }, "no chunks: \(text(stream))")
    let choices = completion["choices"]?.elements ?? []
    require(chunks.count >= 2 * choices.count, "too few chunks: \(text(stream))")
    for (index, choice) in choices.enumerated() {
        let opening = chunks[index]?["choices"]?.elements?.first
        let content = (choice["message"] ?? choice["delta"])?["content"]
        require(opening?["delta"]?["content"].map { oneLine($0.bytes) } == content.map { oneLine($0.bytes) }, "another content")
        let closing = chunks[choices.count + index]?["choices"]?.elements?.first
        require(closing?["finish_reason"]?.string?.isEmpty == false, "no finish reason: \(text(stream))")
        require(opening?["index"]?.bytes == closing?["index"]?.bytes, "another index")
    }
}

/// Between tokens a line's end is a space in an event.
private func oneLine(_ bytes: ArraySlice<UInt8>) -> [UInt8] { bytes.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 } }
