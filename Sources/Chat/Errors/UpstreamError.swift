/// An error that an upstream reported, in a response's body or in an event of its stream.
///
/// Understood are OpenAI's `{"error":{"message":…}}` and what other servers send: `{"error":"text"}`, also with the reason beside
/// it, `{"object":"error","message":…}`, `{"code":…,"message":…}`, `{"error_type":…,"error_message":…}`, `{"detail":…}` as text and
/// as FastAPI's list, `{"errors":[…]}`, `{"base_resp":{"status_code":…,"status_msg":…}}`, and all of these in an array.
///
/// Its texts are fit for a caller: bounded, without control characters, keys masked. See ``ErrorWords``.
package struct UpstreamError: Hashable, Sendable {
    /// The upstream's own error object, byte for byte; nil when it sent none with a `message` of text, or one unfit for a caller.
    package private(set) var object: [UInt8]?
    /// What happened, in the upstream's words, which may quote the request; nil when it gave none, or an empty one.
    package private(set) var message: String?
    /// The class of error, such as `invalid_request_error`.
    package private(set) var type: String?
    /// The code as text, also when it was sent as a number.
    package private(set) var code: String?
    /// The path of the parameter at fault.
    package private(set) var param: String?
    /// The status that stands in a comment beside the error (DashScope).
    private var statusBeside: UInt16?

    private static let objectBytesMax = 1024

    private init(message: String?) { self.message = message }
}

extension UpstreamError {
    /// Reads an error from a validated JSON document.
    /// - Parameter besideChoices: the document has choices, so that a `message` in it is no error.
    /// - Returns: nil when the document does not report one.
    init?(root: JSONValue, in document: Span<UInt8>, besideChoices: Bool = false) {
        switch root.kind {
        case .object: self.init(ErrorMembers(root, in: document), root, in: document, besideChoices: besideChoices)
        case .array:
            for element in root.elements(in: document, countMax: ErrorWords.elementsMax) where element.kind == .object {
                guard let error = UpstreamError(root: element, in: document) else { continue }
                self = error
                return
            }
            return nil
        default: return nil
        }
    }

    private init?(_ members: ErrorMembers, _ root: JSONValue, in document: Span<UInt8>, besideChoices: Bool) {
        switch members[.error] {
        case let error? where error.kind == .object && ErrorMembers(error, in: document).sayAnything(in: document):
            self.init(object: error, in: document)
            message = message ?? ErrorWords.text(of: members[.message], in: document)
            return
        case let error? where error.saysAnything(in: document) && (error.kind == .string || error.kind == .array):
            let word = ErrorWords.text(of: error, in: document)
            let sentence = ErrorWords.text(of: members[.message] ?? members[.errorMessage], in: document)
            self.init(message: sentence ?? word)
            type = ErrorWords.name(members[.type] ?? members[.errorType], in: document)
            code = ErrorWords.name(members[.code], in: document) ?? (sentence == nil || error.kind != .string ? nil : word)
            return
        case let error? where (error.kind == .number || error.kind == .true) && error.saysAnything(in: document):
            self.init(message: ErrorWords.text(of: members[.message] ?? members[.errorMessage], in: document))
            code = ErrorWords.name(error, in: document)
            return
        default: break
        }
        if let response = members[.baseResponse].map({ ErrorMembers($0, in: document) }),
            let status = response[.statusCode], status.integer(in: document) ?? 1 != 0
        {
            self.init(message: ErrorWords.text(of: response[.statusMessage], in: document))
            code = ErrorWords.name(status, in: document)
            return
        }
        let isCalledError = members[.object].map { JSONText.isEqual($0.range, to: "error", in: document) } ?? false
        guard isCalledError || !besideChoices else { return nil }
        // An empty message alone tells of no error: some frames of vendors have one.
        let isTold = [members[.message], members[.code]].contains { $0?.saysAnything(in: document) == true }
        if isCalledError || members[.message]?.kind == .string && isTold {
            self.init(object: root, in: document)
            return
        }
        var words: String?
        for name in [.message, .errorMessage, .detail, .errors] as [ErrorMembers.Name] where words == nil {
            words = ErrorWords.text(of: members[name], in: document)
        }
        guard words != nil || members[.errors]?.saysAnything(in: document) == true else { return nil }
        self.init(message: words)
        type = ErrorWords.name(members[.errorType] ?? members[.type], in: document)
        let first = members[.errors]?.elements(in: document, countMax: 1).first.map { ErrorMembers($0, in: document) }
        code = ErrorWords.name(members[.errorCode] ?? members[.code] ?? first?[.code], in: document)
    }

    /// Whether a value of `error` is any: some servers send an empty one with each chunk.
    static func isAny(_ error: JSONValue, in document: Span<UInt8>) -> Bool {
        error.kind == .object ? ErrorMembers(error, in: document).sayAnything(in: document) : error.saysAnything(in: document)
    }

