// The demo upstream: answers in process, without key or network, in OpenAI's format and at a natural pace.

import Chat
import Clock
import EventLoop
import Settings

/// An answer that is made in this process and comes piece by piece.
final class DemoAnswer {
    let wakeup: Wakeup
    private let loop: EventLoop
    private var pieces: ArraySlice<[UInt8]>
    private let pause: Duration
    private var nextPiece: Instant
    /// When the answer began, where `sluice probe` is answered; nil for jokes.
    private var probeStart: Instant?
    /// What it is told then of the deployment's heartbeat.
    private var heartbeat = Duration.zero
    /// A longer pause than the others, when so many pieces are left.
    private var silence: (piecesLeft: Int, duration: Duration)?
    private var isCancelled = false
    private lazy var timer = Timer(on: loop) { [unowned self] in wakeup.wake() }

    /// - Parameters:
    ///   - delay: before the first piece.
    ///   - pause: between two pieces.
    init(_ pieces: [[UInt8]], after delay: Duration, every pause: Duration, waking wakeup: Wakeup, on loop: EventLoop) {
        self.loop = loop
        self.wakeup = wakeup
        self.pieces = pieces[...]
        self.pause = pause
        nextPiece = loop.now + delay
        timer.set(at: nextPiece)
    }

    /// An answer to the last user message, word by word, or a call of one of the request's tools when the message asks for it.
    ///
    /// - Parameters:
    ///   - isProbe: whether it is what `sluice probe` measures by, whatever the message says beside a silence.
    ///   - heartbeat: the deployment's, which that is told.
    convenience init(
        _ chat: ChatRequest, _ id: RequestID, isProbe: Bool, heartbeat: Duration, waking wakeup: Wakeup, on loop: EventLoop
    ) {
        let completion = isProbe ? DemoCompletion(probe: chat, id) : DemoCompletion(chat, id)
        let pieces = chat.isStreaming ? completion.events : [completion.object]
        let message = isProbe ? chat.lastUserMessage ?? "" : ""
        let pause = isProbe ? ProbeModel.pause : .milliseconds(60)
        self.init(pieces, after: isProbe ? .zero : pause, every: pause, waking: wakeup, on: loop)
        guard isProbe else { return }
        (probeStart, self.heartbeat) = (loop.now, heartbeat)
        let silence = ProbeModel.silence(askedBy: message)
        // A role stands ahead of the texts.
        if silence > .zero { self.silence = (pieces.count - ProbeModel.eventsBeforeSilence - 1, silence) }
    }

    var head: UpstreamHead { probeStart == nil ? .demo : .probe(heartbeat: heartbeat) }

    deinit { timer.cancel() }

    /// - Throws: `CancellationError` after `cancel()`.
    func arrived() throws(CancellationError) -> UpstreamAnswer.Readable? {
        if isCancelled { throw CancellationError() }
        if pieces.isEmpty { return .end }
        return hasBytes ? .bytes : nil
    }

    var hasBytes: Bool { !isOver && loop.now >= nextPiece }

    var isOver: Bool { isCancelled || pieces.isEmpty }

    /// The next piece, which has arrived.
    func takeBytes() -> [UInt8] {
        var piece = pieces.popFirst() ?? []
        if let probeStart {
            // One that was late is not made up for: two at once would look like a lump.
            let pause = if let silence, silence.piecesLeft == pieces.count { silence.duration } else { self.pause }
            ProbeModel.stamp(&piece, loop.now - probeStart)
            nextPiece = loop.now + pause
        } else {
            nextPiece = nextPiece + pause
        }
        timer.set(at: nextPiece)
        return piece
    }

    func cancel() {
        isCancelled = true
        wakeup.wake()
    }
}

/// What the demo says, in the two forms that a caller can ask for.
private struct DemoCompletion {
    private enum Content {
        case words([String])
        case toolCall(String)
    }

    private let id: RequestID
    private let model: String
    private let content: Content
    private let finishReason: String
    private let promptTokens: Int
    private let includesUsage: Bool

    init(_ chat: ChatRequest, _ id: RequestID) {
        self.id = id
        model = chat.model ?? "demo"
        promptTokens = max(1, chat.body.count / 4)
        includesUsage = chat.includeUsage ?? false
        let message = chat.lastUserMessage ?? ""
        if let tool = Self.tool(askedForBy: message, of: chat) {
            content = .toolCall(tool)
            finishReason = "tool_calls"
        } else {
            let words = Self.words(of: Self.reply(to: message))
            let limit = chat.maxTokens.map { max(1, $0) } ?? .max
            content = .words(Array(words.prefix(limit)))
            finishReason = words.count > limit ? "length" : "stop"
        }
    }

