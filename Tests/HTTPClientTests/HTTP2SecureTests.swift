import COpenSSL
import EventLoop
import TestSupport
import Testing

@testable import HTTPClient

/// Frames of HTTP/2 among what else TLS has to say.
@Suite struct HTTP2SecureTests {
    /// What TLS says besides; the last two end the connection.
    enum Aside: CaseIterable {
        case nothing, tickets, ticketFlood, keyUpdate, keyUpdates, closeNotify, endOfFile

        var endsConnection: Bool { self == .closeNotify || self == .endOfFile }
        var isHarmless: Bool { !endsConnection && self != .ticketFlood }

        fileprivate func bytes(of secure: SecurePeer) -> [UInt8] {
            switch self {
            case .nothing, .endOfFile: []
            case .tickets: (0..<30).flatMap { _ in secure.ticket() }
            case .ticketFlood: (0..<100).flatMap { _ in secure.ticket() }
            case .keyUpdate: secure.keyUpdate()
            case .keyUpdates: (0..<30).flatMap { _ in secure.keyUpdate() }
            case .closeNotify: secure.goodbye()
            }
        }
    }

    private struct Site: @unchecked Sendable {
        let file: String
        let context: TLSPeerContext
        private let directory: TemporaryDirectory

        init() throws {
            let authority = TestCertificate(.authority())
            directory = try TemporaryDirectory()
            file = try directory.write(authority.pem, to: "authority.pem")
            context = unsafe TLSPeerContext(TestCertificate(by: authority), protocolName: "h2")
        }
    }

    /// An answer in five parts, each in a record of its own: SETTINGS, a head, a body, another, the end.
    private static let parts: [[UInt8]] = [
        Frame.settings().bytes + Frame(.settings, flags: Frame.acknowledgement).bytes, Frame.head(1, status: 200).bytes,
        Frame.data(1, "first ").bytes, Frame.data(1, "second").bytes, Frame.data(1, "", isLast: true).bytes,
    ]

    /// - Parameter place: ahead of which part something else is said; behind all of them for 5.
    @Test(arguments: Aside.allCases, 0...5)
    func `an answer is whole if its end has come, whatever else comes`(aside: Aside, place: Int) async throws {
        let site = try Site()
        let server = try ScriptServer { peer in
            guard let secure = SecurePeer(peer, site.context) else { return }
            var bytes: [UInt8] = []
            for (number, part) in (Self.parts + [[]]).enumerated() {
                if number == place { bytes += aside.bytes(of: secure) }
                if number == place, aside.endsConnection { break }
                bytes += part.isEmpty ? [] : secure.records(part)
            }
            // Once the request is there.
            guard secure.hasInput() else { return }
            for byte in bytes.prefix(200) { peer.send([byte]) }
            peer.send(Array(bytes.dropFirst(200)))
            if aside.endsConnection { peer.waitUntilRead() } else { peer.waitForEnd() }
        }
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(site.file))
            let outcome = try await session.withTransfer(.post(server.secureURL, "{}")) { await $0.outcome() }
            let isWhole = aside.isHarmless || place == Self.parts.count
            if isWhole { #expect(outcome == .ok("first second")) } else { #expect(outcome.isFailure) }
            session.close()
            #expect(descriptorsConnected(to: server.port) == 0)
        }
    }
}
