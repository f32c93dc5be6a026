// An API that answers requests: `[upstreams.NAME]`.

package import Chat
package import Choosing
package import HTTPClient

/// An API that answers requests. What each value means, its field says, behind them.
package struct UpstreamSettings: Equatable, Sendable {
    /// Which URLs, headers and parameters it expects.
    package enum Kind: String, CaseIterable, Sendable {
        case openai, azure, compatible
        /// Answers in this process, without network.
        case demo
    }

    /// Whose key requests carry.
    package enum Key: Equatable, Sendable {
        /// They carry none.
        case none
        /// This one, for all callers. It stands in no log, and `check --show` masks it.
        case secret(String)
        /// A credential of another process, by its name as the settings have it: for `check`, which cannot look at it.
        case credential(String)
        /// The caller's own.
        case passthrough
    }

    /// How requests carry the key.
    package enum Authorization: Equatable, Sendable {
        /// In `Authorization`, behind this scheme (RFC 9110 §11.6.2).
        case scheme(String)
        /// In a header of its own.
        case header(String)
    }

    /// A header field of each request, besides those that Sluice sends itself (RFC 9110 §5).
    package struct Header: Equatable, Sendable {
        /// A token, of any case.
        package var name: String
        /// Printable ASCII; it may be a secret, and stands in no log.
        package var value: String
    }

    static let defaultAPIVersion = "2024-10-21"
    static let defaultPath = "/chat/completions"

    /// The `NAME` of `[upstreams.NAME]`: 1 to 64 ASCII letters, digits, `-` and `_`.
    package var name: String
    /// The kind of API that it is.
    package var kind = Kind.openai
    /// `http`, `https` or `unix`, without a slash at its end; empty for the demo.
    package var url = ""
    /// The path of chat completions, behind `url`; without meaning for kind `azure`.
    package var path = defaultPath
    /// The key that its requests carry.
    package var key = Key.none
    /// How they carry it; nil for the kind's own way.
    package var authorization: Authorization?
    /// Further header fields of each request.
    package var headers: [Header] = []
    /// The `api-version` of the URLs of kind `azure`; without meaning for others.
    package var apiVersion = defaultAPIVersion
    /// Parameters that go through besides OpenAI's own.
    package var addedParameters: Set<String> = []
    /// Whether every parameter of the caller's goes through.
    package var passesAllParameters = false
    /// The only parameters that go through, besides the messages, the model and whether it streams; nil for all that it may get.
    package var onlyParameters: Set<String>?
    /// The roles of messages that go out as others.
    package var roles: [RoleRename] = []
    /// How it is asked to go on with an answer that has broken off.
    package var continuation = ContinuationRule()
    /// Whether it is asked for a stream's usage when the caller says nothing of that (`stream_options.include_usage`).
    package var asksForUsage = true
    /// What `stream_options.include_obfuscation` says; nil leaves it out.
    package var obfuscation: Bool?
    /// Which versions of HTTP connections to it may speak.
    package var httpVersion = ConnectionOptions.Version.auto
    /// How many requests share a connection of HTTP/2, if the server allows as many.
    package var streamsMax = 100
    /// The path of a PEM file of the client's certificate; nil for none. This and its key are set, or neither.
    package var certificate: String?
    /// The path of a PEM file of the certificate's private key.
    package var certificateKey: String?
    /// The proxy on the way to it, if there is one.
    package var proxy = ProxyChoice.environment
    /// Connections that each worker keeps open for requests to come.
    package var warmCount = 0
    /// How many requests it gets at a time, of all workers; nil for no limit.
    package var concurrentMax: Int?
    /// How many more wait for one of them to end, of all workers.
    package var queueMax = 100
    /// How long one waits for its turn at most.
    package var queueWait = Duration.seconds(1)
    /// When its targets rest, and for how long.
    package var rest = RestPlan()
}

/// Which of a caller's parameters an upstream gets.
enum PassedParameters: String, CaseIterable {
    case openai, all
}

extension UpstreamSettings {
    /// An upstream of kind `openai`, with the defaults.
    ///
    /// - Parameter url: without a slash at its end.
    package init(name: String, url: String, key: Key) { (self.name, self.url, self.key) = (name, url, key) }

