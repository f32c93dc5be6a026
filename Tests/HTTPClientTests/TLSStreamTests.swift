import COpenSSL
import Testing

@testable import HTTPClient

@Suite(.timeLimit(.minutes(5))) struct TLSStreamTests {
    private let authority = TestCertificate(.authority())

    private func exchange(
        versions: ClosedRange<Int32> = TLS1_2_VERSION...TLS1_3_VERSION, protocolName: StaticString? = nil,
        protocols: [ALPN] = [.http2, .http1]
    ) throws -> TLSExchange {
        let server = unsafe TLSPeerContext(TestCertificate(by: authority), versions: versions, protocolName: protocolName)
        return try TLSExchange(.trusting(authority), server, protocols: protocols)
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION], [Int.max, 7, 1])
    func `bytes go both ways, however the ciphertext arrives`(version: Int32, step: Int) throws {
        let exchange = try exchange(versions: version...version)
        exchange.step = step
        try #expect(exchange.handshake() == nil)
        let request = (0..<50_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try exchange.write(request)
        #expect(exchange.peer.read() == request)
        exchange.peer.write(request)
        let (answer, end) = exchange.read(upTo: 1_000)
        #expect(answer == request)
        #expect(end == .wantsMore)
    }

    @Test func `what is left of a record read in part needs no more input`() throws {
        let exchange = try exchange()
        try #expect(exchange.handshake() == nil)
        _ = exchange.read()
        exchange.peer.write([1, 2, 3])
        let ciphertext = exchange.peer.takeOutput()
        var byte: UInt8 = 0
        unsafe ciphertext.withUnsafeBytes { bytes in
            unsafe exchange.stream.input = bytes
            guard case .bytes(1) = unsafe withUnsafeMutableBytes(of: &byte, { unsafe exchange.stream.read(into: $0) }) else {
                Issue.record("nothing was read")
                return
            }
        }
        #expect(byte == 1)
        #expect(unsafe exchange.stream.input?.isEmpty == true)
        unsafe exchange.stream.input = nil
        #expect(exchange.read() == ([2, 3], .wantsMore))
    }

    @Test func `of a record received in part nothing is read before the rest has come`() throws {
        let exchange = try exchange()
        try #expect(exchange.handshake() == nil)
        _ = exchange.read()
        exchange.peer.write([1, 2, 3])
        let ciphertext = exchange.peer.takeOutput()
        exchange.arriving = ciphertext.dropLast()
        #expect(exchange.read() == ([], .wantsMore))
        exchange.arriving = ciphertext.suffix(1)
        #expect(exchange.read().bytes == [1, 2, 3])
    }

    @Test(arguments: [("h2", ALPN.http2), ("http/1.1", .http1), (nil, nil)] as [(StaticString?, ALPN?)])
    func `the server chooses the protocol`(name: StaticString?, expected: ALPN?) throws {
        let exchange = try exchange(protocolName: name)
        try #expect(exchange.handshake() == nil)
        #expect(exchange.stream.negotiated == expected)
    }

    @Test(arguments: ["h2", "h3"] as [StaticString])
    func `a protocol that was not offered ends the connection`(name: StaticString) throws {
        let exchange = try exchange(protocolName: name, protocols: [.http1])
        try #expect(exchange.handshake()?.tlsReason != nil)
        #expect(throws: HTTPError.self) { try exchange.write([1]) }
    }

    @Test(arguments: [TLS1_VERSION, TLS1_1_VERSION])
    func `a server of TLS 1·0 or 1·1 is refused in words`(version: Int32) throws {
        let exchange = try exchange(versions: version...version)
        try #expect(exchange.handshake() == .tls(reason: "no TLS version in common: at least TLS 1.2 is needed"))
    }

    @Test(arguments: ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "220 mail ESMTP\r\n"])
    func `a server that speaks no TLS is refused in words`(answer: String) throws {
        let exchange = try exchange()
        exchange.arriving = Array(answer.utf8)
        try #expect(exchange.handshake() == .tls(reason: "the server speaks no TLS"))
    }

    @Test func `a server of SSL 3 is refused in words`() throws {
        let exchange = try exchange()
        // A ServerHello (RFC 6101 §5.6.1.3): no session, TLS_RSA_WITH_3DES_EDE_CBC_SHA, no compression.
        let hello: [UInt8] = [2, 0, 0, 38, 3, 0] + [UInt8](repeating: 7, count: 32) + [0, 0, 10, 0]
        exchange.arriving = [22, 3, 0, 0, UInt8(hello.count)] + hello
        try #expect(exchange.handshake() == .tls(reason: "no TLS version in common: at least TLS 1.2 is needed"))
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `only a close_notify is an end`(version: Int32) throws {
        let exchange = try exchange(versions: version...version)
        try #expect(exchange.handshake() == nil)
        exchange.peer.write([1, 2, 3])
        #expect(exchange.read() == ([1, 2, 3], .wantsMore))
        exchange.peer.close()
        exchange.arriving = exchange.peer.takeOutput()
        let close = exchange.arriving
        exchange.arriving = close.dropLast()
        #expect(exchange.read().end == .wantsMore)
        exchange.arriving = close.suffix(1)
        #expect(exchange.read().end == .closed)
        #expect(exchange.read().end == .closed)
    }

    @Test func `a close tells the peer and ends writing, not reading`() throws {
        let exchange = try exchange()
        try #expect(exchange.handshake() == nil)
        exchange.close()
        _ = exchange.peer.read()
        #expect(exchange.peer.isClosedByClient)
        exchange.peer.write([9])
        #expect(exchange.read().bytes == [9])
        #expect(throws: HTTPError.self) { try exchange.write([1]) }
    }

    @Test func `nothing can be read or written before the handshake is done`() throws {
        let exchange = try exchange()
        #expect(throws: HTTPError.self) { try exchange.write([1]) }
        #expect(exchange.read().end == .failed(.tls(reason: "the handshake is not done")))
        #expect(exchange.lastOutput.isEmpty)
        try #expect(exchange.handshake() == nil)
        try exchange.write([1])
        #expect(exchange.peer.read() == [1])
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `a byte that was changed on the way is a failure and never other plaintext`(version: Int32) throws {
        let server = unsafe TLSPeerContext(TestCertificate(by: authority), versions: version...version)
        let context = try TLSContext.trusting(authority)
        let plaintext = Array("data: hello\n\n".utf8)
        for position in 0..<40 {
            let exchange = try TLSExchange(context, server)
            try #expect(exchange.handshake() == nil)
            _ = exchange.read()
            exchange.peer.write(plaintext)
            exchange.peer.write(plaintext)
            exchange.arriving = exchange.peer.takeOutput()
            let first = exchange.arriving.count / 2
            exchange.arriving[first + position % first] ^= 1 << UInt8(position % 8)
            let (bytes, end) = exchange.read()
            #expect(bytes == plaintext, "byte \(position)")
            // A record that claims to be longer waits for the rest.
            let isLength = position % first == 3 || position % first == 4
            guard case .failed = end else {
                #expect(isLength && end == .wantsMore, "byte \(position)")
                continue
            }
            #expect(exchange.read().end == end)
        }
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `a handshake that was changed on the way fails`(version: Int32) throws {
        let server = unsafe TLSPeerContext(TestCertificate(by: authority), versions: version...version)
        let context = try TLSContext.trusting(authority)
        for position in stride(from: 5, to: 700, by: 23) {
            let exchange = try TLSExchange(context, server)
            _ = exchange.stream.handshake()
            exchange.peer.receive(exchange.output.bytes)
            exchange.output.removeAll()
            exchange.exchange()
            exchange.arriving[position] ^= 0x10
            do {
                let error = try exchange.handshake()
                #expect(error != nil, "byte \(position)")
            } catch is TLSExchange.Stalled {
                // A length that grew waits for the rest.
            }
        }
    }

    @Test func `one connection's error never shows in another's`() throws {
        let (good, bad) = try (exchange(), exchange())
        try #expect(good.handshake() == nil)
        bad.arriving = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)
        try #expect(bad.handshake() != nil)
        #expect(ERR_peek_error() == 0)
        good.peer.write([1])
        #expect(good.read() == ([1], .wantsMore))
    }

    @Test func `a flood of key updates ends the connection and is answered no longer`() throws {
        let exchange = try exchange(versions: TLS1_3_VERSION...TLS1_3_VERSION)
        try #expect(exchange.handshake() == nil)
        _ = exchange.read()
        for _ in 0..<1_000 {
            unsafe SSL_key_update(exchange.peer.pointer, SSL_KEY_UPDATE_REQUESTED)
            exchange.exchange()
        }
        #expect(exchange.read().end == .failed(.tls(reason: "a flood of records without data")))
        // Nor are the others gone over.
        #expect(exchange.stream.messages == TLSStream.messagesMax)
    }

    @Test func `a flood of key updates with a byte of data now and then is one, too`() throws {
        let exchange = try exchange(versions: TLS1_3_VERSION...TLS1_3_VERSION)
        try #expect(exchange.handshake() == nil)
        _ = exchange.read()
        var end = TLSExchange.End.wantsMore
        for _ in 0..<10 where end == .wantsMore {
            for _ in 0..<60 {
                unsafe SSL_key_update(exchange.peer.pointer, SSL_KEY_UPDATE_NOT_REQUESTED)
                exchange.exchange()
            }
            exchange.peer.write([1])
            end = exchange.read().end
        }
        #expect(end == .failed(.tls(reason: "a flood of records without data")))
    }

    /// A server whose tickets have so many bytes of its own in them, in records of 512 bytes.
    private func exchange(ticketBytes: Int) throws -> TLSExchange {
        let server = unsafe TLSPeerContext(
            TestCertificate(by: authority), versions: TLS1_3_VERSION...TLS1_3_VERSION,
            configure: { context in
                // SSL_CTX_set_max_send_fragment(3)
                _ = unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_SEND_FRAGMENT, 512, nil)
                unsafe SSL_CTX_set_session_ticket_cb(
                    context,
                    { ssl, count in
                        let bytes = [UInt8](repeating: 1, count: Int(bitPattern: count))
                        return unsafe SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), bytes, bytes.count)
                    }, nil, UnsafeMutableRawPointer(bitPattern: ticketBytes))
            })
        let exchange = try TLSExchange(.trusting(authority), server)
        try #expect(exchange.handshake() == nil)
        #expect(exchange.read() == ([], .wantsMore))
        return exchange
    }

    @Test func `what is written while half a ticket is there goes out behind the rest of it`() throws {
        let exchange = try exchange(ticketBytes: 5_000)
        unsafe SSL_new_session_ticket(exchange.peer.pointer)
        exchange.exchange()
        let ticket = exchange.arriving
        let first = 5 + Int(ticket[3]) << 8 + Int(ticket[4])
        #expect(ticket.count > 5_000)
        #expect(exchange.stream.isSilent)
        exchange.arriving = Array(ticket[..<first])
        #expect(exchange.read() == ([], .wantsMore))
        #expect(!exchange.stream.isSilent)
        try exchange.write([1])
        try exchange.write([2, 3])
        #expect(exchange.stream.heldCount == 3)
        #expect(exchange.peer.read() == [])
        exchange.arriving = Array(ticket[first...])
        #expect(exchange.read() == ([], .wantsMore))
        #expect(exchange.peer.read() == [1, 2, 3])
        #expect(exchange.stream.isSilent)
        try exchange.write([4])
        #expect(exchange.peer.read() == [4])
    }

    @Test func `a ticket that does not come to its end is not kept for ever`() throws {
        let exchange = try exchange(ticketBytes: 60_000)
        unsafe SSL_new_session_ticket(exchange.peer.pointer)
        exchange.exchange()
        exchange.step = 1_000
        exchange.arriving = Array(exchange.arriving.dropLast(1_000))
        #expect(exchange.read().end == .failed(.tls(reason: "a message without data that is too large")))
        #expect(exchange.arriving.count > 10_000)
    }

    @Test func `some key updates between data are no flood`() throws {
        let exchange = try exchange(versions: TLS1_3_VERSION...TLS1_3_VERSION)
        try #expect(exchange.handshake() == nil)
        for number in UInt8(0)..<200 {
            unsafe SSL_key_update(exchange.peer.pointer, SSL_KEY_UPDATE_REQUESTED)
            exchange.exchange()
            exchange.peer.write([number])
            #expect(exchange.read() == ([number], .wantsMore))
            try exchange.write([number])
            #expect(exchange.peer.read() == [number])
        }
    }

    @Test func `a request to renegotiate is declined`() throws {
        let exchange = try exchange(versions: TLS1_2_VERSION...TLS1_2_VERSION)
        try #expect(exchange.handshake() == nil)
        _ = exchange.read()
        unsafe SSL_renegotiate(exchange.peer.pointer)
        exchange.exchange()
        #expect(!exchange.arriving.isEmpty)
        #expect(exchange.read() == ([], .wantsMore))
        // An alert (21), not a ClientHello (22).
        #expect(exchange.lastOutput.first == 21)
    }
}
