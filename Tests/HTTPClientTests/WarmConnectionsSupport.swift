// Servers for connections that stand ready, and what those report.

import Clock
import EventLoop
import Foundation
import TestSupport
import Testing

@testable import HTTPClient

/// Whatever its status, it opens a connection.
let notFound = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

/// Answers everything, and reports each request's head.
func answeringServer(_ answer: String = notFound) throws -> ScriptServer {
    try ScriptServer { peer in
        while let request = peer.request() {
            peer.report(request)
            peer.send(answer)
        }
    }
}

/// Waits for others on the same loop, at an origin that refuses, to have looked so often that the test's own have had their turns
/// as well: one to eight looks lie between two of these.
func manyLooks(_ worker: isolated LoopActor) async throws {
    let session = Session(on: worker.loop, .patient)
    let others = try Warmth(session, "http://127.0.0.1:\(try freePort())/", count: 1, .often)
    for _ in 0..<5 { #expect(await others.next().pauseAfterRefusal != nil) }
}

/// Warm connections and what they report.
final class Warmth {
    private var connections: WarmConnections?
    private let wakeup: Wakeup
    private var unread: [WarmConnections.Report] = []
    private(set) var reports = 0

    init(
        _ session: Session, _ url: String, count: Int, connectTimeout: Duration = .seconds(10), _ times: WarmConnections.Times,
        _ options: ConnectionOptions = .standard
    ) throws {
        wakeup = Wakeup(on: session.loop)
        connections = try session.keepWarm(
            url, count: count, connectTimeout: connectTimeout, options: options, times: times
        ) { [unowned self] in
            unread.append($0)
            reports += 1
            wakeup.wake()
        }
    }

    func next() async -> WarmConnections.Report {
        while unread.isEmpty { await wakeup.wait() }
        return unread.removeFirst()
    }
}

extension WarmConnections.Times {
    /// The first look is the only one of a test.
    static var onlyOnce: WarmConnections.Times {
        var times = WarmConnections.Times()
        times.look = .seconds(3600)
        times.pauseMin = .seconds(3600)
        return times
    }

    static var often: WarmConnections.Times {
        var times = WarmConnections.Times()
        times.look = .milliseconds(1)
        times.pauseMin = .milliseconds(1)
        times.refresh = .seconds(3600)
        times.pauseMax = .milliseconds(50)
        return times
    }
}

extension WarmConnections.Report {
    var pauseAfterRefusal: Duration? { if case .failed(.refused, let again) = self { again } else { nil } }

    var pauseAfterClose: Duration? { if case .notKept(let again) = self { again } else { nil } }

    var isLate: Bool { if case .failed(.timedOut(.total, _), _) = self { true } else { false } }
}
