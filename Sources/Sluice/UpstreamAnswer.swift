// An upstream's answer on its way: what it says first, and its bytes as they come.

import Chat
import Choosing
import EventLoop
import HTTPClient

/// One upstream's answer on its way.
///
///     while let arrival = … answer.arrival … { take it }        // and in between: await answer.wakeup.wait(until: …)
final class UpstreamAnswer {
    enum Source {
        case http(Transfer)
        case demo(DemoAnswer)
    }
    enum Arrival {
        /// Bytes of the body to take.
        case bytes
        /// The end of the answer, whether it makes sense or not.
        case end
    }
    /// Woken when there may be something new.
    let wakeup: Wakeup
    /// `nil` until the first arrival.
    private(set) var head: UpstreamHead?

    /// Whether the caller's own key went out, so that a refusal of the key is the caller's affair.
    let isCallersKey: Bool
    private let source: Source
    private let jsonDepth: Int
    /// Where failures are told whose reasons are not for the caller.
    private let failed: (UpstreamTrouble) -> Void

    init(_ source: Source, jsonDepth: Int, isCallersKey: Bool = false, failed: @escaping (UpstreamTrouble) -> Void) {
        self.source = source
        self.isCallersKey = isCallersKey
        self.jsonDepth = jsonDepth
        self.failed = failed
        switch source {
        case .http(let transfer): wakeup = transfer.wakeup
        case .demo(let demo):
            wakeup = demo.wakeup
            head = .demo
        }
    }

    /// What there is now; `nil` while one must wait.
    ///
    /// - Throws: `ChatError` for what went wrong at the upstream; `CancellationError` when the task is cancelled.
    var arrival: Arrival? {
        get throws {
            switch source {
            case .demo(let demo): return try demo.arrived()
            case .http(let transfer):
                do {
                    return try arrival(of: transfer)
                } catch {
                    failed(.connection(error))
                    throw try ChatError(error)
                }
            }
        }
    }

    private func arrival(of transfer: Transfer) throws(HTTPError) -> Arrival? {
        if head == nil {
            guard let head = try transfer.takeHead() else { return nil }
            self.head = UpstreamHead(head)
        }
        switch try transfer.arrived() {
        case .bytes: return .bytes
        case .end: return .end
        case .deadline, nil: return nil
        }
    }

    /// Whether there are bytes to take. What else there may be, `arrival` tells.
    var hasBytes: Bool {
        switch source {
        case .http(let transfer): head != nil && transfer.hasBytes
        case .demo(let demo): demo.hasBytes
        }
    }

    /// Whether nothing more will come.
    var isOver: Bool {
        switch source {
        case .http(let transfer): transfer.isOver
        case .demo(let demo): demo.isOver
        }
    }

    /// What has arrived.
    func takeBytes() -> [UInt8] {
        switch source {
        case .http(let transfer): transfer.takeBytes()
        case .demo(let demo): demo.takeBytes()
        }
    }

    /// Ends it, whether it is whole or not.
    func cancel() {
        switch source {
        case .http(let transfer): transfer.cancel()
        case .demo(let demo): demo.cancel()
        }
    }

    /// Takes back a buffer that `takeBytes` handed over.
    func recycle(_ buffer: consuming [UInt8]) {
        if case .http(let transfer) = source { transfer.recycle(buffer) }
    }

    /// Waits for the response's end, so that its connection can serve the next request. What comes is dropped.
    func settle(until deadline: Instant) async {
        guard case .http(let transfer) = source else { return }
        do {
            while try await transfer.next(until: deadline) == .bytes { transfer.recycle(transfer.takeBytes()) }
        } catch {
            // The caller has the whole answer; a connection that fails now is only not kept.
        }
    }

    /// - Parameter body: the whole body, which says why when the status is no success.
    /// - Throws: `ChatError` for any status but 200.
    func checkStatus(_ body: [UInt8]) throws(ChatError) {
        guard let head else { throw .upstreamFailed(.noAnswer) }
        guard let error = statusError(body) else { return }
        if head.isPage, case .upstreamRefused(let status, nil) = error { failed(.page(status: status)) }
        throw error
    }

    /// What the status means, when it has come and is not 200.
    ///
    /// - Parameter body: the whole body, which says why; left out, there are no words of the upstream's.
    func statusError(_ body: [UInt8] = []) -> ChatError? {
        guard let status = head?.status, status != 200 else { return nil }
        return .upstreamAnswered(status: status, body: body.span, isCallersKey: isCallersKey, depthMax: jsonDepth)
    }
}

/// What went wrong at an upstream, in words for the log.
enum UpstreamTrouble: Equatable, CustomStringConvertible {
    case connection(HTTPError)
    /// A refusal with a page of HTML: nginx, for one, says so that it misses TLS or a client's certificate.
    case page(status: Int)

    var description: String {
        switch self {
        case .connection(let error): "\(error)"
        case .page(let status):
            "status \(status) with a page of HTML, as of a web server and no API: "
                + "check url (path, https://) and the certificate, if the server asks for one"
        }
    }
}

/// What an upstream says ahead of its answer, as far as it matters here.
struct UpstreamHead {
    let status: Int
    /// Whether the answer is a stream of events, as far as one can know: servers forget the type, but none calls events JSON.
    let isEventStream: Bool
    /// Whether the answer is a page of HTML, as web servers have it and no API.
    let isPage: Bool
    /// How long the upstream wants not to be asked again.
    let retryAfter: Duration?
    /// The headers that the caller gets too.
    let passedHeaders: [(name: String, value: String)]

    /// The headers from which all of this is taken.
    static let headerNames = ["content-type", "retry-after", "retry-after-ms", "x-request-id", "x-ratelimit-*"]

    static let demo = UpstreamHead(status: 200, isEventStream: true, passedHeaders: [("X-Sluice-Upstream", "demo")])

    private init(status: Int, isEventStream: Bool, passedHeaders: [(name: String, value: String)]) {
        self.status = status
        self.isEventStream = isEventStream
        isPage = false
        self.passedHeaders = passedHeaders
        retryAfter = nil
    }

    init(_ head: ResponseHead) {
        status = head.status
        let type = (head["content-type"] ?? "text/event-stream").lowercased()
        isEventStream = head.status == 200 && !type.hasPrefix("application/json")
        isPage = type.hasPrefix("text/html")
        retryAfter =
            status == 200
            ? nil
            : RetryAfter.duration(
                head["retry-after"], milliseconds: head["retry-after-ms"], unixTime: .seconds(secondsSince1970()))
        passedHeaders = head.headers.compactMap { name, value in
            switch name {
            case "retry-after", "retry-after-ms": (name, value)
            case "x-request-id": ("x-upstream-request-id", value)
            default: name.hasPrefix("x-ratelimit-") ? (name, value) : nil
            }
        }
    }
}
