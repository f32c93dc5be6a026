// A client's request, and its response as it arrives.

import Foundation

/// A response as far as it has arrived.
package struct Received: Sendable {
    package enum End: Sendable, Equatable {
        case complete
        /// The connection ended before the body did.
        case cut(String)
        case closedHere
    }

    package var head: HTTPHead?
    package var body: [UInt8] = []
    package var end: End?

    package var status: Int { head?.status ?? 0 }
    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The text without heartbeats, which clients skip: on a busy machine there may be some wherever an answer pauses.
    package var content: String { text.replacing(": keep-alive\n\n", with: "") }

    /// The blocks of the stream so far, each with its blank line; the last may be incomplete.
    package var events: [String] { Self.events(of: text) }

    package static func events(of text: String) -> [String] {
        text.split(separator: "\n\n", omittingEmptySubsequences: true).map { "\($0)\n\n" }
    }

    /// The body's error object; nil when the body is something else.
    package var error: ErrorObject? { ErrorObject(json: body) }

    /// The data frames, without comments.
    package var frames: [String] { events.filter { !$0.hasPrefix(":") } }

    /// The error object of the last frame; nil when that is something else.
    package var errorFrame: ErrorObject? {
        guard let frame = frames.last, frame.hasPrefix("data: ") else { return nil }
        return ErrorObject(json: Array(frame.dropFirst("data: ".count).utf8))
    }
}

/// What OpenAI's clients understand as an error.
package struct ErrorObject: Sendable, Decodable {
    package let message: String
    package let type: String
    package let param: String?
    package let code: String?

    init?(json: [UInt8]) {
        struct Envelope: Decodable { let error: ErrorObject }
        // A text that is no such object is the answer nil; the test then shows the text.
        guard let envelope = try? JSONDecoder().decode(Envelope.self, from: Data(json)) else { return nil }
        self = envelope.error
    }
}

/// One request of a client and its response, read as it arrives.
package final class HTTPStream: Sendable {
    package let received: Observed<Received>
    private let closeClient: @Sendable () -> Void

    init(_ received: Observed<Received>, close: @escaping @Sendable () -> Void) {
        self.received = received
        closeClient = close
    }

    deinit { closeClient() }

    /// The client leaves.
    package func close() {
        received.update { received in if received.end == nil { received.end = .closedHere } }
        closeClient()
    }

    package func head() async throws -> HTTPHead {
        try await received.wait(for: "the head of the response") { received in
            if let head = received.head { return head }
            if let end = received.end { throw Unanswered(end: end) }
            return nil
        }
    }

    /// Waits until the body contains `text`.
    package func arrival(of text: String) async throws {
        try await received.wait(for: "\(text) at the client") { received in
            if received.text.contains(text) { return true }
            if let end = received.end { throw EndedWithout(text: text, end: end, received: received.text) }
            return false
        }
    }

    /// Waits for the end of the response, good or bad.
    package func ended() async throws -> Received {
        try await received.wait(for: "the end of the response", within: .seconds(60)) { $0.end == nil ? nil : $0 }
    }

    package struct Unanswered: Error { package let end: Received.End }

    package struct EndedWithout: Error {
        package let text: String
        package let end: Received.End
        package let received: String
    }
}

/// What a client sends.
package struct ChatCall: Sendable {
    package var method = "POST"
    package var path = "/v1/chat/completions"
    package var token: String?
    package var fields: [(name: String, value: String)] = []
    package var body: [UInt8]

    package init(
        _ body: String, token: String? = RunningServer.token, path: String = "/v1/chat/completions", method: String = "POST"
    ) {
        self.init(Array(body.utf8), token: token, path: path, method: method)
    }

    package init(
        _ body: [UInt8], token: String? = RunningServer.token, path: String = "/v1/chat/completions", method: String = "POST"
    ) {
        self.body = body
        self.token = token
        self.path = path
        self.method = method
    }

    var allFields: [(name: String, value: String)] {
        [("Content-Type", "application/json")] + (token.map { [("Authorization", "Bearer \($0)")] } ?? []) + fields
    }

    /// What goes over an HTTP/1.1 connection, which is closed after the last.
    func message(isLast: Bool) -> [UInt8] {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n"
        if isLast { head += "Connection: close\r\n" }
        for (name, value) in allFields { head += "\(name): \(value)\r\n" }
        head += "Content-Length: \(body.count)\r\n\r\n"
        return Array(head.utf8) + body
    }
}

extension HTTPStream {
    /// Calls over plain HTTP/1.1 with a socket of this process: cheap enough for hundreds at once.
    package static func plain(_ call: ChatCall, port: UInt16) throws -> HTTPStream {
        try plain(call, over: Socket.connected(port: port))
    }

    /// The same over a connection to a web server.
    package static func plain(_ call: ChatCall, over socket: Socket) throws -> HTTPStream {
        let received = Observed(Received())
        let request = call.message(isLast: true)
        startThread("plain client") {
            // A server may answer and close before it has read the whole body; the answer is what counts.
            try? socket.write(request)
            received.read(from: socket)
        }
        return HTTPStream(received) { socket.shutdown() }
    }

    /// Calls with curl.
    ///
    /// - Parameters:
    ///   - authority: of an `https` URL, the certificate authority's file.
    ///   - http2: over TLS only.
    package static func curl(
        _ call: ChatCall, url: String, authority: String? = nil, http2: Bool = false, in directory: TemporaryDirectory
    ) throws -> HTTPStream {
        let body = try directory.write(call.body, to: "call-\(UInt32.random(in: 0 ... .max))")
        // No Expect: curl would wait a second for a large body's 100 Continue.
        var arguments = ["-sS", "-N", "-i", "-X", call.method, "--data-binary", "@\(body)", "-H", "Expect:"]
        for (name, value) in call.allFields { arguments += ["-H", "\(name): \(value)"] }
        arguments += [http2 ? "--http2" : "--http1.1"]
        if let authority { arguments += ["--cacert", authority] }
        let received = Observed(Received())
        let outputEnded = Observed(false)
        let curl = try ChildProcess("curl", arguments + [url + call.path], in: directory) { pipe in
            received.readOutputOfCurl(pipe)
            outputEnded.update { $0 = true }
        }
        Task {
            let exit = try await curl.exited(within: .seconds(600))
            try await outputEnded.wait(for: "the end of curl's output") { $0 }
            received.finish(exit == .code(0) ? .complete : .cut("curl: \(exit), \(curl.errors.value.text)"))
        }
        return HTTPStream(received) { curl.signal(SIGKILL) }
    }
}

extension Observed<Received> {
    /// Reads a response to its end, on the caller's thread.
    fileprivate func read(from socket: Socket) {
        var reader = HTTPReader(socket)
        do {
            guard let head = try reader.head() else { return finish(.cut("no response")) }
            update { $0.head = head }
            let complete = try reader.body(of: head, endsWithConnection: true) { bytes in update { $0.body += bytes } }
            finish(complete ? .complete : .cut("the body is incomplete"))
        } catch {
            finish(.cut("\(error)"))
        }
    }

    /// A head as it was, then the body without its framing.
    fileprivate func readOutputOfCurl(_ pipe: Socket) {
        var reader = HTTPReader(pipe)
        do {
            guard let head = try reader.head() else { return }
            update { $0.head = head }
            try reader.rest { bytes in update { $0.body += bytes } }
        } catch {
            finish(.cut("\(error)"))
        }
    }

    fileprivate func finish(_ end: Received.End) {
        update { received in if received.end == nil { received.end = end } }
    }
}