    static var fields: [Field<Self>] { [kindField, urlField] + otherFields }

    static var kindField: Field<Self> {
        Field(
            "kind", \.kind, .choice,
            """
            "openai"; "azure"; "compatible" for other servers of the same interface; "demo", which answers by itself, without \
            network. What OpenAI's reasoning models refuse is renamed or dropped for the kinds "openai" and "azure" alone; for \
            others a model's own rename and drop (below) do it.
            """,
            examples: [
                FieldExample(#""openai""#, in: .openai), FieldExample(#""azure""#, in: .azure),
                FieldExample(#""compatible""#, in: .gateway), FieldExample(#""compatible""#, in: .socket),
                FieldExample(#""compatible""#, in: .local),
            ])
    }

    /// What there may be depends on the kind.
    static var urlField: Field<Self> {
        Field(
            "url", .other("a URL"), "The API's base URL: up to /chat/completions, without it.",
            default: .words("\(Settings.defaultBaseURL) for kind \"openai\"; others need one"),
            examples: [
                FieldExample(#""https://api.openai.com/v1""#, in: .openai),
                FieldExample(
                    #""https://example.openai.azure.com""#, in: .azure,
                    #"For kind "azure" it is the resource's own. The deployment is the model's name."#),
                FieldExample(#""https://llm.example.internal/v1""#, in: .gateway),
                FieldExample(
                    #""unix:/run/vllm.sock:/v1""#, in: .socket,
                    """
                    A server that listens on a unix socket: the socket's absolute path, and behind a second colon the URL's own, \
                    if there is one.
                    """),
                FieldExample(#""http://127.0.0.1:8000/v1""#, in: .local),
            ],
            environment: EnvironmentVariable.baseURL, option: "--upstream",
            read: { reader, node, upstream throws(SettingsProblem) in
                upstream.url = try reader.url(node, for: upstream.kind)
            }, write: { TOMLText.string($0.url) })
    }

    static var otherFields: [Field<Self>] {
        [pathField] + keyFields + requestFields + connectionFields + placeFields
            + RestPlan.fields.map { $0.lifted(\.rest, isOwn: true) }
    }

    private static var pathField: Field<Self> {
        Field(
            "path", .text, "The path of chat completions behind url, where it is another one. Not for kind \"azure\".",
            default: .value(TOMLText.string(defaultPath)), examples: [FieldExample(#""/chat/completions""#, in: .openai)],
            shownIf: { $0.kind != .azure },
            read: { reader, node, upstream throws(SettingsProblem) in
                guard upstream.kind != .azure else { throw SettingsProblem(node, "has no meaning for kind = \"azure\"") }
                upstream.path = try reader.path(node)
            }, write: { TOMLText.string($0.path) })
    }

    private static var keyFields: [Field<Self>] {
        [
            Field(
                "auth", .text,
                """
                How the key goes out: a word, as "Token", is the scheme in front of it in the header Authorization; a name with a hyphen, \
                as "api-key", or with a colon behind it, as "token:" or "Authorization:", is the header that has nothing but it.
                """,
                default: .words(#"Bearer, but api-key for kind "azure""#), examples: [FieldExample(#""Bearer""#, in: .openai)],
                read: { reader, node, upstream throws(SettingsProblem) in upstream.authorization = try reader.authorization(node)
                },
                write: { upstream in
                    switch upstream.authorization {
                    case nil: nil
                    case .scheme(let name): TOMLText.string(name)
                    case .header(let name): TOMLText.string(name.contains("-") ? name : "\(name):")
                    }
                }),
            Field(
                "key", .text,
                #"The key, best from the environment. "passthrough" sends the caller's own."#,
                default: .words("none is sent"),
                examples: [FieldExample(#""${OPENAI_API_KEY}""#, in: .openai)], environment: EnvironmentVariable.key,
                read: { reader, node, upstream throws(SettingsProblem) in
                    if reader.node("key_file") != nil {
                        reader.problems.add(SettingsProblem(node, "and key_file cannot both be set"))
                    }
                    upstream.key = try reader.key(node)
                },
                write: { upstream in
                    switch upstream.key {
                    case .none, .credential: nil
                    case .secret: TOMLText.mask
                    case .passthrough: TOMLText.string("passthrough")
                    }
                }),
            Field(
                "key_file", .file,
                """
                A file whose first line is the key, instead of key. A relative path begins at the directory of this file; \
                "credential:key_azure" is a credential of systemd, LoadCredential= in its service.
                """,
                default: .nothing, examples: [FieldExample(#""azure.key""#, in: .azure)],
                read: { reader, node, upstream throws(SettingsProblem) in
                    if reader.node("key") == nil { upstream.key = try reader.keyInFile(node) }
                },
                write: { upstream in
                    if case .credential(let name) = upstream.key { TOMLText.file(name) } else { nil }
                }),
        ]
    }

    private static var requestFields: [Field<Self>] {
        [
            Field(
                "api_version", .text, #"For kind "azure" alone."#, default: .value(TOMLText.string(defaultAPIVersion)),
                examples: [FieldExample(#""2024-10-21""#, in: .azure)], shownIf: { $0.kind == .azure },
                read: { reader, node, upstream throws(SettingsProblem) in
                    guard upstream.kind == .azure else {
                        throw SettingsProblem(node, "has a meaning for kind = \"azure\" alone")
                    }
                    upstream.apiVersion = try reader.apiVersion(node)
                }, write: { TOMLText.string($0.apiVersion) }),
            Field(
                "usage", \.asksForUsage, .boolean, "Whether the upstream is asked for a stream's usage.",
                default: .words(#"true, but false for kind "compatible""#), examples: [FieldExample("true", in: .openai)],
                shownIf: { $0.onlyParameters?.contains("stream_options") != false }),
            Field(
                "obfuscation", optional: \.obfuscation, .boolean, "stream_options.include_obfuscation.",
                default: .words("false at openai.com; left out elsewhere"), examples: [FieldExample("false", in: .openai)]),
            Field("parameters", table: \.self, parameterFields),
            Field(
                "roles", .other("a table of roles"), "Roles of messages that go out as others.", default: .nothing,
                examples: [FieldExample(#"{developer = "system"}"#, in: .gateway)],
                read: { reader, node, upstream in upstream.roles = reader.roles(node) },
                write: { TOMLText.table($0.roles.map { ($0.role, TOMLText.string($0.newRole)) }) }),
            Field("continue", table: \.continuation, ContinuationRule.fields),
            Field(
                "headers", .other("a table of text"),
                "Further headers of each request: together at most 16 KiB of names and values, with 32 bytes more for each.",
                default: .nothing,
                examples: [FieldExample(#"{OpenAI-Organization = "org-example"}"#, in: .openai)],
                read: { reader, node, upstream in upstream.headers = reader.headers(node, of: upstream.kind) },
                write: { TOMLText.table($0.headers.map { ($0.name, TOMLText.mask) }) }),
        ]
    }

    private static var parameterFields: [Field<Self>] {
        [
            Field(
                "add", \.addedParameters, .addedParameters, "Parameters that go through besides OpenAI's own.",
                default: .words("none"), examples: [FieldExample(#"["top_k", "min_p"]"#, in: .local)],
                shownIf: { $0.onlyParameters == nil }),
            Field(
                "pass", \.passesAllParameters, FieldKind<PassedParameters>.choice.mapped({ $0 == .all }, { $0 ? .all : .openai }),
                #""openai" for OpenAI's own parameters, "all" for whatever the caller sends."#,
                examples: [FieldExample(#""openai""#, in: .local)], shownIf: { $0.onlyParameters == nil }),
            Field(
                "only", .texts,
                """
                The only parameters that go through, besides messages, model and stream: for a server that refuses what it does not \
                know. They go by their names behind rename; what the settings set goes out in any case. In place of add and pass.
                """,
                default: .words("all that it may get"),
                examples: [FieldExample(#"["temperature", "max_tokens", "tools", "tool_choice"]"#, in: .gateway)],
                read: { reader, node, upstream throws(SettingsProblem) in
                    if reader.node("add") != nil || reader.node("pass") != nil {
                        reader.problems.add(
                            SettingsProblem(node, "cannot stand beside add or pass: it names all that go through"))
                    }
                    upstream.onlyParameters = try reader.addedParameters(node)
                }, write: { $0.onlyParameters.map { TOMLText.array($0.sorted()) } }),
        ]
    }

    private static var connectionFields: [Field<Self>] {
        [
            Field(
                "http", \.httpVersion, .choice,
                """
                The version of HTTP: "auto" takes HTTP/2 where the server offers it in the TLS handshake, and HTTP/1.1 elsewhere; \
                "1.1" and "2" take no other. "2" without TLS begins with HTTP/2 unasked ("prior knowledge", h2c): a server that \
                speaks HTTP/1.1 alone fails every request.
                """,
                examples: [FieldExample(#""2""#, in: .openai)]),
            Field(
                "streams_per_connection", \.streamsMax, .number(in: 1...10_000),
                """
                Requests that share a connection of HTTP/2, if the server allows as many; with more another one is opened. Not for \
                HTTP/1.1.
                """,
                examples: [FieldExample("50", in: .openai)], shownIf: \.sharesConnections),
            Field(
                "certificate", optional: \.certificate, .file,
                """
                For a server that asks for the client's certificate (mTLS), with https alone: a PEM file of it, and behind it of \
                those between it and the authority that the server trusts. A relative path begins at the directory of this file. \
                It is read at the start and at each reload, and so is authorities_file; one that is not valid now is a warning. nginx \
                and others answer 400 with a page ("refused.400" in the log) where they miss a certificate or do not accept it.
                """,
                default: .words("none is sent"), examples: [FieldExample(#""client.pem""#, in: .gateway)]),
            Field(
                "certificate_key", optional: \.certificateKey, .file,
                "A PEM file of the private key of certificate, without a password; it may be the same file. Both or neither.",
                default: .nothing, examples: [FieldExample(#""client.key""#, in: .gateway)]),
            Field(
                "proxy", \.proxy, .proxy,
                """
                The proxy on the way there: "environment" for the one that HTTPS_PROXY and its kin name, never for this machine's \
                own servers; "none"; or its URL, http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, which holds for every host. A \
                password may come from the environment, "${PROXY_PASSWORD}", percent-encoded.
                """,
                examples: [FieldExample(#""http://proxy.example.internal:3128""#, in: .gateway)], shownIf: { !$0.isSocket }),
            Field(
                "warm", \.warmCount, .number(in: 0...100),
                """
                Connections that each worker keeps open, so that no request waits for a handshake. Over HTTP/2 it is one.
                """,
                examples: [FieldExample("2", in: .openai)]),
        ]
    }

    private static var placeFields: [Field<Self>] {
        [
            Field(
                "concurrent", optional: \.concurrentMax, .number(in: 1...1_000_000), "Requests that it gets at a time.",
                default: .words("no limit"), examples: [FieldExample("50", in: .openai)]),
            Field(
                "queue", \.queueMax, .number(in: 0...1_000_000),
                """
                Further requests that wait for one of them to end. One more goes to the next target, or gets 503.
                """,
                examples: [FieldExample("100", in: .openai)], shownIf: { $0.concurrentMax != nil }),
            Field(
                "queue_wait", \.queueWait, .duration(in: .upToADay),
                "How long they wait. Then they go to the next target, or get 503.",
                examples: [FieldExample(#""1s""#, in: .openai)], shownIf: { $0.concurrentMax != nil }),
        ]
    }
}

extension FieldKind<Set<String>> {
    fileprivate static var addedParameters: Self {
        FieldKind(
            form: .texts, read: { reader, node throws(SettingsProblem) in try reader.addedParameters(node) },
            write: { TOMLText.array($0.sorted()) })
    }
}

extension FieldKind<ProxyChoice> {
    fileprivate static var proxy: Self {
        FieldKind(
            form: .other("\"environment\", \"none\" or a proxy's URL"),
            read: { reader, node throws(SettingsProblem) in try reader.proxy(node) },
            write: { choice in
                switch choice {
                case .environment: TOMLText.string("environment")
                case .direct: TOMLText.string("none")
                case .proxy(let proxy): TOMLText.string(proxy.description)
                }
            })
    }
}
