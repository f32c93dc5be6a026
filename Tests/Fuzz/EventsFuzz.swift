// Whatever an upstream streams: the caller gets the same events however it is cut, each with choices, and `[DONE]` behind a whole
// answer alone.

import Chat

@testable import Settings
@testable import Sluice

/// What a caller gets of a stream, as `Relay` sends it.
private struct Outcome: Equatable {
    var bytes: [UInt8] = []
    var error: ChatError?
    /// `[DONE]` was the upstream's own.
    var isDone = false
    /// Whether all bytes are the upstream's, and none is left out.
    var isUntouched = true
    var usage: TokenUsage?
    var model: ServedModel?
}

/// The first byte says what the caller asked for, the next two how the bytes behind them are cut.
func feedEvents(_ input: [UInt8]) {
    guard input.count > 3 else { return }
    let bytes = input[3...]
    let whole = outcome(Cuts.none.pieces(of: bytes), input[0])
    for cuts in [Cuts(input[1], input[2]), .each] {
        let cut = outcome(cuts.pieces(of: bytes), input[0])
        require(isSame(cut, whole, of: bytes), "cut into \(cuts.lengths): \(cut) is not \(whole)")
    }
    check(whole, bytes, input[0])
    checkFrames(of: bytes)
    if isLong(input) { _ = outcome(Cuts(input[1], input[2]).pieces(of: repeated(bytes)), input[0]) }
}

/// A chunk is seen behind others as it is alone.
private func checkFrames(of bytes: ArraySlice<UInt8>) {
    var reader = ChatFrameReader(depthMax: 16)
    for data in plainEvents(Array(bytes)) {
        let (frame, alone) = (reader.read(data.span), ChatFrame(data.span, depthMax: 16))
        require(frame == alone, "behind others \(frame) is not \(alone): \(data)")
    }
}

private func form(_ flags: UInt8) -> AnswerForm {
    var edits = ChunkEdits()
    if flags & 2 != 0 { edits.systemFingerprint = "a\u{1}b" }
    edits.speaksRefusal = flags & 4 != 0
    return AnswerForm(
        isStreaming: true, edits: edits, speech: flags & 32 != 0 ? [.think, .markdown, .emoji, .links] : [],
        showsUsage: flags & 1 != 0, choices: flags & 8 != 0 ? ChoiceSet(count: 2) : nil, keepsText: flags & 72 == 64)
}

private func outcome(_ pieces: [[UInt8]], _ flags: UInt8) -> Outcome {
    var limits = Settings.Limits()
    limits.jsonDepth = 16
    if flags & 16 != 0 { limits.eventBytes = 400 }
    var scanner = EventScanner(form(flags), UpstreamKey(secrets: [[UInt8]("hunter2".utf8)]), limits)
    scanner.leavesOutRole = flags & 64 != 0
    var outcome = Outcome()
    for piece in pieces where outcome.error == nil && !outcome.isDone {
        scanner.append(piece)
        forward(&scanner, &outcome)
        _ = scanner.isFinished && !scanner.isInsideEvent
        _ = scanner.discard()
    }
    if outcome.error == nil, !outcome.isDone {
        outcome.error = scanner.failureAtEnd()
        if outcome.error == nil { outcome.bytes += "data: [DONE]\n\n".utf8 }
    }
    (outcome.usage, outcome.model) = (scanner.usage, scanner.model)
    if let cut = scanner.cutAnswer { goOn(with: cut, pieces, limits) }
    return outcome
}

/// The same answer once more, behind itself.
private func goOn(with cut: CutAnswer, _ pieces: [[UInt8]], _ limits: Settings.Limits) {
    do { _ = try JSONScanner.validate(cut.text.span, depthMax: 1) } catch { fatalError("the text is no JSON: \(error)") }
    var (next, outcome) = (EventScanner(form(0), UpstreamKey(), limits, behind: cut), Outcome())
    for piece in pieces where outcome.error == nil && !outcome.isDone {
        next.append(piece)
        forward(&next, &outcome)
        _ = next.discard()
    }
}

