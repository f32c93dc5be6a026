// An upstream's answer on its way: what it says first, and its bytes as they come.

import Chat
import Choosing
import Clock
import EventLoop
import HTTPClient
import Settings

/// One upstream's answer on its way.
///
///     while let readable = … answer.readable … { take it }        // and in between: await answer.wakeup.wait(until: …)
final class UpstreamAnswer {
    enum Source {
        case http(Transfer)
        case demo(DemoAnswer)
    }
    enum Readable {
        /// Bytes of the body to take.
        case bytes
        /// The end of the answer, whether it makes sense or not.
        case end
    }
    /// What the log is told, and the caller is not.
    enum Note {
        /// It failed, for a reason that is not for the caller.
        case failed(UpstreamTrouble)
        /// So many headers that would have gone on to the caller are more than it gets.
        case headersLeftOut(Int)
    }
    /// Woken when there may be something new.
    let wakeup: Wakeup
    /// `nil` until the first arrival.
    private(set) var head: UpstreamHead?

    /// The key that the request went out with.
    private(set) var key: UpstreamKey
    private let source: Source
    private let jsonDepth: Int
    private let noted: (Note) -> Void

    init(_ source: Source, jsonDepth: Int, key: UpstreamKey = UpstreamKey(), noted: @escaping (Note) -> Void) {
        self.source = source
        self.key = key
        self.jsonDepth = jsonDepth
        self.noted = noted
        switch source {
        case .http(let transfer): wakeup = transfer.wakeup
        case .demo(let demo):
            wakeup = demo.wakeup
            head = demo.head
        }
    }

    /// What there is now; `nil` while one must wait.
    ///
    /// - Throws: `ChatError` for what went wrong at the upstream; `CancellationError` when the task is cancelled.
    var readable: Readable? {
        get throws {
            switch source {
            case .demo(let demo): return try demo.arrived()
            case .http(let transfer):
                do {
                    return try readable(of: transfer)
                } catch {
                    noted(.failed(.connection(error)))
                    throw try ChatError(error)
                }
            }
        }
    }

    private func readable(of transfer: Transfer) throws(HTTPError) -> Readable? {
        if head == nil {
            guard let head = try transfer.takeHead() else { return nil }
            let known = UpstreamHead(head)
            if known.headersLeftOut > 0 { noted(.headersLeftOut(known.headersLeftOut)) }
            self.head = known
        }
        switch try transfer.arrived() {
        case .bytes: return .bytes
        case .end: return .end
        case .deadline, nil: return nil
        }
    }

    /// Whether there are bytes to take. What else there may be, `readable` tells.
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

    /// Whether there is a connection to ask by.
    var isConnected: Bool {
        switch source {
        case .http(let transfer): transfer.isConnected
        case .demo: true
        }
    }

    /// How long it took, or has taken so far, to get a connection.
    var connectTime: Duration {
        switch source {
        case .http(let transfer): transfer.connectTime
        case .demo: .zero
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
    /// - Throws: `ChatError` for any status but one of success.
    func checkStatus(_ body: [UInt8]) throws(ChatError) {
        guard let head else { throw .upstreamFailed(.noAnswer) }
        guard let error = statusError(body) else { return }
        if head.isPage, case .upstreamRefused(let status, _) = error { noted(.failed(.page(status: status))) }
        throw error
    }

    /// What the status means, when it has come and is none of success.
    ///
    /// - Parameter body: the whole body, which says why; left out, there are no words of the upstream's.
    func statusError(_ body: [UInt8] = []) -> ChatError? {
        guard let head, !head.isSuccess else { return nil }
        return .upstreamAnswered(status: head.status, body: body.span, coding: head.coding, key: key, depthMax: jsonDepth)
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
    /// The content coding of an error's body, which is not read then.
    let coding: String?
    /// Whether the answer is a page of HTML, as web servers have it and no API.
    let isPage: Bool
    /// How long the upstream wants not to be asked again.
    let retryAfter: Duration?
    /// The headers that the caller gets too.
    private(set) var passedHeaders: [(name: String, value: String)]
    /// How many more there were that it does not get.
    let headersLeftOut: Int

    /// The headers from which all of this is taken.
    static let headerNames = [
        "content-encoding", "content-type", "retry-after", "retry-after-ms", "x-request-id", "x-ratelimit-*",
    ]

    /// One of Sluice's own goes along.
    mutating func pass(_ name: String, _ value: String) { passedHeaders.append((name, value)) }

    static let demo = UpstreamHead(demo: [("X-Sluice-Upstream", "demo")])

    static func probe(heartbeat: Duration) -> UpstreamHead {
        let milliseconds = heartbeat.nanoseconds / 1_000_000
        return UpstreamHead(demo: [
            ("X-Sluice-Upstream", Settings.probeUpstream), (ProbeModel.heartbeatHeader, "\(milliseconds)"),
        ])
    }

    private init(demo passedHeaders: [(name: String, value: String)]) {
        (status, coding, isPage, retryAfter, headersLeftOut) = (200, nil, false, nil, 0)
        self.passedHeaders = passedHeaders
    }

    init(_ head: ResponseHead) {
        status = head.status
        coding = Sluice.isSuccess(head.status) ? nil : head["content-encoding"]
        isPage = head["content-type"]?.startsIgnoringCase(with: "text/html") ?? false
        retryAfter =
            Sluice.isSuccess(head.status)
            ? nil
            : RetryAfter.duration(
                head["retry-after"], milliseconds: head["retry-after-ms"], unixTime: .seconds(secondsSince1970()))
        let headers = PassedHeaders(head)
        (passedHeaders, headersLeftOut) = (headers.passed, headers.leftOutCount)
    }

    /// Whether an answer is to be expected behind it (RFC 9110 §15.3).
    var isSuccess: Bool { Sluice.isSuccess(status) }
}

private func isSuccess(_ status: Int) -> Bool { (200..<300).contains(status) }

/// The headers of an upstream that go on to the caller, bounded: web servers give a response's head little room, and refuse an answer
/// whose head is larger.
private struct PassedHeaders {
    private(set) var passed: [(name: String, value: String)] = []
    private(set) var leftOutCount = 0
    private var bytesCount = 0

    private static let countMax = 32
    private static let fieldBytesMax = 256
    private static let bytesMax = 2048

    init(_ head: ResponseHead) {
        // What tells when to come again goes first.
        for (name, value) in head.headers where name.utf8.starts(with: "retry-after".utf8) { add(name, value) }
        for (name, value) in head.headers {
            if name.hasSameBytes(as: "x-request-id") {
                add("x-upstream-request-id", value)
            } else if name.utf8.starts(with: "x-ratelimit-".utf8) {
                add(name, value)
            }
        }
    }

    private mutating func add(_ name: String, _ value: String) {
        let count = name.utf8.count + value.utf8.count
        guard passed.count < Self.countMax, count <= Self.fieldBytesMax, bytesCount + count <= Self.bytesMax,
            name.utf8.allSatisfy(\.isHeaderNameByte)
        else {
            leftOutCount += 1
            return
        }
        passed.append((name, value))
        bytesCount += count
    }
}

extension UInt8 {
    /// Whether it may stand in a token (RFC 9110 §5.6.2).
    fileprivate var isHeaderNameByte: Bool { isAlphanumeric(or: "!#$%&'*+-.^_`|~") }
}
