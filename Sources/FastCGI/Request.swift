// What the web server passed on.

package import Clock
package import EventLoop

/// A complete, checked request. Its parts are there until `release()`, or until its answer is finished.
package struct Request {
    let connection: Connection
    let number: Int
    /// What came on STDIN. What `CONTENT_LENGTH` says makes no difference to it: servers leave it empty or set it to −1.
    package var body: [UInt8] { connection.body(of: number) }
    /// What the body takes of the budget for all requests: whoever keeps the body keeps this.
    package var memory: MemoryShare? { connection.memory(of: number) }
    /// Why the body was dropped, and perhaps all else; the answer to that is 413, 503, 431 or 400.
    package let dropped: DropReason?
    /// When its first byte came, as far as it did not come at once.
    package let start: Instant

    /// A CGI variable (RFC 3875 §4.1) or `HTTP_…` header; `nil` when absent.
    package subscript(_ name: StaticString) -> String? { connection.parameter(name, of: number) }

    /// Whether the web server has passed more than one of that name.
    package func isRepeated(_ name: StaticString) -> Bool { connection.isRepeated(name, of: number) }

    /// Frees the parameters and the body: a stream that goes on for minutes needs neither.
    package func release() { connection.releaseRequest(number) }
}
