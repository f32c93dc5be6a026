// What a request asks for.

/// The methods that there is a use for (RFC 9110 §9.3).
package enum HTTPMethod: Sendable { case head, get, post }

extension HTTPMethod {
    /// As it stands in a request line.
    var name: String {
        switch self {
        case .head: "HEAD"
        case .get: "GET"
        case .post: "POST"
        }
    }
}
