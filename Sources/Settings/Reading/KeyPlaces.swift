// Where keys stand that somebody has put elsewhere.

import Chat

/// A key belongs to the table that stands last above it, which is not always the one that was meant.
enum KeyPlaces {
    private typealias Table = (name: String, keys: Set<String>)

    private static let top = Settings.sections.flatMap(\.fields).map(\.description)
    private static let upstream = UpstreamSettings.fields.map(\.description)
    private static let model = ModelSettings.fields().map(\.description)

    /// What other programs call it.
    private static let otherNames = [
        "api_key": "key", "base_url": "url", "name": "upstream", "log_level": "level", "route": "name", "SLUICE_ROUTE": "name",
        "rotate": "file_size",
        "prompt": "prepend", "system_prompt": "prepend", "if": "when", "where": "when", "condition": "when", "conditions": "when",
    ]
    /// What is a condition of `[[models]]`.
    private static let conditions = [
        "client": "client", "clients": "client", "SLUICE_CLIENT": "client", "call": "call.…", "customer": "customer.…",
        "metadata": "metadata.…",
    ]
    /// What others call the limits of `[clients.NAME]`.
    private static let clientLimits = [
        "rpm": "requests_per_minute", "requests": "requests_per_minute", "tpd": "tokens_per_day", "tokens": "tokens_per_day",
        "rate": "requests_per_minute", "connections": "concurrent", "model": "models",
    ]
    /// What clients of APIs call what is no upstream's own here.
    private static let ofAttempts = [
        "timeout": "timeouts = {first_token = \"5s\", total = \"2m\"} stands above the first [table], or in [[models]]",
        "max_retries": "did you mean 'retries'? It stands above the first [table], or in [[models]]",
    ]
    /// What the servers and the APIs are called that are all of one kind.
    private static let kinds = [
        "anthropic", "deepseek", "gemini", "groq", "litellm", "llama", "llama.cpp", "llamacpp", "lmstudio", "local", "mistral",
        "ollama", "openai-compatible", "openai_compatible", "openrouter", "sglang", "tgi", "together", "vllm",
    ]

    /// What php-fpm and nginx call what is elsewhere here, or is not there. Those with a dot are tables to TOML, as is `log = "…"` no table.
    private static let ofServers = [
        "pm": processes, "max_children": processes, "status_path": statusPath, "pm_status_path": statusPath,
        "www": noPools, "global": noPools,
        "worker_processes": "did you mean 'workers'?",
        "worker_connections": "did you mean 'limits.requests'?",
        "client_max_body_size": "did you mean 'limits.body'?",
        "error_log": logIsOne, "access_log": logIsOne, "access": logIsOne, "syslog": #"did you mean log.to = "syslog"?"#,
        "slowlog": "did you mean 'log.slow'?", "request_slowlog_timeout": "did you mean 'log.slow'?",
        "request_terminate_timeout": "did you mean 'timeouts.total'?",
        "process_control_timeout": "did you mean 'timeouts.drain'?",
        "user": whoseItIs, "group": whoseItIs,
        "daemonize": "it never leaves whoever starts it: the service manager has it",
        "pid": "no file of it is written: sluice stop and sluice reload find the process by control",
        "rlimit_files": "LimitNOFILE= of the unit, or ulimit -n, says it",
        "worker_rlimit_nofile": "LimitNOFILE= of the unit, or ulimit -n, says it",
        "rlimit_core": "did you mean 'core_dumps'?",
        "ping": "/sluice/ping is there where the web server passes SLUICE_STATUS",
        "env": #""${NAME}" takes a variable of the environment"#,
        "clear_env": #"no request sees the environment, and "${NAME}" in the settings takes a variable of it"#,
        "process": "Nice= of the unit says its priority, and processes how many serve",
        "worker_priority": "Nice= of the unit says it",
        "chroot": sandbox, "chdir": sandbox,
        "catch_workers_output": ownOutput, "decorate_workers_output": ownOutput,
    ]
    /// What is nearly the name of a table of names, or of several tables.
    private static let tableNames = [
        "upstream": "did you mean [upstreams.NAME], with a line url = \"…\" below it?", "model": "did you mean [[models]]?",
        "client": "did you mean [clients.NAME]?",
    ]
    private static let processes =
        "limits.requests says how many requests are answered at once, and processes how many processes serve: none is started for load"
    private static let noPools =
        "there are no pools here: settings stand above the first [table], and [[models]] treats requests differently"
    private static let statusPath =
        "/sluice/status is there where the web server passes SLUICE_STATUS, and sluice status asks by control"
    private static let sandbox = "the unit says which files it sees: RootDirectory=, ProtectSystem= and the like"
    private static let ownOutput = "what its processes have to say is in their one log, which log.to says the place of"
    private static let backlog =
        "Backlog= of the socket unit says it; a socket that Sluice opens itself takes 4096, or what net.core.somaxconn allows"
    private static let logIsOne = #"one log has all: did you mean log.to = "file:PATH"?"#
    private static let whoseItIs =
        "Sluice keeps the user that it is started as: User= of the unit; socket.group is for the socket alone"

