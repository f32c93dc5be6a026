import EventLoop
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import EventLoop
@testable import HTTPClient

/// Callers who leave at any moment, and a server that does anything at any moment, over connections that go on meanwhile.
@Suite struct HTTP2ChaosTests {
    private final class Ended: Sendable {
        private let bodies = Mutex<[String: Set<String>]>([:])

        func add(_ body: String, for request: String) { bodies.withLock { _ = $0[request, default: []].insert(body) } }

        func holds(_ body: String, for request: String) -> Bool { bodies.withLock { $0[request]?.contains(body) ?? false } }
    }

    /// Now and then it answers all that it was asked, else with frames by chance; it looks at what has come meanwhile after each.
    private static func server(seed: UInt64, _ ended: Ended) throws -> ScriptServer {
        try ScriptServer { peer in
            var chance = SeededGenerator(seed: seed << 32 | UInt64(peer.number))
            guard peer.beginHTTP2(RandomFrames.settings(&chance)) else { return }
            var reader = RequestReader(peer)
            var frames = RandomFrames(chance)
            while true {
                let requests = reader.all()
                guard !requests.isEmpty else { return }
                for (stream, body) in requests {
                    frames.requests[stream] = (body, "")
                    frames.streams.append(stream)
                }
                for _ in 0..<Int.random(in: 1...15, using: &chance) {
                    switch Int.random(in: 0..<40, using: &chance) {
                    case 0: peer.send(.settings(Frame.streamsMax, UInt32.random(in: 0...3, using: &chance)))
                    case 1: peer.send(.settings(1, UInt32.random(in: 0...5000, using: &chance)))
                    case 2: usleep(UInt32.random(in: 0...8000, using: &chance))
                    case 3: if Int.random(in: 0..<4, using: &chance) == 0 { return }
                    default:
                        let bytes = frames.next().bytes
                        for (request, body) in frames.ended { ended.add(body, for: request) }
                        peer.send(bytes)
                    }
                }
            }
        }
    }

    private static var restless: Session.Configuration {
        var configuration = Session.Configuration()
        configuration.silenceMax = .milliseconds(4)
        configuration.spareTime = .milliseconds(3)
        configuration.patience = .milliseconds(5)
        configuration.idleConnectionsMax = 3
        return configuration
    }

    private static let options = ConnectionOptions(version: .http2, streamsMax: 4)

    /// One request, and what its caller has taken of the answer.
    private final class Call {
        let transfer: Transfer
        let request: String
        private(set) var body: [UInt8] = []

        init(_ session: Session, _ request: String, _ url: String, _ chance: inout SeededGenerator) throws {
            self.request = request
            let total = Duration.milliseconds(Int.random(in: 1...300, using: &chance))
            transfer = try session.start(
                .http2(url, request, total: total, options: HTTP2ChaosTests.options), waking: Wakeup(on: session.loop))
        }

        func leaveOrTake(_ chance: inout SeededGenerator) {
            if Int.random(in: 0..<12, using: &chance) == 0 { transfer.cancel() }
            if Bool.random(using: &chance) { body += transfer.takeBytes() }
        }

        var isOver: Bool { transfer.isOver && !transfer.hasBytes }
        var isWhole: Bool { (try? transfer.arrived()) == .end }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `every transfer ends, with its own answer or none, and nothing is left`(seed: UInt64) async throws {
        let ended = Ended()
        let server = try Self.server(seed: seed, ended)
        try await LoopActor.run { worker in
            var chance = SeededGenerator(seed: seed)
            for round in 0..<40 {
                let session = Session(on: worker.loop, Self.restless)
                var calls: [Call] = []
                for turn in 0..<60 {
                    for number in 0..<Int.random(in: 0...4, using: &chance) {
                        let nonce = "nonce \(round) \(turn) \(number)"
                        let request = nonce + String(repeating: ".", count: turn % 20 == 0 ? 90_000 : 0)
                        calls.append(try Call(session, request, server.url, &chance))
                    }
                    if Int.random(in: 0..<3, using: &chance) == 0 {
                        await worker.loop.sleep(for: .microseconds(Int.random(in: 1...4000, using: &chance)))
                    }
                    session.expectConsistent()
                    for call in calls {
                        call.leaveOrTake(&chance)
                        guard call.isOver, call.isWhole else { continue }
                        let body = String(decoding: call.body, as: UTF8.self)
                        #expect(ended.holds(body, for: call.request), "\(call.request.prefix(30)) \(body.prefix(40))")
                    }
                    calls.removeAll(where: \.isOver)
                }
                if round % 2 == 0 { for call in calls { _ = await call.transfer.outcome() } }
                session.expectConsistent()
                session.close()
                #expect(calls.allSatisfy { $0.transfer.isOver })
                #expect(session.context.idle.isEmpty)
                #expect(worker.loop.watches.allSatisfy { $0 == nil })
            }
            #expect(worker.loop.timers.first == nil)
            #expect(descriptorsConnected(to: server.port) == 0)
        }
    }
}