    /// Reads what a choice says of its failure: its `error`, or the finish reason.
    init(ofChoice failure: JSONValue, in document: Span<UInt8>) {
        switch failure.kind {
        case .object: self.init(object: failure, in: document)
        case .array: self.init(message: ErrorWords.text(of: failure, in: document))
        default:
            self.init(message: nil)
            code = ErrorWords.name(failure, in: document)
        }
    }

    /// An object with a `message`, or whatever it has in its place.
    private init(object: JSONValue, in document: Span<UInt8>) {
        let members = ErrorMembers(object, in: document)
        self.init(message: ErrorWords.text(of: object, in: document))
        type = ErrorWords.name(members[.type], in: document)
        param = ErrorWords.name(members[.param], in: document)
        code = ErrorWords.name(members[.code], in: document)
        guard let said = members[.message], said.kind == .string, ErrorWords.text(of: said, in: document) != nil,
            object.range.count <= Self.objectBytesMax
        else { return }
        let bytes = document.bytes(in: object.range)
        if ErrorWords.areFit(bytes) { self.object = bytes }
    }

    /// Reads an error from a response's body, of whatever kind that is.
    /// - Returns: nil when it has no words.
    package init?(body: Span<UInt8>, depthMax: Int) {
        do throws(JSONError) {
            let root = try JSONScanner.validate(body, depthMax: depthMax)
            if let error = UpstreamError(root: root, in: body) {
                self = error
            } else {
                guard let words = ErrorWords.text(of: root, in: body) else { return nil }
                self.init(message: words)
            }
        } catch {
            guard let words = ErrorWords.text(ofPage: body) else { return nil }
            self.init(message: words)
        }
    }

    /// Reads the data of an event that is neither a chunk nor an error of a known form: an error, should the end follow it.
    /// - Parameter data: one JSON document, validated.
    /// - Returns: nil when it says nothing at all.
    package init?(unknown data: Span<UInt8>) {
        let root = JSONValue(validated: data)
        let words = ErrorWords.text(of: root, in: data)
        guard words != nil || Self.saysMore(root, in: data) else { return nil }
        self.init(message: words)
    }

    /// Whether it says more than a chunk without an answer does.
    private static func saysMore(_ root: JSONValue, in document: Span<UInt8>) -> Bool {
        guard root.kind == .object else { return root.saysAnything(in: document) }
        var saysMore = false
        root.forEachMember(in: document, countMax: ErrorWords.membersMax) { member in
            let isChunks =
                chunkNames.contains(JSONKey(member.name, in: document))
                || JSONText.isEqual(member.name, to: "system_fingerprint", in: document)
            saysMore = saysMore || !isChunks && member.value.saysAnything(in: document)
        }
        return saysMore
    }

    private static let chunkNames = Set(
        ["id", "object", "created", "model", "service_tier", "choices", "usage"].map { JSONKey($0) })

    /// One whose words cannot be read.
    /// - Parameter coding: as the upstream calls it. One of more than 32 bytes is left out.
    package static func compressed(_ coding: String) -> UpstreamError {
        let words = ErrorWords.text(ofPage: coding.utf8Span.span)
        let coding = words.flatMap { $0.utf8.count <= codingBytesMax ? $0 : nil } ?? "an unknown coding"
        return UpstreamError(message: "its reason is compressed with \(coding), though Accept-Encoding: identity was sent")
    }

    private static let codingBytesMax = 32

    /// Reads the data of an event that is called an error.
    /// - Parameter event: all bytes of the event, where a comment may tell a status: `:HTTP_STATUS/429`.
    package init(data: Span<UInt8>, ofEvent event: Span<UInt8>, depthMax: Int) {
        self = UpstreamError(body: data, depthMax: depthMax) ?? UpstreamError(message: nil)
        statusBeside = Self.status(inCommentOf: event)
    }

    private static func status(inCommentOf event: Span<UInt8>) -> UInt16? {
        let mark = [UInt8](":HTTP_STATUS/".utf8)
        let bytes = event.bytes(in: event.indices)
        for line in bytes.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) where line.starts(with: mark) {
            return Int(decimal: line.dropFirst(mark.count)).flatMap { (400...599).contains($0) ? UInt16($0) : nil }
        }
        return nil
    }

    /// What of it a caller may read.
    func shown(_ key: UpstreamKey) -> UpstreamError {
        let masked = masking(key.secrets)
        return key.withholdsWords ? masked.namesAlone : masked
    }

    /// The same with no more than names: nothing of what it says, and no type or code that is none.
    private var namesAlone: UpstreamError {
        var names = self
        (names.object, names.message, names.param) = (nil, nil, nil)
        names.type = type.flatMap { Self.isWellKnown($0) || $0.isName ? $0 : nil }
        names.code = code.flatMap { Self.isWellKnown($0) || $0.isName ? $0 : nil }
        return names
    }

    /// Whether it is one of those by which an error is told from others, which are no secret.
    private static func isWellKnown(_ name: String) -> Bool {
        statuses.contains { Optional(name).has($0.name) } || quotaNames.contains { Optional(name).has($0) }
    }

    /// The same without these texts, wherever one stands in it.
    package func masking(_ secrets: [[UInt8]]) -> UpstreamError {
        guard !secrets.isEmpty else { return self }
        var masked = self
        if let object, ErrorWords.hold(ErrorWords.unescaped(object), secrets) { masked.object = nil }
        masked.message = message.map { ErrorWords.masked($0, secrets) }
        masked.type = type.map { ErrorWords.masked($0, secrets) }
        masked.code = code.map { ErrorWords.masked($0, secrets) }
        masked.param = param.map { ErrorWords.masked($0, secrets) }
        return masked
    }
}