    /// What `sluice probe` measures by.
    init(probe chat: ChatRequest, _ id: RequestID) {
        self.id = id
        model = Settings.probeModel
        promptTokens = max(1, chat.body.count / 4)
        includesUsage = chat.includeUsage ?? false
        let limit = chat.maxTokens.map { max(1, $0) } ?? .max
        content = .words(Array(ProbeModel.texts.prefix(limit)))
        finishReason = limit < ProbeModel.eventsCount ? "length" : "stop"
    }

    /// A tool one of whose name's words stands in the message, unless its result is what the caller sends just now.
    private static func tool(askedForBy message: String, of chat: ChatRequest) -> String? {
        guard chat.endsWithUser else { return nil }
        let words = Set(message.lowercased().split { !$0.isLetter }.map(String.init))  // by characters: 1 KiB
        return chat.toolNames.first { name in
            let parts = name.lowercased().split { !$0.isLetter }  // by characters: 64 bytes
            return parts.contains { $0.count > 3 && words.contains(String($0)) }
        }
    }

    private static func reply(to message: String) -> String {
        if message.lowercased().contains("joke") {  // by characters: 1 KiB
            return "Why did the token never wait at the sluice? Because the gate opens for every single event."
        }
        let quote = message.count > 200 ? "\(message.prefix(200))…" : message
        return quote.isEmpty ? "Hello! This is Sluice's demo upstream." : "You said: \(quote) This is Sluice's demo upstream."
    }

    /// Words with the space before them, as tokens come.
    private static func words(of text: String) -> [String] {
        let words = text.split(separator: " ")  // by characters: 1 KiB
        return words.enumerated().map { $0.offset == 0 ? String($0.element) : " \($0.element)" }
    }

    // MARK: Streamed

    var events: [[UInt8]] {
        var events = [event(delta: #"{"role":"assistant","content":\#(isToolCall ? "null" : "\"\"")}"#)]
        switch content {
        case .words(let words): events += words.map { event(delta: #"{"content":\#(json($0))}"#) }
        case .toolCall(let name):
            let call = #""index":0,"id":"call_\#(id)","type":"function""#
            events.append(event(delta: #"{"tool_calls":[{\#(call),"function":{"name":\#(json(name)),"arguments":""}}]}"#))
            events.append(event(delta: #"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#))
        }
        events.append(event(delta: "{}", finishReason: json(finishReason)))
        if includesUsage { events.append(event(choices: "[]", usage: usage)) }
        events.append([UInt8]("data: [DONE]\n\n".utf8))
        return events
    }

    private func event(delta: String, finishReason: String = "null") -> [UInt8] {
        event(
            choices: #"[{"index":0,"delta":\#(delta),"logprobs":null,"finish_reason":\#(finishReason)}]"#,
            usage: includesUsage ? "null" : nil)
    }

    private func event(choices: String, usage: String?) -> [UInt8] {
        let usage = usage.map { #","usage":\#($0)"# } ?? ""
        return [UInt8]("data: {\(members(object: "chat.completion.chunk")),\"choices\":\(choices)\(usage)}\n\n".utf8)
    }

    // MARK: Whole

    var object: [UInt8] {
        let message =
            switch content {
            case .words(let words): #"{"role":"assistant","content":\#(json(words.joined())),"refusal":null}"#
            case .toolCall(let name):
                #"{"role":"assistant","content":null,"tool_calls":[{"id":"call_\#(id)","type":"function","#
                    + #""function":{"name":\#(json(name)),"arguments":"{}"}}]}"#
            }
        let choice = #"{"index":0,"message":\#(message),"logprobs":null,"finish_reason":\#(json(finishReason))}"#
        return [UInt8](#"{\#(members(object: "chat.completion")),"choices":[\#(choice)],"usage":\#(usage)}"#.utf8)
    }

    // MARK: Parts

    private func members(object: String) -> String {
        #""id":"chatcmpl-\#(id)","object":"\#(object)","created":\#(secondsSince1970()),"model":\#(json(model))"#
    }

    private var isToolCall: Bool { if case .toolCall = content { true } else { false } }

    private var usage: String {
        let completionTokens = if case .words(let words) = content { words.count } else { 1 }
        return #"{"prompt_tokens":\#(promptTokens),"completion_tokens":\#(completionTokens),"#
            + #""total_tokens":\#(promptTokens + completionTokens)}"#
    }

    private func json(_ text: String) -> String {
        var bytes: [UInt8] = []
        bytes.appendJSONString(text)
        return String(decoding: bytes, as: UTF8.self)
    }
}
