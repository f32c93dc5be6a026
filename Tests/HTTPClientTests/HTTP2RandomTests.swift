import EventLoop
import HTTPClient
import Synchronization
import TestSupport
import Testing

/// Frames by chance: no transfer gets another's bytes, and none is whole that the server has not ended.
@Suite(.timeLimit(.minutes(5))) struct HTTP2RandomTests {
    /// The bodies that were ended, by the request that they answer.
    private final class Ended: Sendable {
        private let bodies = Mutex<[String: Set<String>]>([:])

        func add(_ body: String, for request: String) { bodies.withLock { _ = $0[request, default: []].insert(body) } }

        func holds(_ body: String, for request: String) -> Bool { bodies.withLock { $0[request]?.contains(body) ?? false } }
    }

    /// - Parameter mutationPercent: of connections on which some bytes are not what they should be.
    private static func server(seed: UInt64, mutationPercent: Int, _ ended: Ended) throws -> ScriptServer {
        try ScriptServer { peer in
            var chance = SeededGenerator(seed: seed << 32 | UInt64(peer.number))
            guard peer.beginHTTP2(RandomFrames.settings(&chance)) else { return }
            var reader = RequestReader(peer)
            var frames = RandomFrames(chance)
            for (stream, body) in reader.all() {
                frames.requests[stream] = (body, "")
                frames.streams.append(stream)
            }
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...40, using: &chance) { bytes += frames.next().bytes }
            for (request, body) in frames.ended { ended.add(body, for: request) }
            if Int.random(in: 0..<100, using: &chance) < mutationPercent { mutate(&bytes, &chance) }
            for start in stride(from: 0, to: bytes.count, by: 700) {
                peer.send(Array(bytes[start..<min(start + 700, bytes.count)]))
            }
        }
    }

    private static func mutate(_ bytes: inout [UInt8], _ chance: inout SeededGenerator) {
        for _ in 0..<Int.random(in: 1...5, using: &chance) {
            guard let index = bytes.indices.randomElement(using: &chance) else { return }
            switch Int.random(in: 0..<3, using: &chance) {
            case 0: bytes[index] = UInt8.random(in: 0 ... .max, using: &chance)
            case 1: bytes.remove(at: index)
            default: bytes.insert(UInt8.random(in: 0 ... .max, using: &chance), at: index)
            }
        }
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func `what is whole was ended by the server, and is its own`(seed: UInt64) async throws {
        let ended = Ended()
        let server = try Self.server(seed: seed, mutationPercent: 0, ended)
        let count = try await Self.run(server, rounds: 150) { request, outcome in
            if case .whole(_, let body) = outcome {
                #expect(ended.holds(body, for: request), "\(request) got \(body.prefix(40))")
            }
        }
        #expect(count.whole > 0 && count.failed > 0)
    }

    @Test(arguments: 100..<104 as Range<UInt64>)
    func `any bytes at all end every transfer`(seed: UInt64) async throws {
        let server = try Self.server(seed: seed, mutationPercent: 90, Ended())
        _ = try await Self.run(server, rounds: 150) { _, _ in }
    }

    /// Five transfers at once, again and again.
    private static func run(
        _ server: ScriptServer, rounds: Int, _ check: @escaping @Sendable (String, TransferOutcome) -> Void
    ) async throws -> (whole: Int, failed: Int) {
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .patient)
            var count = (whole: 0, failed: 0)
            for round in 0..<rounds {
                let requests = (0..<5).map { "nonce \(round) \($0)" }
                let transfers = try session.begin(requests, server.url)
                if round % 7 == 0 { transfers[round % 5].cancel() }
                for (transfer, request) in zip(transfers, requests) {
                    let outcome = await transfer.outcome()
                    #expect(outcome != .failed(.timedOut(.total, after: .seconds(300))))
                    if outcome.isFailure { count.failed += 1 } else { count.whole += 1 }
                    check(request, outcome)
                }
            }
            session.close()
            #expect(descriptorsConnected(to: server.port) == 0)
            return count
        }
    }
}

/// Makes frames that are sound one by one, and often enough as a whole.
struct RandomFrames {
    var streams: [UInt32] = []
    /// What each asked, and what its body is so far.
    var requests: [UInt32: (request: String, body: String)] = [:]
    /// What was ended, and how.
    private(set) var ended: [(String, String)] = []
    private var hasHead: Set<UInt32> = []
    private var isOver: Set<UInt32> = []
    private var chance: SeededGenerator

    init(_ chance: SeededGenerator) { self.chance = chance }

    static func settings(_ chance: inout SeededGenerator) -> Frame {
        switch Int.random(in: 0..<4, using: &chance) {
        case 0: .settings(Frame.streamsMax, UInt32.random(in: 1...6, using: &chance))
        case 1: .settings(Frame.initialWindow, UInt32.random(in: 0...100_000, using: &chance))
        default: .settings()
        }
    }

    mutating func next() -> Frame {
        guard let stream = streams.randomElement(using: &chance) else { return .settings() }
        switch Int.random(in: 0..<100, using: &chance) {
        case 0..<70: return content(of: stream)
        case 70..<75: return Frame(.ping, (0..<8).map { _ in UInt8.random(in: 0 ... .max, using: &chance) })
        case 75..<80:
            return .windowUpdate([0, stream].randomElement(using: &chance) ?? 0, UInt32.random(in: 0...9, using: &chance))
        case 80..<84: return Self.settings(&chance)
        case 84..<88: return Frame(kind: .random(in: 10 ... .max, using: &chance), flags: 0xFF, stream: stream, payload: [1])
        case 88..<92: return reset(stream)
        case 92..<94: return .goAway(last: [0, 1, 3, 5, 0x7FFF_FFFF].randomElement(using: &chance) ?? 0)
        case 94..<96: return .data(stream + 1000, "stray")
        case 96..<98: return Frame(kind: .random(in: 1...9, using: &chance), flags: 0, stream: stream, payload: [0, 0, 0, 0])
        default: return .head(stream, [(":status", "200"), ("Bad Name", "x")])
        }
    }

    /// A head if there was none, else a piece of the body; perhaps the last. What follows the end is the server's fault.
    private mutating func content(of stream: UInt32) -> Frame {
        guard let (request, body) = requests[stream] else { return .settings() }
        guard hasHead.contains(stream) else {
            if Int.random(in: 0..<8, using: &chance) == 0 { return .head(stream, status: 103) }
            hasHead.insert(stream)
            return .head(stream, status: 200)
        }
        let piece = String(repeating: "\(request);", count: .random(in: 0...100, using: &chance))
        let isLast = Int.random(in: 0..<5, using: &chance) == 0
        guard isOver.insert(stream).inserted || !isLast else { return .data(stream, piece, isLast: true) }
        if !isLast { isOver.remove(stream) }
        requests[stream] = (request, body + piece)
        if isLast { ended.append((request, body + piece)) }
        return .data(stream, piece, isLast: isLast)
    }

    private mutating func reset(_ stream: UInt32) -> Frame {
        .reset(stream, code: [0, 2, 7, 8, 11].randomElement(using: &chance) ?? 0)
    }
}