extension UpstreamError {
    /// The HTTP status that the error would have had, told by its code or else its type; nil for an error of the upstream's own.
    package var status: Int? {
        if let status = code.flatMap({ Int(decimal: $0.utf8) }), (400...599).contains(status) { return status }
        if let statusBeside { return Int(statusBeside) }
        if let status = Self.statuses.first(where: { code.has($0.name) })?.status { return status }
        if let status = Self.statuses.first(where: { type.has($0.name) })?.status { return status }
        return nil
    }

    private static let statuses: [(name: StaticString, status: Int)] = [
        ("invalid_api_key", 401), ("authentication_error", 401), ("permission_error", 403), ("model_not_found", 404),
        ("rate_limit_exceeded", 429), ("insufficient_quota", 429), ("rate_limit_error", 429),
        ("context_length_exceeded", 400), ("invalid_request_error", 400), ("insufficient_balance", 402),
    ]

    /// Whether the upstream's account has nothing left, which no waiting cures.
    package var isAboutQuota: Bool {
        Self.quotaNames.contains { code.has($0) || type.has($0) }
    }

    private static let quotaNames: [StaticString] = ["insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"]
}

extension String {
    /// Whether it is one such as programs have for errors: a short one of letters alone, with `_` or `.` between words, or a small number.
    fileprivate var isName: Bool {
        utf8.count <= 40 && utf8.allSatisfy { $0.isLetter || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") }
            || utf8.count <= 5 && utf8.allSatisfy(\.isDigit)
    }
}

extension String? {
    /// Whether it has these bytes. Comparing strings goes by characters, which is quadratic for some.
    fileprivate func has(_ name: StaticString) -> Bool {
        guard let self, self.utf8.count == name.utf8CodeUnitCount else { return false }
        return self.hasSameBytes(as: "\(name)")
    }
}

/// The members of an object that errors are made of, of duplicates the last. All other members are stepped over.
struct ErrorMembers {
    enum Name: CaseIterable {
        case error, errors, message, msg, detail, errorMessage, errorType, errorCode, type, code, param, object
        case baseResponse, statusCode, statusMessage, location, description, reason, title

        fileprivate var text: String {
            switch self {
            case .errorMessage: "error_message"
            case .errorType: "error_type"
            case .errorCode: "error_code"
            case .baseResponse: "base_resp"
            case .statusCode: "status_code"
            case .statusMessage: "status_msg"
            case .location: "loc"
            default: "\(self)"
            }
        }
    }

    private var values: [(name: Name, value: JSONValue)] = []
    /// Strings under other names, as many as an error may show.
    private(set) var others: [JSONValue] = []

    private static let names = Dictionary(uniqueKeysWithValues: Name.allCases.map { (JSONKey($0.text), $0) })
    /// What says nothing about an error.
    private static let identities = Set(["id", "request_id", "model", "created", "status", "success"].map { JSONKey($0) })

    init(_ object: JSONValue, in document: Span<UInt8>) {
        object.forEachMember(in: document, countMax: ErrorWords.membersMax) { member in
            let key = JSONKey(member.name, in: document)
            if let name = Self.names[key] {
                values.removeAll { $0.name == name }
                values.append((name, member.value))
            } else if member.value.kind == .string, others.count < ErrorWords.elementsMax, !Self.identities.contains(key) {
                others.append(member.value)
            }
        }
    }

    subscript(_ name: Name) -> JSONValue? {
        values.first { $0.name == name }.flatMap { $0.value.kind == .null ? nil : $0.value }
    }

    /// Whether any of them, or another text, is more than nothing.
    func sayAnything(in document: Span<UInt8>) -> Bool {
        values.contains { $0.value.saysAnything(in: document) } || others.contains { $0.saysAnything(in: document) }
    }
}

extension JSONValue {
    /// Whether it is neither null, false, zero nor empty.
    func saysAnything(in document: Span<UInt8>) -> Bool {
        switch kind {
        case .null, .false: false
        case .true: true
        case .number: integer(in: document) != 0
        case .string: range.dropFirst().dropLast().contains { document[$0] > UInt8(ascii: " ") }
        case .object, .array: !isEmpty(in: document)
        }
    }
}