/// As `AnswerStream.next`.
private func forward(_ scanner: inout EventScanner, _ outcome: inout Outcome) {
    while true {
        let stretch = scanner.next()
        let events = scanner.buffer[stretch.range]
        if scanner.leavesOutRole {
            // As of what had come before a filler was said: all has been left out by then.
            let others = RepeatedRole.removed(from: events)
            require(plainEvents(others) == plainEvents(Array(events)), "a role was left: \(events)")
        }
        outcome.bytes += events
        switch stretch.stop {
        case .none: return
        case .done:
            outcome.isDone = true
            return
        case .failure(let error):
            outcome.error = error
            return
        case .skip: break
        case .replace(let bytes): outcome.bytes += bytes
        }
        outcome.isUntouched = false
    }
}

/// An LF that comes by itself behind its CR belongs to no event, and goes out as a blank line more.
private func isSame(_ cut: Outcome, _ whole: Outcome, of bytes: ArraySlice<UInt8>) -> Bool {
    guard bytes.contains(UInt8(ascii: "\r")) else { return cut == whole }
    if case .upstreamEventTooLarge? = cut.error ?? whole.error { return true }
    var (cut, other) = (cut, whole)
    guard plainEvents(cut.bytes) == plainEvents(other.bytes) else { return false }
    (cut.bytes, other.bytes) = ([], [])
    return cut == other
}

private func check(_ outcome: Outcome, _ bytes: ArraySlice<UInt8>, _ flags: UInt8) {
    let events = plainEvents(outcome.bytes)
    require(events.filter(isDone).count == (outcome.error == nil ? 1 : 0), "[DONE] behind \(outcome)")
    require(outcome.error != nil || events.last.map(isDone) == true, "no [DONE] at the end of \(outcome)")
    let chunks = events.filter { !isDone($0) }.map { PlainJSON($0) }
    require(chunks.allSatisfy { $0?["choices"]?.elements != nil }, "an event without choices: \(outcome)")
    // A voice may have nothing to say of what is said.
    if outcome.error == nil, flags & 32 == 0 {
        let choices = chunks.flatMap { $0?["choices"]?.elements ?? [] }
        require(choices.contains { choice in isSomething(choice, flags) }, "a whole answer with nothing in it: \(outcome)")
    }
    if flags & 2 != 0 {
        require(chunks.allSatisfy { $0?["system_fingerprint"]?.string == [UInt8]("a\u{1}b".utf8) }, "no session: \(outcome)")
    }
    if outcome.isUntouched {
        let sent = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes
        let got =
            outcome.error == nil && !outcome.isDone ? outcome.bytes.dropLast("data: [DONE]\n\n".utf8.count) : outcome.bytes[...]
        require(sent.starts(with: got), "other bytes: \(outcome)")
    }
}

private func isDone(_ data: [UInt8]) -> Bool {
    let isSpace = { (byte: UInt8) in byte <= 0x20 }
    return Array(data.drop(while: isSpace).reversed().drop(while: isSpace).reversed()).elementsEqual("[DONE]".utf8)
}

/// Whether a choice is at its end, or says more than nothing.
private func isSomething(_ choice: PlainJSON, _ flags: UInt8) -> Bool {
    choice.members.contains { name, value in
        switch text(name) {
        case "finish_reason": value.string?.isEmpty == false
        case "delta", "message": value.members.contains { !$0.value.isNull && !$0.value.bytes.elementsEqual("\"\"".utf8) }
        default: false
        }
    }
}

/// The data of a stream's events, as WHATWG HTML §9.2.6 has them.
func plainEvents(_ stream: [UInt8]) -> [[UInt8]] {
    var (events, data): ([[UInt8]], [UInt8]?) = ([], nil)
    for line in lines(of: stream) {
        if line.isEmpty {
            if let data { events.append(data) }
            data = nil
        } else if line.elementsEqual("data".utf8) || line.starts(with: "data:".utf8) {
            var value = line.dropFirst(5)
            if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
            data = data.map { $0 + [UInt8(ascii: "\n")] + value } ?? Array(value)
        }
    }
    return events
}

/// Those that are at their end.
private func lines(of stream: [UInt8]) -> [ArraySlice<UInt8>] {
    var (lines, rest): ([ArraySlice<UInt8>], ArraySlice<UInt8>) = ([], stream[...])
    while let end = rest.firstIndex(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
        lines.append(rest[..<end])
        let isPair = rest[end...].starts(with: [0x0D, 0x0A])
        rest = rest[(end + (isPair ? 2 : 1))...]
    }
    return lines
}
