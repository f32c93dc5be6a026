// A request that nobody has sent, answered before anybody can connect: what takes its time once, no caller waits for.

import Clock
import EventLoop
import FastCGI
import HTTPClient
import Logging
import Settings

/// Swift makes its tables, and what it knows of types, when they are first used, and so do the C libraries. The request goes the
/// way of all others, from one socket to another and back, through a worker of its own: nothing of it is counted or logged, and
/// nothing is left of it.
enum Rehearsal {
    /// On the calling thread, in a few milliseconds. A failure is logged and harms nobody.
    ///
    /// - Parameters:
    ///   - limit: after which it has failed.
    ///   - request: what is sent as a request.
    static func run(_ logger: Logger, within limit: Duration = .seconds(3), request: [UInt8] = request) {
        do {
            let settings = Settings.rehearsal(within: limit)
            let silence = Logger(label: "rehearsal", factory: { _ in SwiftLogNoOpLogHandler() })
            let worker = try Worker(
                try Generation(settings), logger: silence, log: RequestLog(nil),
                counters: Counters(settings.limits))
            Task(executorPreference: worker.loop) {
                do throws(SystemError) {
                    if try await !worker.rehearse(request, within: limit) { logger.rehearsalFailed("the answer is not whole") }
                } catch {
                    logger.rehearsalFailed(error.description)
                }
                worker.loop.stop()
            }
            worker.loop.run()
        } catch {
            logger.rehearsalFailed("\(error)")
        }
    }

    // MARK: The request and its answer

    /// The request's bytes, as a web server sends them.
    static let request: [UInt8] = {
        let parameters = [
            ("REQUEST_METHOD", "POST"), ("SCRIPT_NAME", "/v1/chat/completions"), ("QUERY_STRING", ""),
            ("CONTENT_TYPE", "application/json"), ("SLUICE_CLIENT", "rehearsal"),
        ]
        let body = #"""
            {"model":"gpt-5-mini","messages":[{"role":"user","content":"Hello"}],"stream":true,"max_tokens":9,"call":{"id":"none"}}
            """#
        var pairs: [UInt8] = []
        for (name, value) in parameters { pairs.appendPair(name: Array(name.utf8), value: Array(value.utf8)) }
        var request: [UInt8] = []
        request.appendBeginRequest(1, role: 1, keepsConnection: false)
        request.appendStream(.parameters, requestID: 1, content: pairs)
        request.appendStream(.standardInput, requestID: 1, content: Array(body.utf8))
        return request
    }()

    /// The upstream's answer, each part to be sent when the caller has something of the one before: a role alone brings it nothing.
    fileprivate static let answer: [[UInt8]] = {
        let events = [
            event(#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]"#)
                + event(#"[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]"#),
            event(#"[{"index":0,"delta":{"refusal":"No"},"finish_reason":null}]"#)
                + event(#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#)
                + event(#"[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}"#) + "data: [DONE]\n\n",
        ]
        let head = """
            HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-Id: rehearsal\r\n\
            Content-Length: \(events.reduce(0) { $0 + $1.utf8.count })\r\n\r\n
            """
        return [Array((head + events[0]).utf8)] + events.dropFirst().map { Array($0.utf8) }
    }()

    private static func event(_ choices: String) -> String {
        #"data: {"id":"none","object":"chat.completion.chunk","created":0,"model":"none","choices":\#(choices)}"# + "\n\n"
    }
}

extension Worker {
    /// Answers the request. Whether all of it went as it should.
    fileprivate func rehearse(_ request: [UInt8], within limit: Duration) async throws(SystemError) -> Bool {
        let listener = try LocalListener()
        let (caller, server) = try LocalSocket.pair()
        var (upstream, parts): (LocalSocket?, _) = (nil, Rehearsal.answer[...])
        var received: [UInt8] = []
        let asked = try Watch(listener.number, for: .readable, on: loop) { _ in
            guard upstream == nil, let socket = listener.accept() else { return }
            upstream = socket
            if let part = parts.popFirst() { socket.send(part) }
        }
        defer { asked.cancel() }
        let answered = try Watch(caller.number, for: .readable, on: loop) { _ in
            received += caller.receive()
            if let part = parts.popFirst() { upstream?.send(part) }
        }
        defer { answered.cancel() }
        // A request has limits of its own, but only once it has come.
        let deadline = Timer(on: loop) { caller.shutDown() }
        deadline.set(at: .current + limit)
        defer { deadline.cancel() }
        handler.generation.upstreams.session.connectLocally(to: listener.name)
        caller.send(request)
        await serve(server.takeDescriptor())
        received += caller.receive()
        return String(decoding: received, as: UTF8.self).contains("data: [DONE]")  // by characters: the demo's own
    }
}

extension Settings {
    /// One upstream, whose answer is there at once.
    fileprivate static func rehearsal(within limit: Duration) -> Settings {
        let upstream = UpstreamSettings(name: "rehearsal", url: "http://127.0.0.1/v1", key: .secret("none"))
        var model = ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: upstream.name)])
        model.attempts.retriesMax = 0
        var settings = Settings(listen: [.unix("")], workers: 1, upstreams: [upstream], models: [model])
        settings.timeouts = Timeouts(all: limit)
        settings.refusal = .speak
        return settings
    }
}
