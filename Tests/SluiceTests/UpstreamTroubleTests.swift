import Chat
import HTTPClient
import Testing

@testable import Sluice

/// What goes wrong on the way to an upstream, in the log's words and in the caller's.
@Suite struct UpstreamTroubleTests {
    @Test(arguments: [
        (HTTPError.timedOut(.connect, after: .seconds(1)), ChatError.upstreamTimedOut(.connect, after: .seconds(1))),
        (.timedOut(.send, after: .seconds(2)), .upstreamTimedOut(.send, after: .seconds(2))),
        (.timedOut(.total, after: .seconds(3)), .upstreamTimedOut(.total, after: .seconds(3))),
    ])
    func `a timeout is told to the caller by its own name`(error: HTTPError, told: ChatError) throws {
        #expect(try ChatError(error) == told)
    }

    @Test func `a page in place of an error object is told with its status and what to check`() {
        let words = "\(UpstreamTrouble.page(status: 400))"
        #expect(words.hasPrefix("status 400 with a page of HTML"))
        #expect(words.contains("url") && words.contains("certificate"))
    }
}
