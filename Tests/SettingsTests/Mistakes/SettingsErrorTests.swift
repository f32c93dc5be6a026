import Testing

@testable import Settings

/// What the operator reads of keys and values, but for those of upstreams and models.
@Suite struct SettingsErrorTests {
    private static let addresses = "use unix:PATH, tcp:HOST:PORT, fd:NUMBER, systemd or systemd:NAME"
    private static let ranges = #"use an address or a range, as "192.0.2.7", "10.0.0.0/8" or "fd00::/8""#
    private static let destination = #"must be "stderr", "journal", "syslog" or "file:" and the path of a file"#

    private static let values = [
        Mistake("listen = 'nowhere'", "1: listen has no scheme; \(addresses)"),
        Mistake("listen = 7", "1: listen must be an address, or an array of them; \(addresses)"),
        Mistake("listen = ''", "1: listen must not be empty"),
        Mistake("listen = []", "1: listen must have 1 to 16 addresses"),
        Mistake(
            "listen = [\(repeatElement("'fd:3'", count: 17).joined(separator: ", "))]", "1: listen must have 1 to 16 addresses"),
        Mistake("listen = ['fd:3',\n  'nowhere']", "2: listen[1] has no scheme; \(addresses)"),
        Mistake("listen = ['fd:3',\n  3]", "2: listen[1] must be an address; \(addresses)"),
        Mistake("listen = ['fd:3', 'systemd',\n  'fd:3']", "2: listen[2] is an address that stands before it already"),
        Mistake("listen = 'systemd:a:b'", "1: listen has no name of a descriptor; \(addresses)"),
        Mistake("allowed_addresses = '10.0.0.0/8'", "1: allowed_addresses must be an array of 1 to 256 strings"),
        Mistake("allowed_addresses = []", "1: allowed_addresses must be an array of 1 to 256 strings"),
        Mistake(
            "allowed_addresses = [\(repeatElement("'::1'", count: 257).joined(separator: ", "))]",
            "1: allowed_addresses must be an array of 1 to 256 strings"),
        Mistake("allowed_addresses = ['::1',\n  7]", "2: allowed_addresses[1] must be a string"),
        Mistake("allowed_addresses = ['::1',\n  'secret']", "2: allowed_addresses[1] is no address of IP; \(ranges)"),
        Mistake(
            "allowed_addresses = ['10.0.0.1/8']",
            "1: allowed_addresses[0] is either the range 10.0.0.0/8 or the address 10.0.0.1: name one of them; \(ranges)"),
        Mistake(
            "control = '/run/sluice/control.sock'",
            #"1: control has no scheme; use unix:PATH; did you mean "unix:/run/sluice/control.sock"?"#),
        Mistake("control = '127.0.0.1:9'", "1: control has no scheme; use unix:PATH"),
        Mistake("listen = '127.0.0.1:9000'", #"1: listen has no scheme; \#(addresses); did you mean "tcp:127.0.0.1:9000"?"#),
        Mistake("listen = ['/run/a.sock']", #"1: listen[0] has no scheme; \#(addresses); did you mean "unix:/run/a.sock"?"#),
        Mistake("control = 'unix:/run/sluice/'", "1: control names a folder; use unix:PATH"),
        Mistake("control = 'tcp:127.0.0.1:9'", "1: control is no path of a socket; use unix:PATH"),
        Mistake("\n# two\nworkers = 0", "3: workers must be \"auto\" or a number from 1 to 256"),
        Mistake("workers = 257", "1: workers must be \"auto\" or a number from 1 to 256"),
        Mistake("workers = '4'", "1: workers must be \"auto\" or a number from 1 to 256"),
        Mistake("heartbeat = 10", "1: heartbeat needs a unit, \(Mistake.duration)"),
        Mistake("heartbeat = 0.5", "1: heartbeat needs a unit, \(Mistake.duration)"),
        Mistake("heartbeat = '10'", "1: heartbeat must be a whole number with a unit, \(Mistake.duration)"),
        Mistake("heartbeat = '1.5s'", "1: heartbeat must be a whole number with a unit, \(Mistake.duration)"),
        Mistake("heartbeat = '-1s'", "1: heartbeat must be a whole number with a unit, \(Mistake.duration)"),
        Mistake("heartbeat = '5 s'", "1: heartbeat must be a whole number with a unit, \(Mistake.duration)"),
        Mistake("heartbeat = '25h'", "1: heartbeat must be from 0s to 24h"),
        Mistake("heartbeat = '9999999999999999h'", "1: heartbeat must be a whole number with a unit, \(Mistake.duration)"),
        Mistake("heartbeat = true", "1: heartbeat must be a string"),
        Mistake("heartbeat = 07:32:00", "1: heartbeat must be a string"),
        Mistake(
            "log.level = 'loud'",
            #"1: log.level must be "trace", "debug", "info", "notice", "warning", "error" or "critical""#),
        Mistake("log = 'json'", #"1: log must be a table, as in log = {to = "stderr", format = "json"}"#),
        Mistake("log.format = 'xml'", #"1: log.format must be "json", "text" or "logfmt""#),
        Mistake("log.to = 'stdout'", "1: log.to \(destination)"),
        Mistake("log.to = '/var/log/sluice.log'", "1: log.to \(destination)"),
        Mistake("log.to = 'file:'", "1: log.to \(destination)"),
        Mistake("log.to = 'file:/var/log/'", "1: log.to \(destination)"),
        Mistake("log.to = 2", "1: log.to must be a string"),
        Mistake("log.slow = 5", "1: log.slow needs a unit, \(Mistake.duration)"),
        Mistake("log.slow = '25h'", "1: log.slow must be from 0s to 24h"),
        Mistake("errors = 'text'", #"1: errors must be "json" or "sse""#),
        Mistake("refusal = 'sing'", #"1: refusal must be "pass" or "speak""#),
        Mistake("speech = 'emoji'", "1: speech must be an array of strings"),
        Mistake("speech = ['emoji',\n  'emojis']", #"2: speech[1] must be "think", "markdown", "emoji" or "links""#),
        Mistake("speech = [7]", "1: speech[0] must be a string"),
        Mistake("on_disconnect = 'wait'", #"1: on_disconnect must be "cancel" or "drain""#),
        Mistake(
            "authorities_file = 'no.pem'",
            "1: authorities_file names a file that cannot be read: No such file or directory"),
        Mistake("dns_ttl = 60", "1: dns_ttl needs a unit, \(Mistake.duration)"),
        Mistake("dns_ttl = '0s'", "1: dns_ttl must be from 1s to 24h"),
        Mistake("dns_ttl = '999ms'", "1: dns_ttl must be from 1s to 24h"),
        Mistake("dns_ttl = '25h'", "1: dns_ttl must be from 1s to 24h"),
        Mistake("socket = 'x'", #"1: socket must be a table, as in socket = {mode = "0660"}"#),
        Mistake("socket.mode = 0o660", "1: socket.mode must be a string"),
        Mistake("socket.mode = '0880'", "1: socket.mode must be octal digits up to \"0777\", as \"0660\""),
        Mistake("socket.mode = '1777'", "1: socket.mode must be octal digits up to \"0777\", as \"0660\""),
        Mistake("socket.mode = '0060'", "1: socket.mode must let the owner read and write, as \"0660\""),
        Mistake("socket.allowed_users = 'me'", "1: socket.allowed_users must be an array of strings"),
        Mistake("socket.allowed_users = ['me',\n  '']", "2: socket.allowed_users[1] must not be empty"),
        Mistake("limits.requests = 1_000_001", "1: limits.requests must be a whole number from 1 to 1000000"),
        Mistake("limits.body = 8388608", "1: limits.body needs a unit, \(Mistake.size)"),
        Mistake("limits.body = '8MB'", "1: limits.body must be a whole number with a unit, \(Mistake.size)"),
        Mistake("limits.body = '0B'", "1: limits.body must be from 1KiB to 1GiB"),
        Mistake("limits.parameters = '1GiB'", "1: limits.parameters must be from 1KiB to 16MiB"),
        Mistake("limits.memory = 1073741824", "1: limits.memory needs a unit, \(Mistake.size)"),
        Mistake("limits.memory = '1TB'", "1: limits.memory must be a whole number with a unit, \(Mistake.size)"),
        Mistake("limits.memory = '20%'", "1: limits.memory must be a whole number with a unit, \(Mistake.size)"),
        Mistake("limits.memory = '0B'", "1: limits.memory must be from 1MiB to 1048576GiB"),
        Mistake("limits.memory = '15MiB'", "1: limits.memory must be at least twice limits.body, which is 8MiB"),
        Mistake(
            "limits.body = '100MiB'\nlimits.memory = '100MiB'",
            "2: limits.memory must be at least twice limits.body, which is 100MiB"),
        Mistake("limits.json_depth = 7", "1: limits.json_depth must be a whole number from 8 to 10000"),
        Mistake("timeouts.send = '0s'", "1: timeouts.send must be from 1ms to 24h"),
        Mistake("[timeouts]\n\nidle = '0s'", "3: timeouts.idle must be from 1ms to 24h"),
    ]

    private static let attempts = [
        Mistake("retries = 11", "1: retries must be a whole number from 0 to 10"),
        Mistake("retries = -1", "1: retries must be a whole number from 0 to 10"),
        Mistake("retry_after_max = 2", "1: retry_after_max needs a unit, \(Mistake.duration)"),
        Mistake("retry_budget = 20", "1: retry_budget needs a unit, \(Mistake.share)"),
        Mistake("retry_budget = 0.2", "1: retry_budget needs a unit, \(Mistake.share)"),
        Mistake("retry_budget = '20'", "1: retry_budget must be a whole number with a unit, \(Mistake.share)"),
        Mistake("retry_budget = '2.5%'", "1: retry_budget must be a whole number with a unit, \(Mistake.share)"),
        Mistake("hedge_max = '101%'", "1: hedge_max must be from 0% to 100%"),
        Mistake("rest_after = 0", "1: rest_after must be a whole number from 1 to 1000"),
        Mistake("rest_after = '50%'", "1: rest_after must be a whole number from 1 to 1000"),
        Mistake("rest_share = '0%'", "1: rest_share must be from 1% to 100%"),
        Mistake("rest_for = '10m'", "1: rest_for must not be longer than rest_max, which is 5m"),
        Mistake("rest_max = '9s'", "1: rest_max must not be shorter than rest_for, which is 10s"),
        Mistake("rest_max = '9s'\nrest_for = '10s'", "2: rest_for must not be longer than rest_max, which is 9s"),
    ]

    private static let keys = [
        Mistake("lisen = 'x'", "1: unknown key 'lisen'; did you mean 'listen'?"),
        Mistake("timeouts = {first_tokn = '1s'}", "1: unknown key 'timeouts.first_tokn'; did you mean 'first_token'?"),
        Mistake("[timeout]\nidle = '1s'", "1: unknown key 'timeout'; did you mean 'timeouts'?"),
        Mistake("[[model]]\nmatch = '*'", "1: unknown key 'model'; did you mean [[models]]?"),
        Mistake("[client.a]\nconcurrent = 1", "1: unknown key 'client'; did you mean [clients.NAME]?"),
        Mistake(
            "upstream = 'https://secret'",
            #"1: unknown key 'upstream'; did you mean [upstreams.NAME], with a line url = "…" below it?"#),
        Mistake("log_level = 'debug'", "1: unknown key 'log_level'; did you mean 'level'? It stands in [log]"),
        Mistake("log = {colour = 'red'}", "1: unknown key 'log.colour'"),
        Mistake("colour = 1", "1: unknown key 'colour'"),
        Mistake("'my key' = 1", "1: unknown key '\"my key\"'"),
        Mistake("[upstreams.a]\nkind = 'demo'\nkeyfile = 'x'", "3: unknown key 'upstreams.a.keyfile'; did you mean 'key_file'?"),
    ]

    private static let digits = String(repeating: "0a", count: 20)

    /// Somebody's key, in the place of a name.
    private static let secretNames = [
        Mistake("sk-secret = 1", "1: unknown key 'sk-…'"),
        Mistake("[sk-secret]\na = 1", "1: unknown key 'sk-…'"),
        Mistake("'sk-secret/+' = 1", "1: unknown key '\"sk-…\"'"),
        Mistake("[upstreams.sk-secret]\nkind = 'demo'\nx.y = 1", "3: unknown key 'upstreams.sk-….x'"),
        Mistake(
            "[upstreams.sk-secret]\nkind = 'demo'\n[[models]]\nmatch = '*'\ntargets = ['b']",
            "5: models[0].targets[0] names no upstream; there are: sk-…"),
        Mistake("\(digits)secret = 1", "1: unknown key '0a0a0a0a…'"),
        Mistake("a234567890-bcdefghijk-secret-lmn = 1", "1: unknown key 'a2345678…'"),
        Mistake("abc_\(String(repeating: "d", count: 31))_secret = 1", "1: unknown key 'abc_dddd…'"),
        Mistake("SK-SECRETsecret = 1", "1: unknown key 'SK-…'"),
        Mistake("'sk-\u{301}secretsecret' = 1", "1: unknown key '\"sk-…\"'"),
        Mistake(
            "'\(String(repeating: "e\u{301}", count: 8))\(String(repeating: "0", count: 20))secret' = 1",
            "1: unknown key '\"e\u{301}e\u{301}e…\"'"),
        Mistake(
            "spoken_error = '${A\(digits)secret}'",
            "1: spoken_error takes the environment's A0a0a0a0…, which is not set or is empty\(serviceHint)"),
        Mistake(
            "[[models]]\nmatch = '*'\nset = {user = 'call-${call}'}",
            "3: models[0].set.user takes the environment's call, which is not set or is empty; "
                + "the call's id is \"${call}\" alone, as a whole value of set or default"),
        Mistake("x-amzn-bedrock-guardrail-identifier = 1", "1: unknown key 'x-amzn-bedrock-guardrail-identifier'"),
    ]

    private static let forAll = "holds for all: put it above the first [table]"
    private static let forSome = "stands above the first [table], or in [[models]]"

    private static let misplaced = [
        Mistake("[[models]]\nmatch = '*'\nheartbeat = '4s'", "3: unknown key 'models[0].heartbeat'; 'heartbeat' \(forAll)"),
        Mistake("[timeouts]\nretries = 1", "2: unknown key 'timeouts.retries'; 'retries' \(forSome)"),
        Mistake(
            "[upstreams.a]\nkind = 'demo'\nworkers = 2\ntimeouts.idle = '1s'",
            "3: unknown key 'upstreams.a.workers'; 'workers' \(forAll)",
            "4: unknown key 'upstreams.a.timeouts'; 'timeouts' \(forSome)"),
        Mistake(
            "[[models]]\nmatch = '*'\ntargets = [{upstream = 'demo', timeouts = {idle = '2s'}}]",
            "3: unknown key 'models[0].targets[0].timeouts'; a target takes connect, first_token, idle and total as they are: "
                + "{upstream = …, first_token = \"5s\"}"),
        Mistake(
            "key = 'secret'\nurl = 'secret'", "1: unknown key 'key'; it stands in [upstreams.NAME]",
            "2: unknown key 'url'; it stands in [upstreams.NAME]"),
        Mistake("match = '*'", "1: unknown key 'match'; it stands in [[models]]"),
        Mistake(
            "[clients.a]\nconcurrent = 1\nhartbeat = '4s'",
            "3: unknown key 'clients.a.hartbeat'; did you mean 'heartbeat', above the first [table]?"),
        Mistake("first_token = '5s'", "1: unknown key 'first_token'; it stands in [timeouts]"),
        Mistake("[[models]]\nmatch = '*'\nurl = 'secret'", "3: unknown key 'models[0].url'; it stands in [upstreams.NAME]"),
        Mistake(
            "[[models]]\nmatch = '*'\nfirst_token = '5s'\nweight = 1",
            "3: unknown key 'models[0].first_token'; did you mean 'timeouts.first_token'?",
            "4: unknown key 'models[0].weight'; it stands in targets = [{upstream = …}]"),
        Mistake(
            "[upstreams.a]\nkind = 'demo'\nadd = ['x']\nmatch = 'x'",
            "3: unknown key 'upstreams.a.add'; did you mean 'parameters.add'?",
            "4: unknown key 'upstreams.a.match'; it stands in [[models]]"),
    ]

    private static let otherNames = [
        Mistake(
            "[upstreams.a]\nkind = 'demo'\napi_key = 'secret'\nbase_url = 'secret'",
            "3: unknown key 'upstreams.a.api_key'; did you mean 'key'?",
            "4: unknown key 'upstreams.a.base_url'; did you mean 'url'?"),
        Mistake("api_key = 'secret'", "1: unknown key 'api_key'; did you mean 'key'? It stands in [upstreams.NAME]"),
        Mistake(
            "[clients.a]\nrpm = 60\ntokens = 1000", "2: unknown key 'clients.a.rpm'; did you mean 'requests_per_minute'?",
            "3: unknown key 'clients.a.tokens'; did you mean 'tokens_per_day'?"),
        Mistake(
            "[upstreams.a]\nkind = 'demo'\ntimeout = 30\nmax_retries = 2",
            #"3: unknown key 'upstreams.a.timeout'; timeouts = {first_token = "5s", total = "2m"} "# + forSome,
            "4: unknown key 'upstreams.a.max_retries'; did you mean 'retries'? It \(forSome)"),
        Mistake(
            "[[models]]\nmatch = '*'\ntargets = [{name = 'demo'}]",
            "3: unknown key 'models[0].targets[0].name'; did you mean 'upstream'?", "3: models[0].targets[0] needs upstream"),
    ]

    private static let logIsOne = #"one log has all: did you mean log.to = "file:PATH"?"#
    private static let unit = "LimitNOFILE= of the unit, or ulimit -n, says it"
    private static let whoseItIs =
        "Sluice keeps the user that it is started as: User= of the unit; socket.group is for the socket alone"

    private static let noPools =
        "there are no pools here: settings stand above the first [table], and [[models]] treats requests differently"
    private static let statusPath =
        "/sluice/status is there where the web server passes SLUICE_STATUS, and sluice status asks by control"

    private static let sandbox = "the unit says which files it sees: RootDirectory=, ProtectSystem= and the like"
    private static let ownOutput = "what its processes have to say is in their one log, which log.to says the place of"
    private static let backlog =
        "Backlog= of the socket unit says it; a socket that Sluice opens itself takes 4096, or what net.core.somaxconn allows"

    /// As somebody writes them who knows php-fpm or nginx.
    private static let ofServers = [
        Mistake(
            "pm = 'dynamic'",
            "1: unknown key 'pm'; limits.requests says how many requests are answered at once, and processes how many processes serve: "
                + "none is started for load"),
        Mistake(
            "pm.max_children = 50\npm.start_servers = 5",
            "1: unknown key 'pm'; limits.requests says how many requests are answered at once, and processes how many processes serve: "
                + "none is started for load"),
        Mistake(
            "max_children = 50",
            "1: unknown key 'max_children'; limits.requests says how many requests are answered at once, and processes how many "
                + "processes serve: none is started for load"),
        Mistake("status_path = '/status'", "1: unknown key 'status_path'; \(statusPath)"),
        Mistake("[www]\nlisten = 'fd:0'", "1: unknown key 'www'; \(noPools)"),
        Mistake("log.rotate = 7", "1: unknown key 'log.rotate'; did you mean 'file_size'?"),
        Mistake(
            "log.level = 'warn'",
            #"1: log.level must be "trace", "debug", "info", "notice", "warning", "error" or "critical"; did you mean "warning"?"#
        ),
        Mistake("worker_processes = 'auto'", "1: unknown key 'worker_processes'; did you mean 'workers'?"),
        Mistake("worker_connections = 768", "1: unknown key 'worker_connections'; did you mean 'limits.requests'?"),
        Mistake("worker_rlimit_nofile = 9", "1: unknown key 'worker_rlimit_nofile'; \(unit)"),
        Mistake("rlimit_files = 9", "1: unknown key 'rlimit_files'; \(unit)"),
        Mistake("error_log = 'secret'", "1: unknown key 'error_log'; \(logIsOne)"),
        Mistake("access_log = 'secret'", "1: unknown key 'access_log'; \(logIsOne)"),
        Mistake("access.log = 'secret'", "1: unknown key 'access'; \(logIsOne)"),
        Mistake("slowlog = 'secret'", "1: unknown key 'slowlog'; did you mean 'log.slow'?"),
        Mistake("user = 'secret'", "1: unknown key 'user'; \(whoseItIs)"),
        Mistake("group = 'secret'", "1: unknown key 'group'; \(whoseItIs)"),
        Mistake(
            "daemonize = true",
            "1: unknown key 'daemonize'; it never leaves whoever starts it: the service manager has it"),
        Mistake(
            "pid = '/run/secret'",
            "1: unknown key 'pid'; no file of it is written: sluice stop and sluice reload find the process by control"),
        Mistake("listen.mode = '0660'", "1: listen must be an address, or an array of them; did you mean 'socket.mode'?"),
        Mistake(
            "listen.allowed_clients = '127.0.0.1'",
            "1: listen must be an address, or an array of them; did you mean 'allowed_addresses'?"),
        Mistake("listen.owner = 'www-data'", "1: listen must be an address, or an array of them; \(whoseItIs)"),
        Mistake(
            "listen = 'fd:3'\nlisten.group = 'www-data'",
            "2: listen is set twice: dir/sluice.toml:1 sets it too; did you mean 'socket.group'?"),
        Mistake("listen.backlog = 511", "1: listen must be an address, or an array of them; \(backlog)"),
        Mistake(
            "listen = 'fd:3'\nlisten.backlog = 511", "2: listen is set twice: dir/sluice.toml:1 sets it too; \(backlog)"),
        Mistake(
            "process.priority = -19",
            "1: unknown key 'process'; Nice= of the unit says its priority, and processes how many serve"),
        Mistake(
            "clear_env = false",
            "1: unknown key 'clear_env'; no request sees the environment, and "
                + #""${NAME}" in the settings takes a variable of it"#),
        Mistake("chroot = '/secret'", "1: unknown key 'chroot'; \(sandbox)"),
        Mistake("chdir = '/secret'", "1: unknown key 'chdir'; \(sandbox)"),
        Mistake("catch_workers_output = true", "1: unknown key 'catch_workers_output'; \(ownOutput)"),
        Mistake("decorate_workers_output = false", "1: unknown key 'decorate_workers_output'; \(ownOutput)"),
        // Where they are somebody's own.
        Mistake("[limits]\npid = 1", "2: unknown key 'limits.pid'"),
    ]

    private static let strings = [
        Mistake(
            "spoken_error = '${MISSING}'",
            "1: spoken_error takes the environment's MISSING, which is not set or is empty\(serviceHint)"),
        Mistake(
            "spoken_error = '${EMPTY}'",
            "1: spoken_error takes the environment's EMPTY, which is not set or is empty\(serviceHint)"),
        Mistake("spoken_error = '${OPEN'", "1: spoken_error has a '${' without a '}'"),
        Mistake(
            "spoken_error = '${1 2}'",
            "1: spoken_error has a '${' that is not followed by a variable's name; a '${' itself is written '$${'"),
        Mistake(#"spoken_error = "a\u0000b""#, "1: a NUL has no place in a setting"),
    ]

    @Test(arguments: values + attempts + keys + secretNames + misplaced + otherNames + ofServers + strings)
    func `a mistake is told with its line and its key, and without its value`(_ mistake: Mistake) { mistake.check() }

    @Test func `of very many mistakes the first are told, in the file's order, and how many more there are`() {
        let keys = (0..<1_005).map { "unknown\($0)" }
        let settings = SettingsCase(text: keys.map { "\($0) = 1\n" }.joined())
        let told = keys.prefix(1_000).enumerated().map { "dir/sluice.toml:\($0 + 1): unknown key '\($1)'" }
        #expect(settings.lines == told + ["… and 5 more"])
    }

    @Test func `a file that cannot be read hides the mistakes that need the whole, and none of the others`() {
        let tables = (0..<1_005).map { "[upstreams.a\($0)]\nkind = 'compatible'\n" }.joined()
        let settings = SettingsCase(text: "include = 'no.toml'\n\(tables)[[models]]\nmatch = 'a[b'\ntargets = ['a0']\n")
        #expect(
            settings.lines == [
                "dir/sluice.toml:1: include names dir/no.toml, which cannot be read: No such file or directory",
                "dir/sluice.toml:2013: models[0].match has a '[' without a ']'; a '[' itself is written '[[]'",
            ])
    }

    @Test func `each table is shown by an example of its own`() {
        func tables(_ descriptions: [FieldDescription]) -> [FieldDescription] {
            descriptions.flatMap { description in
                let isTable =
                    switch description.form {
                    case .table: true
                    case .other(let words, _): words.hasPrefix("a table")
                    default: false
                    }
                return (isTable ? [description] : []) + tables(description.members)
            }
        }
        let all =
            tables(Settings.sections.flatMap(\.fields).map(\.description)) + tables(UpstreamSettings.fields.map(\.description))
            + tables(ModelSettings.fields().map(\.description)) + tables(TargetSettings.fields().map(\.description))
        #expect(Set(all.map(\.key)).isSuperset(of: ["log", "limits", "hook", "rename", "headers"]))
        for table in all {
            let beginnings = table.members.isEmpty ? ["{"] : table.members.map { "{\($0.key) = " }
            let hint = KeyPlaces.hint(forNoTable: table.key) ?? ""
            #expect(beginnings.contains { hint.hasPrefix("as in \(table.key) = \($0)") }, "\(table.key): \(hint)")
        }
    }
}
