// What the web server passed on.

/// A complete, checked request.
package struct Request {
    let connection: Connection
    let number: Int
    /// What came on STDIN. `CONTENT_LENGTH` plays no part: servers leave it empty or set it to −1.
    package let body: [UInt8]
    /// The body went over the limit and was dropped; the answer to that is 413.
    package let isBodyTooLarge: Bool

    /// A CGI variable (RFC 3875 §4.1) or `HTTP_…` header; `nil` when absent, and once the answer is finished.
    package subscript(_ name: String) -> String? { connection.parameter(name, of: number) }
}
