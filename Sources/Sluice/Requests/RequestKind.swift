// What a request is for, by its path and method.

import Chat
import FastCGI

enum RequestKind {
    case chat, models, openAPI

    /// By the path's end alone: platforms append theirs to base URLs of any kind (contract §1).
    private static let endings: [(path: String, methods: [String], kind: RequestKind)] = [
        ("/chat/completions", ["POST"], .chat), ("/models", ["GET", "HEAD"], .models),
        ("/openapi.json", ["GET", "HEAD"], .openAPI),
    ]

    /// - Throws: `ChatError.unknownPath` and `.methodNotAllowed`.
    init(_ request: Request) throws(ChatError) {
        let uri = request["REQUEST_URI"] ?? (request["SCRIPT_NAME"] ?? "") + (request["PATH_INFO"] ?? "")
        for ending in Self.endings where Self.path(of: uri, endsWith: ending.path) {
            // For HEAD the web server leaves the body out.
            guard let method = request["REQUEST_METHOD"], ending.methods.contains(where: method.hasSameBytes) else {
                throw .methodNotAllowed(allowed: ending.methods.joined(separator: ", "))
            }
            self = ending.kind
            return
        }
        throw .unknownPath
    }

    /// A slash at the path's end makes no difference.
    private static func path(of uri: String, endsWith ending: String) -> Bool {
        let (bytes, ending) = (uri.utf8Span.span, ending.utf8Span.span)
        var end = bytes.indices.first { bytes[$0] == UInt8(ascii: "?") } ?? bytes.count
        if end > 0, bytes[end - 1] == UInt8(ascii: "/") { end -= 1 }
        guard end >= ending.count else { return false }
        return ending.indices.allSatisfy { bytes[end - ending.count + $0] == ending[$0] }
    }
}