    /// What tables look like, by their last name.
    private static let examples = [
        "log": #"{to = "stderr", format = "json"}"#, "metrics": "{clients = true}", "socket": #"{mode = "0660"}"#,
        "limits": #"{requests = 4096, body = "8MiB"}"#, "timeouts": #"{first_token = "5s", total = "2m"}"#,
        "traces": #"{endpoint = "http://127.0.0.1:4318/v1/traces"}"#, "hook": #"{url = "http://127.0.0.1:9000/turn"}"#,
        "filler": #"{after = "900ms", texts = ["One moment."]}"#, "prepend": #"{text = "Be brief."}"#,
        "parameters": #"{add = ["top_k"]}"#, "continue": #"{prompt = "Go on exactly where it ends."}"#,
        "roles": #"{developer = "system"}"#, "headers": #"{X-Tenant = "north"}"#, "when": #"{client = "acme*"}"#,
        "rename": #"{max_tokens = "max_completion_tokens"}"#, "default": "{temperature = 0.7}", "set": "{top_k = 40}",
        "message": "{prefix = true}",
    ]

    /// The same of a key that there is, with a value that is no table.
    ///
    /// - Parameter path: of the key.
    static func hint(forNoTable path: String) -> String? {
        switch path.prefix(while: { $0 != "." && $0 != "[" }) {
        case "upstreams" where path.split(separator: ".").count < 3:
            return #"as in [upstreams.local] with a line url = "http://127.0.0.1:8000/v1" below it"#
        case "clients": return "as in [clients.acme] with a line concurrent = 20 below it"
        case "models" where !path.contains("."): return #"as in [[models]] with a line match = "*" below it"#
        default: break
        }
        let name = path.split(separator: ".").last.map(String.init) ?? path
        return examples[name].map { "as in \(name) = \($0)" }
    }

    /// The same of a key that there is, and has members, though it is no table.
    static func hint(forMembers keys: [String], of key: String) -> String? {
        guard key == "listen" else { return nil }
        let names = [
            "mode": "socket.mode", "group": "socket.group", "acl_users": "socket.allowed_users",
            "allowed_clients": "allowed_addresses",
        ]
        if let name = keys.lazy.compactMap({ names[$0] }).first { return "did you mean '\(name)'?" }
        if keys.contains("backlog") { return backlog }
        return keys.contains("owner") ? whoseItIs : nil
    }

    /// What was probably meant by a value that is none of these; nil when nothing comes to mind.
    static func hint(forValue text: String, among names: [String]) -> String? {
        // As "warn" is of "warning": nobody is told more than is among the names.
        let meant = names.filter { text.utf8.count > 2 && $0.utf8.starts(with: text.utf8) }
        if meant.count == 1 { return meant[0] }
        let kind = "compatible"
        return names.contains(kind) && kinds.contains { text.isEqualIgnoringCase(to: $0) } ? kind : nil
    }

    /// What holds for all.
    private static let common = Set(top.map(\.key))
    /// What a model may have of its own.
    private static let own = Set(model.map(\.key))
    private static let client = Set(ClientSettings.fields.map(\.key))
    private static let target = Set(TargetSettings.fields().map(\.key))
    private static let tables: [Table] =
        [("[upstreams.NAME]", Set(upstream.map(\.key))), ("[[models]]", Set(model.map(\.key))), ("[clients.NAME]", client)]
        + innerTables(top).map { ("[\($0.name)]", $0.keys) }
    /// What stands in a table of a table.
    private static let inner = innerTables(upstream + model)

    private static func innerTables(_ descriptions: [FieldDescription]) -> [Table] {
        descriptions.compactMap { description in
            // The keys of these, and one of another, are called as others that are meant more often.
            guard case .table = description.form, description.key != "hook", description.key != "traces" else { return nil }
            return (description.key, Set(description.members.map(\.key)).subtracting(["timeout"]))
        }
    }

    /// What there is to say about a key that a table does not know; nil when nothing comes to mind.
    ///
    /// - Parameters:
    ///   - keys: those that it knows.
    ///   - isTop: whether it is the file's own, above all others.
    static func hint(
        for key: String, among keys: [String], isTop: Bool, _ suggestions: inout NameSuggestions
    ) -> String? {
        if let name = otherNames[key] {
            if keys.contains(name) { return "did you mean '\(name)'?" }
            if let table = tables.first(where: { $0.keys.contains(name) }) {
                return "did you mean '\(name)'? It stands in \(table.name)"
            }
        }
        if isTop, let words = tableNames[key] { return words }
        if keys.contains("tokens_per_day"), let name = clientLimits[key] { return "did you mean '\(name)'?" }
        if keys.contains("key_file"), let words = ofAttempts[key] { return words }
        if keys.contains("when"), let name = conditions[key] {
            return "did you mean when = {\(name == "client" ? name : "\"\(name)\"") = \"…\"}?"
        }
        if isTop, let words = ofServers[key] { return words }
        if !isTop, keys.contains("upstream"), key == "timeouts" {
            return "a target takes connect, first_token, idle and total as they are: {upstream = …, first_token = \"5s\"}"
        }
        if !isTop, common.contains(key), own.contains(key) { return "'\(key)' stands above the first [table], or in [[models]]" }
        if !isTop, common.contains(key) { return "'\(key)' holds for all: put it above the first [table]" }
        if !isTop, let table = inner.first(where: { keys.contains($0.name) && $0.keys.contains(key) }) {
            return "did you mean '\(table.name).\(key)'?"
        }
        if let table = tables.first(where: { $0.keys.contains(key) }) { return "it stands in \(table.name)" }
        if let name = suggestions.nearest(to: key, among: keys) { return "did you mean '\(name)'?" }
        if isTop { return nil }
        if target.contains(key) { return "it stands in targets = [{upstream = …}]" }
        return suggestions.nearest(to: key, among: top.map(\.key)).map { "did you mean '\($0)', above the first [table]?" }
    }
}
