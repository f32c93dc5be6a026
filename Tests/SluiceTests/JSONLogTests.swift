import EventLoop
import FastCGI
import Glibc
import HTTPClient
import Logging
import Testing

@testable import Settings
@testable import Sluice

/// The lines that do not tell of a request.
@Suite struct JSONLogTests {
    /// What is logged, from the message on.
    private func lines(_ log: (Logger) -> Void) -> [String] {
        var ends: [Int32] = [0, 0]
        _ = unsafe pipe(&ends)
        defer { for end in ends { close(end) } }
        let output = LogOutput(ends[1])
        log(Logger(label: "test", factory: { _ in JSONLog(output: output, logLevel: .trace) }))
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe read(ends[0], &buffer, buffer.count)
        return String(decoding: buffer[..<max(0, count)], as: UTF8.self).split(separator: "\n").map { line in
            line.ranges(of: #""message""#).first.map { String(line[$0.lowerBound...]) } ?? String(line)
        }
    }

    @Test func `numbers are numbers, and durations are as settings write them`() {
        let lines = lines { logger in
            logger.fewDescriptors(1024, requests: 4096)
            logger.draining(.seconds(30))
            logger.ignored(signal: 1)
            logger.warmConnections("a", .ready(connections: 2))
        }
        #expect(lines.first?.hasSuffix(#","descriptors":1024,"requests":4096}"#) == true)
        #expect(
            lines.dropFirst() == [
                #""message":"draining: no new requests","limit":"30s"}"#,
                #""message":"a signal was ignored","signal":1}"#,
                #""message":"connections stand ready","count":2,"upstream":"a"}"#,
            ])
    }

    @Test(arguments: [
        (ConnectionRefusal.peerNotAllowed(userID: 65534), "the user 65534 may not connect: socket.allowed_users leaves it out"),
        (.parametersTooLarge(limit: 65536), "the parameters are larger than limits.parameters, 64KiB"),
        (.unexpectedRecord(type: 9), "a record of type 9 is out of place"),
    ])
    func `a refused connection is told in plain words`(refusal: ConnectionRefusal, words: String) {
        let line = #""message":"a FastCGI connection was refused","reason":"\#(words)","total":1}"#
        #expect(lines { $0.connectionRefused(refusal, total: 1) } == [line])
    }

    @Test func `the HTTP client's timeouts are told as settings write them`() {
        #expect(HTTPError.timedOut(.connect, after: .seconds(3)).description == "no connection within 3s")
        #expect(HTTPError.timedOut(.total, after: .milliseconds(1500)).description == "not finished within 1500ms")
    }
}
