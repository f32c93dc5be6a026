// What the web server passed on.

/// A complete, checked request. Its parts are there until `release()`, or until its answer is finished.
package struct Request {
    let connection: Connection
    let number: Int
    /// What came on STDIN. `CONTENT_LENGTH` plays no part: servers leave it empty or set it to −1.
    package var body: [UInt8] { connection.body(of: number) }
    /// The body went over the limit and was dropped; the answer to that is 413.
    package let isBodyTooLarge: Bool

    /// A CGI variable (RFC 3875 §4.1) or `HTTP_…` header; `nil` when absent.
    package subscript(_ name: StaticString) -> String? { connection.parameter(name, of: number) }

    /// Frees the parameters and the body: a stream that goes on for minutes needs neither.
    package func release() { connection.releaseRequest(number) }
}
