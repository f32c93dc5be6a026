/// What the stub upstream does with one request, step by step.
package struct Reply: Sendable {
    package enum Framing: Sendable { case chunked, contentLength, untilClose }

    package enum Step: Sendable {
        case bytes([UInt8])
        /// The upstream's own pace.
        case pause(Duration)
        /// Goes on when the peer has read what was sent so far: what follows comes with another read of it.
        case read
        /// Goes on when the test opens the gate.
        case wait(Gate)
        /// Says nothing more until the peer closes.
        case silence
        /// Closes the connection here, whatever was promised.
        case close
        case reset

        package static func text(_ text: String) -> Step { .bytes(Array(text.utf8)) }
    }

    package struct Head: Sendable {
        package let status: Int
        let fields: [(name: String, value: String)]
        let framing: Framing
    }

    /// Without a head the steps are all that is sent.
    package let head: Head?
    let steps: [Step]
    /// Whether it answers HEAD: with the head of an answer that has a body.
    private(set) var lacksBody = false

    /// Steps under a status line and fields of the test's choice.
    package init(
        status: Int = 200, contentType: String = "text/event-stream", fields: [(name: String, value: String)] = [],
        framing: Framing = .chunked, _ steps: [Step]
    ) {
        head = Head(status: status, fields: [("Content-Type", contentType)] + fields, framing: framing)
        self.steps = steps
    }

    private init(raw steps: [Step]) {
        head = nil
        self.steps = steps
    }

    /// Whole events, one chunk each.
    package static func stream(_ frames: [String], framing: Framing = .chunked) -> Reply {
        Reply(framing: framing, frames.map(Step.text))
    }

    /// Events of which each waits for the gate to open once more; the first two, role and text, go at once.
    package static func stream(_ frames: [String], each gate: Gate) -> Reply {
        Reply(frames.enumerated().flatMap { index, frame in index < 2 ? [.text(frame)] : [.wait(gate), .text(frame)] })
    }

    /// The first two events, role and text, which make an answer of it, and the rest when the gate opens.
    package static func begun(_ frames: [String], then gate: Gate) -> Reply {
        Reply(frames.prefix(2).map(Step.text) + [.wait(gate)] + frames.dropFirst(2).map(Step.text))
    }

    /// The first two events, and nothing more.
    package static func begun(_ frames: [String]) -> Reply { Reply(frames.prefix(2).map(Step.text) + [.silence]) }

    package static func json(_ text: String, status: Int = 200, fields: [(name: String, value: String)] = []) -> Reply {
        Reply(status: status, contentType: "application/json", fields: fields, framing: .contentLength, [.text(text)])
    }

    /// Bytes as they stand: garbage, or a head that comes slowly.
    package static func raw(_ steps: Step...) -> Reply { Reply(raw: steps) }

    package static func raw(_ steps: [Step]) -> Reply { Reply(raw: steps) }

    /// Accepts the request and never answers it.
    package static let silence = Reply(raw: [.silence])

    /// The bytes of the body, whatever their pace.
    package var text: String {
        let bytes = steps.flatMap { step -> [UInt8] in if case .bytes(let bytes) = step { bytes } else { [] } }
        return String(decoding: bytes, as: UTF8.self)
    }

    package var contentType: String { head?.fields.first { $0.name == "Content-Type" }?.value ?? "" }

    /// The answer to HEAD (RFC 9110 §9.3.2). Bytes as they stand are sent all the same.
    var withoutBody: Reply {
        guard head != nil else { return self }
        var reply = self
        reply.lacksBody = true
        return reply
    }

    var headText: String? {
        guard let head else { return nil }
        var text = "HTTP/1.1 \(head.status) Stub\r\n"
        for (name, value) in head.fields { text += "\(name): \(value)\r\n" }
        switch head.framing {
        case .chunked: text += "Transfer-Encoding: chunked\r\n"
        case .contentLength: text += "Content-Length: \(bytesCount)\r\n"
        case .untilClose: text += "Connection: close\r\n"
        }
        return text + "\r\n"
    }

    private var bytesCount: Int {
        steps.reduce(0) { sum, step in if case .bytes(let bytes) = step { sum + bytes.count } else { sum } }
    }
}
