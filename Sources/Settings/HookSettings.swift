// What is asked before each turn: `hook`, for all models and for each.

package import Chat

/// A server that is asked before any upstream is.
package struct HookSettings: Equatable, Sendable {
    /// What becomes of a request whose hook fails.
    package enum Failure: String, CaseIterable, Sendable {
        /// It goes on as if there were no hook.
        case pass
        /// Its caller gets an error.
        case deny
    }

    /// `http`, `https` or `unix`, whole; nil where none is asked.
    package var url: String?
    /// For all of it, from the question to the answer's last byte.
    package var timeout = Duration.milliseconds(250)
    /// What becomes of a request whose hook fails.
    package var onFailure = Failure.pass
    /// Further header fields of each question.
    package var headers: [UpstreamSettings.Header] = []
    /// Which messages it is sent.
    package var scope = HookScope.last

    /// None is asked.
    package init() {}
}

extension HookSettings {
    static var fields: [Field<HookSettings>] {
        [
            Field(
                "url", \.url, .hookURL,
                """
                A server of yours that is asked before each turn, ahead of any upstream: it may put messages in, answer itself, or refuse. \
                This is its whole URL, http, https or a unix socket. Connections are kept, and made as to an upstream, with \
                authorities_file and the environment's proxies. "none" asks nobody.
                """,
                default: .required, examples: [#""http://127.0.0.1:9000/turn""#]),
            Field(
                "timeout", \.timeout, .duration(in: .milliseconds(1)...(.seconds(60))),
                """
                For all of it: connection, question and answer. It counts towards timeouts.first_token, which must be longer.
                """,
                default: .value(TOMLText.string(HookSettings().timeout.setting))),
            Field(
                "on_failure", \.onFailure, .choice,
                """
                What becomes of a request whose hook is late, cannot be reached or answers what is no answer: "pass" goes on as if there \
                were none, "deny" answers 503 with the code hook_unavailable.
                """,
                default: .value(TOMLText.string(HookSettings().onFailure.rawValue))),
            Field(
                "headers", .other("a table of text"), "Further headers of each question, within the limits of an upstream's.",
                default: .nothing, examples: [#"{X-Tenant = "north"}"#],
                read: { reader, node, hook in hook.headers = reader.headers(node, of: nil) },
                write: { TOMLText.table($0.headers.map { ($0.name, TOMLText.mask) }) }),
            Field(
                "send", \.scope, .choice, #"What of the messages it gets: "last" the user's last one, "messages" all of them."#,
                default: .value(TOMLText.string(HookSettings().scope.rawValue))),
        ]
    }

    static func field<Root>(
        _ property: WritableKeyPath<Root, HookSettings?>, _ meaning: String, default standard: FieldDefault,
        examples: [FieldExample]
    ) -> Field<Root> {
        Field(
            "hook", .table, meaning, default: standard, examples: examples, members: fields.map(\.description),
            read: { reader, node, root in
                guard let table = reader.table(node, keys: fields.map(\.key)) else { return }
                var hook = HookSettings()
                table.take(fields, into: &hook)
                if table.node("url") == nil { table.problem("needs url: whom to ask") }
                root[keyPath: property] = hook
            },
            write: { $0[keyPath: property].map { TOMLText.table(fields.members(of: $0)) } })
    }
}

extension Settings {
    /// The hook that is asked for a model's requests; nil for none.
    package func hook(of model: ModelSettings) -> HookSettings? {
        let hook = model.hook ?? self.hook
        return hook?.url == nil ? nil : hook
    }

    /// Whom models ask, each once.
    package var hookURLs: [String] { Set(models.compactMap { hook(of: $0)?.url }).sorted() }

    /// Whether connections to any of them are encrypted.
    package var hooksUseTLS: Bool { hookURLs.contains { $0.hasPrefix("https://") } }
}

extension SettingsReader {
    /// Whoever waits for a hook must have time for an answer behind it.
    func checkHooks(_ settings: Settings) {
        let late = settings.models.indices.filter { index in
            let model = settings.models[index]
            guard let hook = settings.hook(of: model) else { return false }
            let timeouts = settings.timeouts.overridden(by: model.timeouts)
            return model.targets.contains { timeouts.overridden(by: $0.timeouts).firstToken <= hook.timeout }
        }
        let words = "leaves no time for an answer where the hook is late: timeout must be shorter than first_token"
        if late.contains(where: { settings.models[$0].hook == nil }), let node = node("hook") {
            problems.add(SettingsProblem(node.member("timeout") ?? node, words, needsWhole: true))
        }
        guard case .array(let tables)? = node("models")?.value, tables.count == settings.models.count else { return }
        for index in late {
            guard let node = tables[index].member("hook") else { continue }
            problems.add(SettingsProblem(node.member("timeout") ?? node, words, needsWhole: true))
        }
    }

    fileprivate func hookURL(_ node: SettingsNode) throws(SettingsProblem) -> String? {
        let text = try text(node)
        if text == "none" { return nil }
        do throws(UpstreamURLError) { return try UpstreamSettings.checkedURL(text, isBase: false) } catch {
            switch error {
            case .notHTTP:
                throw SettingsProblem(
                    node, #"must be a URL like http://127.0.0.1:9000/turn or unix:/run/hook.sock:/turn, or "none""#)
            case .userinfo: throw SettingsProblem(node, "must not hold a user name or password; headers may say who asks")
            default: throw SettingsProblem(node, error.description)
            }
        }
    }
}

extension FieldKind<String?> {
    fileprivate static var hookURL: Self {
        FieldKind(
            form: .other("a URL, or \"none\""),
            read: { reader, node throws(SettingsProblem) in try reader.hookURL(node) },
            write: { TOMLText.string($0.map(UpstreamSettings.withoutPath) ?? "none") })
    }
}
