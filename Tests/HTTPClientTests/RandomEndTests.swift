import Glibc
import TestSupport
import Testing

@testable import EventLoop
@testable import HTTPClient

/// An end must be proved.
@Suite(.timeLimit(.minutes(5))) struct RandomEndTests {
    enum Framing: Int, CaseIterable { case length, chunked, untilClose }
    enum End: Int, CaseIterable { case fin, reset, unread }

    /// One answer and where it is cut, as it stands in a request's target.
    struct Cut {
        let framing: Framing
        let end: End
        let place: Int

        init(_ framing: Framing, _ end: End, place: Int) { (self.framing, self.end, self.place) = (framing, end, place) }

        init?(request: String) {
            let numbers = request.split(separator: " ")[1].split(separator: "/").compactMap { Int($0) }
            guard numbers.count == 3, let framing = Framing(rawValue: numbers[0]), let end = End(rawValue: numbers[1]) else {
                return nil
            }
            self.init(framing, end, place: numbers[2])
        }

        var target: String { "/\(framing.rawValue)/\(end.rawValue)/\(place)" }

        static func answer(_ framing: Framing) -> String {
            switch framing {
            case .length: "HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz"
            case .chunked:
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n"
            case .untilClose: "HTTP/1.1 200 OK\r\n\r\nabcdefghijklmnopqrstuvwxyz"
            }
        }

        /// A line end is two bytes and one character.
        var sent: String { String(decoding: Self.answer(framing).utf8.prefix(place), as: UTF8.self) }

        static func random(isSecure: Bool, _ generator: inout SeededGenerator) -> Cut {
            let framing = Framing.allCases[Int.random(in: 0..<3, using: &generator)]
            // Under TLS everything is read.
            let end = End.allCases[Int.random(in: 0..<(isSecure ? 2 : 3), using: &generator)]
            let count = answer(framing).utf8.count
            // The whole of one without a length may be cut too: by anything but an orderly end.
            let isEndless = framing == .untilClose && (isSecure || end != .fin)
            let head = framing == .untilClose && end == .fin && !isSecure ? 19 : count
            return Cut(framing, end, place: Int.random(in: 0..<(isEndless ? count + 1 : head), using: &generator))
        }
    }

    static func cut(_ peer: Peer, _ end: End) {
        switch end {
        case .fin: break
        case .reset: peer.reset()
        case .unread: peer.waitForUnread()
        }
    }

    @Test(arguments: [false, true]) func `of 10,000 answers that are cut not one counts as whole`(isSecure: Bool) async throws {
        let (site, count, width) = (try SecureSite(), isSecure ? 2_000 : 8_000, 16)
        let server = try ScriptServer { peer in
            if isSecure {
                guard let secure = SecurePeer(peer, site.context), let request = secure.request() else { return }
                guard let cut = Cut(request: request) else { return }
                if !cut.sent.isEmpty { secure.send(cut.sent) }
                Self.cut(peer, cut.end)
            } else {
                guard let head = peer.waitForHead(), let cut = Cut(request: head) else { return }
                peer.send(cut.sent)
                Self.cut(peer, cut.end)
            }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, isSecure ? .trusting(site.file) : .patient)
            let url = isSecure ? "https://localhost:\(server.port)" : "http://127.0.0.1:\(server.port)"
            let tasks = (0..<width).map { lane in
                worker.start {
                    var (generator, whole) = (SeededGenerator(seed: UInt64(lane)), [String]())
                    for _ in 0..<count / width {
                        let cut = Cut.random(isSecure: isSecure, &generator)
                        // A body that is sent while the answer is cut meets the reset first.
                        let size = cut.end == .unread ? 1 << 20 : Int.random(in: 0...400_000, using: &generator)
                        let body = isSecure ? 0 : size
                        let request = HTTPRequest(
                            .post, url + cut.target, body: [UInt8](repeating: 0, count: body), connectTimeout: .seconds(60),
                            totalTimeout: .seconds(60))
                        switch await session.failure(of: request).error {
                        case .cutOff, .tls: break
                        case let error: whole.append("\(cut) \(String(describing: error))")
                        }
                    }
                    return whole
                }
            }
            for task in tasks {
                let whole = try await task.value
                #expect(whole.isEmpty, "\(whole.prefix(3))")
            }
            session.expectNothingLeft()
        }
    }

    @Test func `an orderly end is the end of an answer without a length`() async throws {
        let server = try ScriptServer { peer in
            _ = peer.request()
            peer.send("HTTP/1.1 200 OK\r\n\r\nhello")
        }
        try await LoopActor.run { worker throws in
            let session = Session(on: worker.loop, .patient)
            for _ in 0..<20 { #expect(try await session.fetch(.post(server.url, "{}")).body == "hello") }
            session.expectNothingLeft()
        }
    }
}
