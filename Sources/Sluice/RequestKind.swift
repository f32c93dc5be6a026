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
        var path = uri.utf8.prefix { $0 != UInt8(ascii: "?") }
        if path.last == UInt8(ascii: "/") { path.removeLast() }
        for ending in Self.endings where path.suffix(ending.path.utf8.count).elementsEqual(ending.path.utf8) {
            // For HEAD the web server leaves the body out.
            guard let method = request["REQUEST_METHOD"], ending.methods.contains(method) else {
                throw .methodNotAllowed(allowed: ending.methods.joined(separator: ", "))
            }
            self = ending.kind
            return
        }
        throw .unknownPath
    }
}
