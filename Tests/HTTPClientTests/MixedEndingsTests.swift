import TestSupport
import Testing

@testable import EventLoop
@testable import HTTPClient

/// Every ending mixed at random, and every byte its caller's own.
@Suite(.timeLimit(.minutes(5))) struct MixedEndingsTests {
    /// What the server does with a request, as it stands in its target.
    enum Fate: Int, CaseIterable { case answer, close, surplus, cut, silence, slow }

    /// How its caller behaves.
    enum Caller: Int, CaseIterable { case patient, leavesAtOnce, leavesInTurns, leavesAfterHead, leavesInBody }

    /// Bytes that are nobody else's.
    static func text(_ nonce: String, _ count: Int) -> String { String(repeating: nonce + " ", count: count) }

    static func answer(_ request: String, number: Int) -> (text: String, isLast: Bool) {
        let parts = request.split(separator: " ")[1].split(separator: "/").map(String.init)
        let (fate, count) = (Fate(rawValue: Int(parts[0]) ?? 0) ?? .answer, Int(parts[1]) ?? 0)
        let body = text(parts[2], count)
        let head = "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n"
        switch fate {
        case .answer, .slow: return ("\(head)\r\n\(body)", false)
        case .close: return ("\(head)Connection: close\r\n\r\n\(body)", true)
        case .surplus: return ("\(head)\r\n\(body)HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen", false)
        case .cut: return ("\(head)\r\n\(body.dropLast(3))", true)
        case .silence: return ("", true)
        }
    }

    @Test(arguments: [false, true]) func `thousands of requests that end in every way give each caller its own bytes`(
        isSecure: Bool
    ) async throws {
        let (site, count, width) = (try SecureSite(), isSecure ? 1_600 : 4_800, 32)
        let server = try ScriptServer { peer in
            let secure = isSecure ? SecurePeer(peer, site.context) : nil
            if isSecure, secure == nil { return }
            while let request = secure == nil ? peer.request() : secure?.request() {
                let (text, isLast) = Self.answer(request, number: peer.number)
                if let secure, !text.isEmpty { secure.send(text) } else { peer.send(text) }
                if isLast { return }
            }
        }
        try await LoopActor.run { worker in
            var configuration = isSecure ? Session.Configuration.trusting(site.file) : .init()
            configuration.idleConnectionsMax = 8
            configuration.patience = .milliseconds(20)
            let session = Session(on: worker.loop, configuration)
            let url = isSecure ? "https://localhost:\(server.port)" : "http://127.0.0.1:\(server.port)"
            let lanes = (0..<width).map { lane in
                worker.start {
                    var generator = SeededGenerator(seed: UInt64(lane))
                    for turn in 0..<count / width {
                        try await Self.call(session, url, "\(lane)-\(turn)", &generator)
                        session.expectConsistent()
                    }
                }
            }
            for lane in lanes { try await lane.value }
            await worker.wait { session.pools.values.allSatisfy(\.connecting.isEmpty) }
            session.expectNothingLeft(idle: session.context.idle.count)
            #expect(worker.loop.timers.first == nil)
        }
    }

    static func call(_ session: Session, _ url: String, _ nonce: String, _ generator: inout SeededGenerator) async throws {
        let fate = Fate.allCases[Int.random(in: 0..<Fate.allCases.count, using: &generator)]
        let caller = Caller.allCases[Int.random(in: 0..<Caller.allCases.count, using: &generator)]
        let (count, turns) = (Int.random(in: 1...20_000, using: &generator), Int.random(in: 0...20, using: &generator))
        let request = HTTPRequest(
            .post, "\(url)/\(fate.rawValue)/\(count)/\(nonce)", body: Array(nonce.utf8), connectTimeout: .seconds(60),
            totalTimeout: .seconds(60))
        let transfer = try session.start(request, waking: Wakeup(on: session.loop))
        defer { transfer.cancel() }
        do {
            if caller == .leavesAtOnce { return }
            if caller == .leavesInTurns { for _ in 0..<turns { await Task.yield() } }
            if caller == .leavesInTurns { return }
            _ = try await transfer.head()
            if caller == .leavesAfterHead { return }
            var received: [UInt8] = []
            while try await transfer.next() == .bytes {
                received += transfer.takeBytes()
                if caller == .leavesInBody { return }
            }
            #expect(received.elementsEqual(text(nonce, count).utf8), "\(fate) \(nonce)")
            #expect(fate != .cut && fate != .silence)
        } catch {
            #expect(fate == .cut || fate == .silence, "\(error) \(fate)")
        }
    }
}
