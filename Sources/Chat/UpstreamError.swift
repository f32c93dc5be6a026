/// An error that an upstream reported, in a response's body or in an event of its stream.
///
/// Understood are OpenAI's `{"error":{"message":…}}`, a bare `{"error":"text"}`, and what other servers send:
/// `{"object":"error","message":…}` (vLLM), `{"message":…}`, `{"detail":"text"}` (FastAPI).
package struct UpstreamError: Hashable, Sendable {
    /// The upstream's own error object, byte for byte; nil when it sent none with a `message` of text.
    package let object: [UInt8]?
    /// What happened, in the upstream's words, which may quote the request; nil when it gave none, or an empty one.
    package let message: String?
    /// The class of error, such as `invalid_request_error`.
    package let type: String?
    /// The code as text, also when it was sent as a number.
    package let code: String?
    /// The path of the parameter at fault.
    package let param: String?

    /// Reads an error from a validated JSON document.
    /// - Returns: nil when the document does not report one.
    init?(root: JSONValue, in document: Span<UInt8>) {
        guard root.kind == .object else { return nil }
        let error = root.member("error", in: document)
        switch error?.kind {
        case .object: self.init(object: error ?? root, in: document)
        case .string: self.init(message: Self.text(error, in: document))
        default:
            if root.member("message", in: document)?.kind == .string {
                self.init(object: root, in: document)
            } else if let detail = root.member("detail", in: document)?.string(in: document) {
                self.init(message: detail)
            } else {
                return nil
            }
        }
    }

    /// Reads an error from a response's body, of whatever kind that is.
    /// - Returns: nil when it is not JSON or reports no error.
    package init?(body: Span<UInt8>, depthMax: Int) {
        do throws(JSONError) {
            self.init(root: try JSONScanner.validate(body, depthMax: depthMax), in: body)
        } catch {
            return nil
        }
    }

    private init(object: JSONValue, in document: Span<UInt8>) {
        message = Self.text(object.member("message", in: document), in: document)
        type = object.member("type", in: document)?.string(in: document)
        param = object.member("param", in: document)?.string(in: document)
        let code = object.member("code", in: document)
        self.code = code?.string(in: document) ?? code?.integer(in: document).map(String.init)
        self.object = message == nil ? nil : document.bytes(in: object.range)
    }

    /// The text of a string that is not empty.
    private static func text(_ value: JSONValue?, in document: Span<UInt8>) -> String? {
        let text = value?.string(in: document)
        return text == "" ? nil : text
    }

    private init(message: String?) {
        (self.message, object, type, code, param) = (message, nil, nil, nil, nil)
    }
}
