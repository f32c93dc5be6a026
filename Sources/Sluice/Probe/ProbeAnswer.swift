// What came of one request: all that the checks look at, and nothing that is still on its way.

import Chat
import HTTPClient

/// One request's answer, as it came.
struct ProbeAnswer: Sendable {
    /// What one read has brought.
    struct Read: Sendable {
        /// How many bytes of the body there were then.
        let end: Int
        /// Since the request was sent.
        let moment: Duration
        /// For how long before that nobody had looked: what was read may have come at any moment of it.
        let blind: Duration
    }

    /// Nil where no head has come.
    var head: ResponseHead?
    /// The first bytes of the body.
    var body: [UInt8] = []
    /// In their order; where there were too many, the first.
    var reads: [Read] = []
    /// What ended it; nil where it came to its end by itself.
    var failure: HTTPError?
    /// Whether there was more of it than is looked at.
    var isTooLarge = false
    /// From the request to the end.
    var duration = Duration.zero

    var status: Int { head?.status ?? 0 }

    /// What of it can be shown: of the kind `status 404`, or why there is none.
    var words: String {
        if let head { return "status \(head.status)" }
        return failure.map { "\($0)" } ?? "no answer"
    }

    /// Whether somebody who speaks the interface has taken the request, though it was to fail: a web server that keeps one to
    /// itself answers with a page.
    var cameThrough: Bool { (200..<300).contains(status) || isJSONError }

    /// Whether the interface has looked at the request itself, be it to say what is wrong with it.
    var wasTaken: Bool { isKnownSuccess || (status == 400 || status == 422) && isJSONError }

    /// Whether it is a success of a kind that the interface has.
    private var isKnownSuccess: Bool {
        (200..<300).contains(status)
            && (isEventStream || head?["content-type"]?.startsIgnoringCase(with: "application/json") ?? false)
    }

    /// Whether it is a success of another kind, as a web server has it for a page.
    var isForeignSuccess: Bool { (200..<300).contains(status) && !isKnownSuccess }

    /// Whether that is the error's code.
    var saysUnknownModel: Bool { errorMember("code")?.string(in: body.span)?.hasSameBytes(as: "model_not_found") ?? false }

    /// Whether it is an answer to a chat, streamed or not, or the beginning of one.
    var isChat: Bool {
        guard status == 200, spokenError == nil else { return false }
        if events.contains(where: \.hasChoices) { return true }
        let document = body.span
        do throws(JSONError) {
            return try JSONScanner.validate(document, depthMax: 32).member("choices", in: document)?.kind == .array
        } catch { return false }
    }

    /// Whether somebody is in front of Sluice, and nobody behind that.
    var hasNobodyBehind: Bool { (502...504).contains(status) && !isErrorOfInterface || (520...524).contains(status) }

    /// Whether an error is Sluice's own, or that of another server of the interface: in JSON, and with the request's id. A web
    /// server's is a page, to which it may add an id, or it has none; what Sluice's files have it say has a code that Sluice has
    /// not.
    var isErrorOfInterface: Bool {
        isJSONError && head?["x-request-id"] != nil
            && errorMember("code")?.string(in: body.span)?.hasSameBytes(as: Self.codeOfWebServer) != true
    }

    /// What web servers are to say where Sluice does not answer.
    private static let codeOfWebServer = "service_unavailable"

    /// Whether a web server has refused a call that may be made, by a limit of its own: Sluice says so itself, and with the
    /// request's id.
    var isRefusedByWebServer: Bool { (status == 429 || status == 503) && !isErrorOfInterface }

    /// What Sluice itself finds missing in a request for chat completions; nil where it is not its word, or finds nothing.
    var missingParameters: MissingParameters? {
        guard isErrorOfInterface, let code = errorMember("code")?.string(in: body.span) else { return nil }
        return MissingParameters.allCases.first { $0.status == status && $0.code.hasSameBytes(as: code) }
    }

    /// What a web server has to hand on with a request, or Sluice takes it for another one.
    enum MissingParameters: CaseIterable {
        case path, method

        fileprivate var status: Int { self == .path ? 404 : 405 }
        fileprivate var code: String { self == .path ? "unknown_url" : "method_not_allowed" }
        /// Their names.
        var words: String { self == .path ? "their path (REQUEST_URI, or SCRIPT_NAME)" : "their method (REQUEST_METHOD)" }
    }

    /// Whether it is an event stream.
    var isEventStream: Bool { head?["content-type"]?.startsIgnoringCase(with: "text/event-stream") ?? false }

    /// Whether there is TLS, with a certificate that was not taken.
    var hasRefusedCertificate: Bool { failure?.tlsProblem?.isOfCertificate ?? false }

