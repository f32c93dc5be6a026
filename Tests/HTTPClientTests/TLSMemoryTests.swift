import COpenSSL
import Foundation
import TestSupport
import Testing

@testable import HTTPClient

/// They measure the process, which has to be theirs alone: `Tests/run` runs them by themselves.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["SLUICE_TEST_MEMORY"] == "1")) struct TLSMemoryTests {
    /// 10,000 streams that stayed would hold at least 60 MiB.
    @Test(.enabled(if: !isSanitized)) func `streams that are let go leave nothing behind`() throws {
        let context = try TLSContext.trusting(TestCertificate(.authority()))
        let output = OutputBuffer()
        func makeOne() throws {
            let stream = try TLSStream(
                context, host: "localhost", protocols: [.http2, .http1], sessions: TLSSessions(), output: output)
            guard case .wantsMore = stream.handshake() else {
                Issue.record("it needs no server")
                return
            }
            output.removeAll()
        }
        for _ in 0..<100 { try makeOne() }
        let before = residentBytes()
        for _ in 0..<10_000 { try makeOne() }
        #expect(residentBytes() - before < 10 << 20)
    }

    @Test(.enabled(if: !isSanitized)) func `connections and their sessions leave nothing behind`() throws {
        let authority = TestCertificate(.authority())
        let context = try TLSContext.trusting(authority)
        let server = unsafe TLSPeerContext(TestCertificate(by: authority))
        func makeSome(_ count: Int) throws {
            for number in 0..<count {
                let sessions = TLSSessions()
                for _ in 0..<2 {
                    let exchange = try TLSExchange(context, server, sessions: sessions)
                    try #expect(exchange.handshake() == nil)
                    _ = exchange.read()
                    if number % 2 == 0 { exchange.close() }
                }
            }
        }
        try makeSome(20)
        let before = residentBytes()
        try makeSome(1_000)
        #expect(residentBytes() - before < 10 << 20)
    }
}
