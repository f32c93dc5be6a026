// Where an API's chat completions are, and what a request to it looks like.

import Chat
import HTTPClient
import Settings

/// An API's URL, key and habits. A class: each request would copy all that it has else.
final class Endpoint: Sendable {
    /// The key that goes to it, and what else its answers may not show.
    let key: UpstreamKey
    private let kind: UpstreamSettings.Kind
    private let baseURL: String
    private let completionsURL: String
    /// Where it tells its models, and with what it is asked for them. Nil where nothing that is told there would help callers:
    /// what an Azure resource lists is not its deployments, and with callers' own keys each has a list of its own.
    private let models: (url: String, headers: [(name: String, value: String)])?
    private let apiVersion: String
    private let authorization: UpstreamSettings.Authorization
    /// What its requests have in common, of those for a stream and of those for a whole answer.
    private let common: (stream: CommonFields, whole: CommonFields)
    private let options: ConnectionOptions

    init(_ upstream: UpstreamSettings, _ options: ConnectionOptions) {
        self.options = options
        kind = upstream.kind
        baseURL = upstream.urlPrefix
        completionsURL = upstream.urlPrefix + upstream.path
        apiVersion = upstream.apiVersion
        authorization = upstream.authorization ?? (kind == .azure ? .header("api-key") : .scheme("Bearer"))
        var headers: [(name: String, value: String)] = []
        if case .secret(let key) = upstream.key { headers.append(authorization.field(key)) }
        headers += upstream.headers.map { ($0.name, $0.value) }
        let type = [(name: "Content-Type", value: "application/json")]
        common = (
            CommonFields(type + headers + [("Accept", "text/event-stream")]),
            CommonFields(type + headers + [("Accept", "application/json")])
        )
        let hasModels = kind != .azure && upstream.key != .passthrough
        models = hasModels ? (upstream.urlPrefix + upstream.modelsPath, headers + [("Accept", "application/json")]) : nil
        key = UpstreamKey(upstream)
    }

    /// What asks for its models; nil where it is not asked.
    var modelsRequest: HTTPRequest? {
        models.map { models in
            let limit = UpstreamModels.timeLimit
            return HTTPRequest(
                .get, models.url, headers: models.headers, connectTimeout: limit, totalTimeout: limit, options: options)
        }
    }

    /// A request, and the key with what else an answer to it may not show.
    ///
    /// - Parameter span: of the attempt; nil where it has none.
    /// - Throws: `ChatError` when the caller's key or a usable model is missing.
    func request(
        for question: Question, to target: Target, _ span: AttemptSpan?
    ) throws(ChatError) -> (request: HTTPRequest, key: UpstreamKey) {
        var headers = [(name: "X-Client-Request-Id", value: question.caller.clientRequestID)]
        var key = key
        if key.isFromCaller {
            let field = try callersKeyHeader(question.caller.authorization)
            key.secrets += UpstreamKey.secrets(of: field.value)
            headers.append(field)
        }
        headers += span.flatMap { question.caller.trace?.headers(for: $0) } ?? question.caller.traceHeaders
        let url = try url(of: target, for: question.chat.model)
        let rules = target.rules(for: question.chat)
        let body = question.chat.upstreamBody(rules.upstream, call: question.call)
        let copy = try question.memory.share(ofCopy: body.copiedCount)
        key.withholdsWords = question.chat.hasOwnTexts(rules.upstream)
        let request = HTTPRequest(
            .post, url, common: question.chat.isStreaming ? common.stream : common.whole, headers: headers,
            body: HTTPBody(body.opening, followedBy: body.rest), memory: (question.memory.body, copy),
            connectTimeout: target.timeouts.connect,
            totalTimeout: max(.milliseconds(1), target.timeouts.total - question.elapsed), options: options)
        return (request, key)
    }

    /// Azure puts the model, as its deployment, into the path (Azure OpenAI data plane reference, "Chat completions").
    private func url(of target: Target, for callersModel: String?) throws(ChatError) -> String {
        guard kind == .azure else { return completionsURL }
        guard let model = target.model(for: callersModel) else { throw .invalidParameter("model", .missing) }
        // Dots alone would lead to another path (RFC 3986 §5.2.4), also when they are escaped.
        guard !model.hasSameBytes(as: "."), !model.hasSameBytes(as: "..") else { throw .modelNotFound(known: []) }
        return "\(baseURL)/openai/deployments/\(model.percentEncoded)/chat/completions?api-version=\(apiVersion.percentEncoded)"
    }

    private func callersKeyHeader(_ authorization: String?) throws(ChatError) -> (name: String, value: String) {
        guard let authorization else { throw .missingCallersKey }
        if case .scheme("Bearer") = self.authorization { return ("Authorization", authorization) }
        guard authorization.startsIgnoringCase(with: "bearer ") else { throw .missingCallersKey }
        let key = authorization.utf8.dropFirst("bearer ".utf8.count).drop { $0 == UInt8(ascii: " ") }
        guard let key = String(key), !key.isEmpty else { throw .missingCallersKey }
        return self.authorization.field(key)
    }
}

extension UpstreamSettings {
    /// Beside the path of chat completions, where that is at its usual place behind others.
    fileprivate var modelsPath: String {
        let usual = "/chat/completions"
        let isUsual = path.hasSuffix(usual)  // by characters: the settings' own
        return (isUsual ? path.dropLast(usual.utf8.count) : "") + "/models"
    }
}

extension UpstreamSettings.Authorization {
    /// The header that carries a key.
    fileprivate func field(_ key: String) -> (name: String, value: String) {
        switch self {
        case .scheme(let scheme): ("Authorization", "\(scheme) \(key)")
        case .header(let name): (name, key)
        }
    }
}

extension UpstreamKey {
    /// What is shorter may stand in any text.
    private static let secretBytesMin = 4

    fileprivate init(_ upstream: UpstreamSettings) {
        var secrets = upstream.headers.flatMap { Self.secrets(of: $0.value) }
        if case .secret(let key) = upstream.key { secrets += Self.secrets(of: key) }
        self.init(isFromCaller: upstream.key == .passthrough, secrets: secrets)
    }

    /// What nobody may read of a header's value or a key: the whole, and what stands behind a scheme (RFC 9110 §11.4).
    static func secrets(of value: String) -> [[UInt8]] {
        let bytes = [UInt8](value.utf8)
        let credentials = bytes.drop { $0 != UInt8(ascii: " ") }.drop { $0 == UInt8(ascii: " ") }
        return [bytes, Array(credentials)].filter { $0.count >= secretBytesMin }
    }
}

extension String {
    /// The text as one segment of a path, or a query's value: all but the unreserved characters are escaped (RFC 3986 §2.3).
    fileprivate var percentEncoded: String {
        var encoded = ""
        for byte in utf8 {
            if byte.isAlphanumeric(or: "-._~") {
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                encoded += "%" + (byte < 0x10 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return encoded
    }
}