    /// Whether there was no handshake, for a reason other than the certificate: where one for another version of HTTP has just
    /// been done, that is the version.
    var hasNoHandshake: Bool { failure?.tlsProblem.map { !$0.isOfCertificate } ?? false }

    /// Whether the body is an error of OpenAI's kind: `{"error":{"message":"…"}}`.
    var isJSONError: Bool {
        guard head?["content-type"]?.startsIgnoringCase(with: "application/json") == true else { return false }
        return errorMember("message")?.kind == .string
    }

    private func errorMember(_ name: String) -> JSONValue? {
        let document = body.span
        do throws(JSONError) {
            return try JSONScanner.validate(document, depthMax: 32).member("error", in: document)?.member(name, in: document)
        } catch { return nil }
    }
}

extension ProbeAnswer {
    /// Whether it says nothing of what was asked: somebody had no time, or no room.
    var mayBeOtherwiseLater: Bool {
        if case .timedOut = failure { return true }
        return status == 429 || status >= 500
    }
}

extension ProbeAnswer {
    /// What stands in an event stream.
    struct Event: Sendable {
        enum Kind: Sendable { case data, comment }

        let kind: Kind
        /// A data line's value, or a comment's.
        let text: [UInt8]
        /// Which of the reads has brought its end.
        let read: Read
    }

    /// How many events are looked at.
    static let eventsMax = 2000
    private static let (lineFeed, carriageReturn) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))

    /// Whether all has come that stands ahead of a silence of `sluice-probe`, or an error in its place.
    var hasComeToSilence: Bool {
        let events = events
        return events.count(where: \.hasContent) >= ProbeModel.eventsBeforeSilence || events.contains(where: \.isError)
    }

    /// Whether it has not come, or not to its end, within its time.
    var isLate: Bool { if case .timedOut = failure { true } else { false } }

    /// Whether it is all that was to come, as far as anybody looks.
    var hasEnd: Bool {
        let events = events
        return isTooLarge || events.count >= Self.eventsMax || events.contains(where: \.isDone)
    }

    /// What keeps it from being a whole answer to a chat; nil for nothing.
    var failureWords: String? {
        if let cause { return "\(words)\(cause)" }
        guard let head, head.status == 200 else { return words }
        if let failure { return "\(words), and then \(failure)" }
        guard isEventStream else { return nil }
        if events.contains(where: \.isError) { return "\(words), and an error in the stream" }
        return hasEnd ? nil : "\(words), and no [DONE]"
    }

    /// Whether an event has come with text, or with an error in its place.
    var hasText: Bool { events.contains { $0.hasContent || $0.isError } }

    /// Its data lines and comments, in their order. Event streams of APIs have one line of data for each event.
    var events: [Event] {
        var events: [Event] = []
        var (start, read) = (0, 0)
        while start < body.count, events.count < Self.eventsMax, let end = body[start...].firstIndex(of: Self.lineFeed) {
            while read < reads.count - 1, reads[read].end <= end { read += 1 }
            var line = body[start..<end]
            if line.last == Self.carriageReturn { line = line.dropLast() }
            start = end + 1
            guard read < reads.count else { break }
            if line.first == UInt8(ascii: ":") {
                events.append(Event(kind: .comment, text: Array(line.dropFirst()), read: reads[read]))
            } else if line.starts(with: "data:".utf8) {
                let text = line.dropFirst(5).drop { $0 == UInt8(ascii: " ") }
                events.append(Event(kind: .data, text: Array(text), read: reads[read]))
            }
        }
        return events
    }
}

extension ProbeAnswer.Event {
    var isDone: Bool { kind == .data && text.elementsEqual("[DONE]".utf8) }

    /// Whether a delta in it has a text that is not empty.
    var hasContent: Bool {
        guard kind == .data, let choices = choices() else { return false }
        let document = text.span
        return choices.contains { choice in
            let content = choice.member("delta", in: document)?.member("content", in: document)
            return content.map { $0.kind == .string && !$0.isEmpty(in: document) } ?? false
        }
    }

    /// Whether it is an object with the array `choices`, as one platform demands of each.
    var hasChoices: Bool { choices() != nil }

    /// Whether it is an error in the place of an answer's rest.
    var isError: Bool {
        let document = text.span
        return value().map { $0.member("error", in: document).map { $0.kind != .null } ?? false } ?? false
    }

    private func choices() -> [JSONValue]? {
        guard let choices = value()?.member("choices", in: text.span), choices.kind == .array else { return nil }
        return choices.elements(in: text.span, countMax: 16)
    }

    private func value() -> JSONValue? {
        do throws(JSONError) { return try JSONScanner.validate(text.span, depthMax: 32) } catch { return nil }
    }
}
