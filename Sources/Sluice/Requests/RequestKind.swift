// What a request is for, by its path and method.

import Chat
import FastCGI

enum RequestKind {
    case chat, models, openAPI
    /// The process's own pages, which the web server has to permit.
    case status, ping, metrics, page
    case unknownPath
    case wrongMethod(allowed: Methods)

    /// What a path can be asked for.
    enum Methods: String {
        case post = "POST"
        case read = "GET, HEAD"

        func allows(_ method: String?) -> Bool {
            guard let method else { return false }
            switch self {
            case .post: return method.hasSameBytes(as: "POST")
            case .read: return method.hasSameBytes(as: "GET") || method.hasSameBytes(as: "HEAD")
            }
        }
    }

    /// By the path's end alone: platforms append theirs to base URLs of any kind (contract §1).
    private static let endings: [(path: String, methods: Methods, kind: RequestKind)] = [
        ("/chat/completions", .post, .chat), ("/models", .read, .models), ("/openapi.json", .read, .openAPI),
        ("/sluice/status", .read, .status), ("/sluice/ping", .read, .ping), ("/sluice/metrics", .read, .metrics),
        ("/sluice", .read, .page),
    ]

    /// - Parameter hasPage: whether there is a page for browsers; without it nothing is at its path.
    init(_ request: Request, hasPage: Bool) {
        let uri = request["REQUEST_URI"] ?? (request["SCRIPT_NAME"] ?? "") + (request["PATH_INFO"] ?? "")
        // Where the web server permits them it has asked for no token, and there is nothing else.
        let isForOwnPages = Self.permitsOwnPages(request)
        for ending in Self.endings where ending.kind.isOwnPage == isForOwnPages && Self.path(of: uri, endsWith: ending.path) {
            if case .page = ending.kind, !hasPage { continue }
            self = ending.methods.allows(request["REQUEST_METHOD"]) ? ending.kind : .wrongMethod(allowed: ending.methods)
            return
        }
        self = .unknownPath
    }

    /// Whether it is about this process, and nobody's request of an upstream.
    var isOwnPage: Bool {
        switch self {
        case .status, .ping, .metrics, .page: true
        case .chat, .models, .openAPI, .unknownPath, .wrongMethod: false
        }
    }

    /// Whether an answer to it has no body (RFC 3875 §4.3.3): some web servers take one for an answer that is broken.
    func isHeadAlone(_ request: Request) -> Bool {
        if case .chat = self { return false }
        return request["REQUEST_METHOD"]?.hasSameBytes(as: "HEAD") == true
    }

    /// The parameters without which nobody knows what a request asks for (FastCGI 1.0 §6.2), as far as it lacks them.
    static func missingParameters(of request: Request) -> [String] {
        func isMissing(_ value: String?) -> Bool { value?.isEmpty != false }
        let hasPath = !isMissing(request["REQUEST_URI"]) || !isMissing(request["SCRIPT_NAME"]) || !isMissing(request["PATH_INFO"])
        return (isMissing(request["REQUEST_METHOD"]) ? ["REQUEST_METHOD"] : []) + (hasPath ? [] : ["REQUEST_URI"])
    }

    /// Only what the web server says itself has this name: a caller's headers become `HTTP_…`.
    private static func permitsOwnPages(_ request: Request) -> Bool { request["SLUICE_STATUS"]?.hasSameBytes(as: "on") == true }

    /// A slash at the path's end makes no difference. `#` ends it as `?` does: web servers choose by what is before it.
    private static func path(of uri: String, endsWith ending: String) -> Bool {
        let (bytes, ending) = (uri.utf8Span.span, ending.utf8Span.span)
        var end = bytes.indices.first { bytes[$0] == UInt8(ascii: "?") || bytes[$0] == UInt8(ascii: "#") } ?? bytes.count
        if end > 0, bytes[end - 1] == UInt8(ascii: "/") { end -= 1 }
        guard end >= ending.count else { return false }
        return ending.indices.allSatisfy { bytes[end - ending.count + $0] == ending[$0] }
    }
}
