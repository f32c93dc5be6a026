import EventLoop
import Testing

@testable import Settings

/// What the operator reads. The file is always `dir/sluice.toml`.
@Suite struct SettingsErrorTests {
    struct Mistake: Sendable, CustomTestStringConvertible {
        let text: String
        /// Without the file's name.
        let problems: [String]
        var testDescription: String { text.split(separator: "\n").joined(separator: " | ") }

        init(_ text: String, _ problems: String...) { self.init(text, problems) }

        init(_ text: String, _ problems: [String]) { (self.text, self.problems) = (text, problems) }

        /// The same, with lines ahead of it.
        init(of mistake: Mistake, behind text: String) { (self.text, problems) = (text + mistake.text, mistake.problems) }
    }

    private static let addresses = "use unix:PATH, tcp:HOST:PORT, fd:NUMBER, systemd or systemd:NAME"
    private static let duration = #"as in "800ms", "5s", "10m" or "1h""#
    private static let share = #"as in "20%""#
    private static let size = #"as in "512B", "64KiB", "8MiB" or "1GiB""#

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
        Mistake("\n# two\nworkers = 0", "3: workers must be \"auto\" or a number from 1 to 256"),
        Mistake("workers = 257", "1: workers must be \"auto\" or a number from 1 to 256"),
        Mistake("workers = '4'", "1: workers must be \"auto\" or a number from 1 to 256"),
        Mistake("heartbeat = 10", "1: heartbeat needs a unit, \(duration)"),
        Mistake("heartbeat = 0.5", "1: heartbeat needs a unit, \(duration)"),
        Mistake("heartbeat = '10'", "1: heartbeat must be a whole number with a unit, \(duration)"),
        Mistake("heartbeat = '1.5s'", "1: heartbeat must be a whole number with a unit, \(duration)"),
        Mistake("heartbeat = '-1s'", "1: heartbeat must be a whole number with a unit, \(duration)"),
        Mistake("heartbeat = '5 s'", "1: heartbeat must be a whole number with a unit, \(duration)"),
        Mistake("heartbeat = '25h'", "1: heartbeat must be from 0s to 24h"),
        Mistake("heartbeat = '9999999999999999h'", "1: heartbeat must be a whole number with a unit, \(duration)"),
        Mistake("heartbeat = true", "1: heartbeat must be a string"),
        Mistake("heartbeat = 07:32:00", "1: heartbeat must be a string"),
        Mistake(
            "log_level = 'loud'",
            #"1: log_level must be "trace", "debug", "info", "notice", "warning", "error" or "critical""#),
        Mistake("errors = 'text'", #"1: errors must be "json" or "sse""#),
        Mistake("refusal = 'sing'", #"1: refusal must be "pass" or "speak""#),
        Mistake("on_disconnect = 'wait'", #"1: on_disconnect must be "cancel" or "drain""#),
        Mistake(
            "authorities_file = 'no.pem'",
            "1: authorities_file names a file that cannot be read: No such file or directory"),
        Mistake("dns_ttl = 60", "1: dns_ttl needs a unit, \(duration)"),
        Mistake("dns_ttl = '0s'", "1: dns_ttl must be from 1s to 24h"),
        Mistake("dns_ttl = '999ms'", "1: dns_ttl must be from 1s to 24h"),
        Mistake("dns_ttl = '25h'", "1: dns_ttl must be from 1s to 24h"),
        Mistake("socket = 'x'", "1: socket must be a table"),
        Mistake("socket.mode = 0o660", "1: socket.mode must be a string"),
        Mistake("socket.mode = '0880'", "1: socket.mode must be octal digits up to \"0777\", as \"0660\""),
        Mistake("socket.mode = '1777'", "1: socket.mode must be octal digits up to \"0777\", as \"0660\""),
        Mistake("socket.mode = '0060'", "1: socket.mode must let the owner read and write, as \"0660\""),
        Mistake("socket.allowed_users = 'me'", "1: socket.allowed_users must be an array of strings"),
        Mistake("socket.allowed_users = ['me',\n  '']", "2: socket.allowed_users[1] must not be empty"),
        Mistake("limits.requests = 1_000_001", "1: limits.requests must be a whole number from 1 to 1000000"),
        Mistake("limits.body = 8388608", "1: limits.body needs a unit, \(size)"),
        Mistake("limits.body = '8MB'", "1: limits.body must be a whole number with a unit, \(size)"),
        Mistake("limits.body = '0B'", "1: limits.body must be from 1KiB to 1GiB"),
        Mistake("limits.parameters = '1GiB'", "1: limits.parameters must be from 1KiB to 16MiB"),
        Mistake("limits.memory = 1073741824", "1: limits.memory needs a unit, \(size)"),
        Mistake("limits.memory = '1TB'", "1: limits.memory must be a whole number with a unit, \(size)"),
        Mistake("limits.memory = '20%'", "1: limits.memory must be a whole number with a unit, \(size)"),
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
        Mistake("retry_after_max = 2", "1: retry_after_max needs a unit, \(duration)"),
        Mistake("retry_budget = 20", "1: retry_budget needs a unit, \(share)"),
        Mistake("retry_budget = 0.2", "1: retry_budget needs a unit, \(share)"),
        Mistake("retry_budget = '20'", "1: retry_budget must be a whole number with a unit, \(share)"),
        Mistake("retry_budget = '2.5%'", "1: retry_budget must be a whole number with a unit, \(share)"),
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
        Mistake("[[model]]\nmatch = '*'", "1: unknown key 'model'; did you mean 'models'?"),
        Mistake("colour = 1", "1: unknown key 'colour'"),
        Mistake("'my key' = 1", "1: unknown key '\"my key\"'"),
        Mistake("[upstreams.a]\nkind = 'demo'\nkeyfile = 'x'", "3: unknown key 'upstreams.a.keyfile'; did you mean 'key_file'?"),
    ]

    private static let forAll = "holds for all: put it above the first [table]"

    private static let misplaced = [
        Mistake("[[models]]\nmatch = '*'\nheartbeat = '4s'", "3: unknown key 'models[0].heartbeat'; 'heartbeat' \(forAll)"),
        Mistake("[timeouts]\nretries = 1", "2: unknown key 'timeouts.retries'; 'retries' \(forAll)"),
        Mistake(
            "[upstreams.a]\nkind = 'demo'\nlog_level = 'debug'\ntimeouts.idle = '1s'",
            "3: unknown key 'upstreams.a.log_level'; 'log_level' \(forAll)",
            "4: unknown key 'upstreams.a.timeouts'; 'timeouts' \(forAll)"),
        Mistake(
            "key = 'secret'\nurl = 'secret'", "1: unknown key 'key'; it stands in [upstreams.NAME]",
            "2: unknown key 'url'; it stands in [upstreams.NAME]"),
        Mistake("match = '*'", "1: unknown key 'match'; it stands in [[models]]"),
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

    private static let strings = [
        Mistake("spoken_error = '${MISSING}'", "1: spoken_error takes the environment's MISSING, which is not set or is empty"),
        Mistake("spoken_error = '${EMPTY}'", "1: spoken_error takes the environment's EMPTY, which is not set or is empty"),
        Mistake("spoken_error = '${OPEN'", "1: spoken_error has a '${' without a '}'"),
        Mistake(
            "spoken_error = '${1 2}'",
            "1: spoken_error has a '${' that is not followed by a variable's name; a '${' itself is written '$${'"),
        Mistake(#"spoken_error = "a\u0000b""#, "1: a NUL has no place in a setting"),
    ]

    private static let braces = #"begins with '$': a variable is written with braces, as "${OPENAI_API_KEY}""#

    private static let keysWithoutBraces = ["$OPENAI_API_KEY", "$secret", "$_1"].map {
        Mistake("[upstreams.a]\nkey = '\($0)'", "2: upstreams.a.key \(braces)")
    }

    private static let place = "must name a host, and as its port, if it has one, a number from 1 to 65535"

    private static let upstreams = [
        Mistake("upstreams = {}", "1: upstreams names no upstream; write [upstreams.NAME]"),
        Mistake("upstreams = 'demo'", "1: upstreams must be a table"),
        Mistake("upstreams.a = 'demo'", "1: upstreams.a must be a table"),
        Mistake(
            "[upstreams.\"a b\"]\nkind = 'demo'", "1: upstreams.\"a b\" must have a name of letters, digits, '-' and '_'"),
        Mistake(
            "[upstreams.a]\nkind = 'azur'\nkey = 'k'\napi_version = '1'",
            #"2: upstreams.a.kind must be "openai", "azure", "compatible" or "demo""#),
        Mistake("[upstreams.a]\nkind = 'compatible'", "1: upstreams.a needs a url"),
        Mistake(
            "[upstreams.a]\nkind = 'demo'\nurl = 'http://x'",
            "3: upstreams.a.url has no meaning for the demo, which needs no network"),
        Mistake("[upstreams.a]\nurl = 'ftp://x'", "2: upstreams.a.url must be a URL like https://api.openai.com/v1"),
        Mistake(
            "[upstreams.a]\nurl = 'http://u:secret@x'",
            "2: upstreams.a.url must not hold a user name or password; a key has a setting of its own"),
        Mistake(
            "[upstreams.a]\nurl = 'http://x?k=secret'",
            "2: upstreams.a.url must be a plain URL of ASCII without spaces, '?' and '#'"),
        Mistake("[upstreams.a]\nurl = 'http://x:99999'", "2: upstreams.a.url \(place)"),
        Mistake("[upstreams.a]\nurl = 'https://:443/v1'", "2: upstreams.a.url \(place)"),
        Mistake("[upstreams.a]\nurl = 'https://::1/v1'", "2: upstreams.a.url \(place)"),
        Mistake(
            "[upstreams.a]\nurl = 'unix:/a'\nproxy = 'none'",
            "3: upstreams.a.proxy has no meaning for a unix socket, which is on this machine"),
        Mistake(
            "[upstreams.a]\nurl = 'unix:'", "2: upstreams.a.url must name a socket by its absolute path, as unix:/run/vllm.sock"),
        Mistake(
            "[upstreams.a]\nurl = 'unix:secret.sock:/v1'",
            "2: upstreams.a.url must name a socket by its absolute path, as unix:/run/vllm.sock"),
        Mistake(
            "[upstreams.a]\nurl = 'unix:/\(String(repeating: "x", count: 107)):/v1'",
            "2: upstreams.a.url must name a socket by a path of at most 107 bytes"),
        Mistake(
            "[upstreams.a]\nurl = 'unix:/run/a:secret'",
            "2: upstreams.a.url must have a path behind the second ':', as unix:/run/vllm.sock:/v1"),
        Mistake(
            "[upstreams.a]\nurl = 'unix:/a:/v1?k=secret'",
            "2: upstreams.a.url must be a plain URL of ASCII without spaces, '?' and '#'"),
        Mistake(
            "[upstreams.a]\nkind = 'azure'\nkey = 'k'\nurl = 'unix:/x:/openai/deployments/y'",
            "4: upstreams.a.url must be the resource's own URL, as https://NAME.openai.azure.com; "
                + "Sluice adds /openai/deployments/…"),
        Mistake(
            "[upstreams.a]\nurl = 'unix:/x'\ncertificate = 'good'\nstreams_per_connection = 5",
            "3: upstreams.a.certificate has no meaning without TLS: url must begin with https://",
            "4: upstreams.a.streams_per_connection has no meaning over HTTP/1.1, where requests share no connection"),
        Mistake(
            "[upstreams.a]\nkind = 'azure'\nkey = 'k'\nurl = 'https://x.openai.azure.com/openai/deployments/y'",
            "4: upstreams.a.url must be the resource's own URL, as https://NAME.openai.azure.com; "
                + "Sluice adds /openai/deployments/…"),
        Mistake(
            "[upstreams.a]\nkind = 'azure'\nurl = 'https://x'",
            "1: upstreams.a needs key or key_file: this API answers nobody without one"),
        Mistake("[upstreams.a]", "1: upstreams.a needs key or key_file: this API answers nobody without one"),
        Mistake("[upstreams.a]\nkey = 'secret'\nkey_file = 'good'", "2: upstreams.a.key and key_file cannot both be set"),
        Mistake("[upstreams.a]\nkey = ''", "2: upstreams.a.key must not be empty"),
        Mistake(
            "[upstreams.a]\nkey = 'sec ret'",
            "2: upstreams.a.key gives a key with a space, a line break or a character that is not ASCII"),
        Mistake(
            "[upstreams.a]\nkey_file = 'secret'",
            "2: upstreams.a.key_file names a file that cannot be read: No such file or directory"),
        Mistake("[upstreams.a]\nkey_file = 'empty'", "2: upstreams.a.key_file names a file whose first line is empty"),
        Mistake(
            "[upstreams.a]\nkey = 'k'\napi_version = '1'", "3: upstreams.a.api_version has a meaning for kind = \"azure\" alone"),
        Mistake("[upstreams.a]\nkey = 'k'\nusage = 'yes'", "3: upstreams.a.usage must be true or false"),
        Mistake(
            "[upstreams.a]\nkey = 'k'\nparameters = {pass = 'none', add = [1]}",
            "3: upstreams.a.parameters.add[0] must be a string", #"3: upstreams.a.parameters.pass must be "openai" or "all""#),
        Mistake(
            "[upstreams.a]\nkey = 'k'\nparameters.add = ['top_k', 'api_base']",
            "3: upstreams.a.parameters.add cannot hold 'api_base': it never goes out"),
        Mistake("[upstreams.a]\nkey = 'k'\nwarm = 101", "3: upstreams.a.warm must be a whole number from 0 to 100"),
        Mistake(
            "[upstreams.a]\nkey = 'k'\nconcurrent = 0", "3: upstreams.a.concurrent must be a whole number from 1 to 1000000"),
        Mistake(
            "[upstreams.a]\nkey = 'k'\nconcurrent = 1\nqueue = -1\nqueue_wait = 1",
            "4: upstreams.a.queue must be a whole number from 0 to 1000000", "5: upstreams.a.queue_wait needs a unit, \(duration)"
        ),
        Mistake(
            "[upstreams.a]\nkey = 'k'\nqueue_wait = '1s'\nqueue = 1",
            "3: upstreams.a.queue_wait has no meaning without concurrent: nothing waits",
            "4: upstreams.a.queue has no meaning without concurrent: nothing waits"),
        Mistake(
            "rest_max = '1m'\n[upstreams.a]\nkey = 'k'\nrest_for = '61s'",
            "4: upstreams.a.rest_for must not be longer than rest_max, which is 1m"),
        Mistake(
            "[upstreams.a]\nkind = 'demo'\nwarm = 1", "3: upstreams.a.warm has no meaning for the demo, which needs no network"),
    ]

    private static let proxyWords =
        #"must be "environment", "none", http://HOST:PORT or http://USER:PASSWORD@HOST:PORT (special characters as %XX)"#

    private static let connections = [
        Mistake("proxy = 'https://secret:secret@proxy:1'", "4: upstreams.a.proxy \(proxyWords)"),
        Mistake("proxy = 'socks5://secret:1'", "4: upstreams.a.proxy \(proxyWords)"),
        Mistake("proxy = 'http://secret'", "4: upstreams.a.proxy \(proxyWords)"),
        Mistake("proxy = 'http://proxy:secret'", "4: upstreams.a.proxy \(proxyWords)"),
        Mistake("proxy = ''", "4: upstreams.a.proxy must not be empty"),
        Mistake("proxy = true", "4: upstreams.a.proxy must be a string"),
        Mistake("http = '2.0'", #"4: upstreams.a.http must be "auto", "1.1" or "2""#),
        Mistake("http = 2", #"4: upstreams.a.http must be "auto", "1.1" or "2""#),
        Mistake(
            "streams_per_connection = 0", "4: upstreams.a.streams_per_connection must be a whole number from 1 to 10000"),
        Mistake(
            "streams_per_connection = 10001", "4: upstreams.a.streams_per_connection must be a whole number from 1 to 10000"),
        Mistake(
            "streams_per_connection = 5\nhttp = '1.1'",
            "4: upstreams.a.streams_per_connection has no meaning over HTTP/1.1, where requests share no connection"),
        Mistake("certificate = 'good'", "4: upstreams.a.certificate needs certificate_key, its private key"),
        Mistake("certificate_key = 'good'", "4: upstreams.a.certificate_key needs certificate, which it is the key of"),
        Mistake(
            "certificate = 'secret'\ncertificate_key = '-----BEGIN secret'",
            "4: upstreams.a.certificate names a file that cannot be read: No such file or directory",
            "5: upstreams.a.certificate_key names a file that cannot be read: No such file or directory"),
    ].map { Mistake(of: $0, behind: "[upstreams.a]\nkey = 'k'\nurl = 'https://x'\n") }

    private static let plainConnections = [
        Mistake(
            "certificate = 'good'\ncertificate_key = 'good'",
            "4: upstreams.a.certificate has no meaning without TLS: url must begin with https://",
            "5: upstreams.a.certificate_key has no meaning without TLS: url must begin with https://"),
        Mistake(
            "certificate_key = 'good'",
            "4: upstreams.a.certificate_key has no meaning without TLS: url must begin with https://"),
        Mistake(
            "streams_per_connection = 5",
            "4: upstreams.a.streams_per_connection has no meaning over HTTP/1.1, where requests share no connection"),
        Mistake("streams_per_connection = 5\nhttp = 'h2'", #"5: upstreams.a.http must be "auto", "1.1" or "2""#),
    ].map { Mistake(of: $0, behind: "[upstreams.a]\nkey = 'k'\nurl = 'http://x'\n") }

    private static let headers = [
        ("Authorization = 'Bearer secret'", "Authorization cannot be set; use key or key_file"),
        ("host = 'x'", "host cannot be set; it comes from url"),
        ("Content-Length = '3'", "Content-Length cannot be set; Sluice sends its own"),
        ("Transfer-Encoding = 'x'", "Transfer-Encoding cannot be set; it is about the connection, which is Sluice's business"),
        ("'X Team' = 'x'", "\"X Team\" is no header's name"),
        ("X-Team = \"secret\\nX-Other: x\"", "X-Team must be printable ASCII without spaces at its ends"),
        ("X-Team = ''", "X-Team must not be empty"),
        ("X-Team = 1", "X-Team must be a string"),
    ].map { Mistake("[upstreams.a]\nkey = 'k'\nheaders.\($0)", "3: upstreams.a.headers.\($1)") }

    private static let models = [
        Mistake(
            "[upstreams.a]\nkind = 'demo'\n[upstreams.b]\nkind = 'demo'",
            "1: upstreams names several: add [[models]] to say which requests go to which"),
        Mistake("models = []", "1: models must be tables: [[models]]"),
        Mistake("[models]\nmatch = '*'", "1: models must be tables: [[models]]"),
        Mistake(
            "[[models]]\ntargets = ['demo']", "1: models[0] needs match: a model's name, or a pattern such as \"gpt-4*\" or \"*\""
        ),
        Mistake(
            "[upstreams.a]\nkind = 'demo'\n[upstreams.b]\nkind = 'demo'\n[[models]]\nmatch = '*'",
            "5: models[0] needs targets: there are several upstreams, a, b"),
        Mistake("[[models]]\nmatch = '*'\ntargets = ['dmo']", "3: models[0].targets[0] names no upstream; did you mean 'demo'?"),
        Mistake("[[models]]\nmatch = '*'\ntargets = ['xyz']", "3: models[0].targets[0] names no upstream; there are: demo"),
        Mistake(
            "[[models]]\nmatch = '*'\ntargets = []",
            "3: models[0].targets must be an array of upstreams' names, or of {upstream = …, model = …}"),
        Mistake("[[models]]\nmatch = '*'\ntargets = [{model = 'x'}]", "3: models[0].targets[0] needs upstream"),
        Mistake(
            "[[models]]\nmatch = '*'\n[[models]]\nmatch = 'x'",
            "3: models[1] is never reached: models[0] matches the same models first"),
        Mistake(
            "[[models]]\nmatch = 'x'\nset = {model = 'y'}",
            "3: models[0].set.model cannot change 'model': use targets = [{upstream = …, model = …}]"),
        Mistake(
            "[[models]]\nmatch = 'x'\ndefault = {stream = true}",
            "3: models[0].default.stream cannot change 'stream': the caller decides whether to stream"),
        Mistake(
            "[[models]]\nmatch = 'x'\ndrop = ['stream_options']",
            "3: models[0].drop cannot change 'stream_options': use usage and obfuscation of the upstream"),
        Mistake(
            "[[models]]\nmatch = 'x'\nset = {base_url = 'http://x'}",
            "3: models[0].set.base_url cannot change 'base_url': it never goes out"),
        Mistake(
            "[[models]]\nmatch = 'x'\nrename = {prompt = 'messages'}",
            "3: models[0].rename.prompt cannot change 'messages': they go through as they are"),
        Mistake(
            "[[models]]\nmatch = 'x'\nrename = {a = 'c', b = 'c'}", "3: models[0].rename.b gives the same new name as another one"
        ),
        Mistake(
            "[[models]]\nmatch = '*'\ntargets = [\n'dmo',\n{upstream = 'demo', weight = 0},\n{weigth = 1},\n7]",
            "4: models[0].targets[0] names no upstream; did you mean 'demo'?",
            "5: models[0].targets[1].weight must be a whole number from 1 to 1000",
            "6: unknown key 'models[0].targets[2].weigth'; did you mean 'weight'?", "6: models[0].targets[2] needs upstream",
            "7: models[0].targets[3] must be an upstream's name, or {upstream = …, model = …}"),
        Mistake(
            "[[models]]\nmatch = '*'\n[[models.targets]]\nupstream = 'demo'\nfirst_token = '0s'\nset.model = 'x'",
            "5: models[0].targets[0].first_token must be from 1ms to 24h",
            "6: models[0].targets[0].set.model cannot change 'model': use targets = [{upstream = …, model = …}]"),
        Mistake(
            "[[models]]\nmatch = '*'\ntimeouts = {request = '1s', idle = 1}",
            "3: unknown key 'models[0].timeouts.request'; it stands in [timeouts]",
            "3: models[0].timeouts.idle needs a unit, \(duration)"),
        Mistake(
            "[[models]]\nmatch = '*'\nhedge_after = '1s'\nfallback_on = [404]",
            "3: models[0].hedge_after has no meaning with one target: there is no other to ask",
            "4: models[0].fallback_on has no meaning with one target: there is no other to ask"),
        Mistake("[[models]]\nmatch = '*'\nretry_budget = '200%'", "3: models[0].retry_budget must be from 0% to 100%"),
        Mistake("[[models]]\nmatch = 'x'\nset = {a = nan}", "3: models[0].set.a must be a finite number"),
        Mistake("[[models]]\nmatch = 'x'\nset = {a = [1979-05-27]}", "3: models[0].set.a[0] must be a string: JSON has no dates"),
    ]

    private static let patterns =
        [
            ("gpt-*", "gpt-4o"), ("gpt-*", "gpt-4*"), ("gpt-*", "gpt-*"), ("gpt-*", "gpt-?"), ("o[1-9]*", "o3"), ("?", "x"),
            ("*", "[1-9]"), ("*-mini", "gpt-mini"), ("a[]]", "a]"),
        ].map {
            Mistake(
                "[[models]]\nmatch = '\($0)'\n[[models]]\nmatch = '\($1)'",
                "3: models[1] is never reached: models[0] matches the same models first")
        }
        + ["[1-", "gpt-[", "[]", "[!]", "[^]x", "[a][b"].map {
            Mistake("[[models]]\nmatch = '\($0)'", "2: models[0].match has a '[' without a ']'; a '[' itself is written '[[]'")
        }

    private static let weights = [
        ("{upstream = 'demo', weight = 3}", [0]), ("{upstream = 'demo', weight = 3}, 'demo'", [0]),
        ("'demo', {upstream = 'demo', weight = 1}", [1]),
        ("{upstream = 'demo', weight = 1}, {upstream = 'demo', weight = 2}", []),
        ("{upstream = 'demo', weight = 1}, 'demo', {upstream = 'demo', weight = 1}", [0, 2]),
        ("{upstream = 'demo', weight = 1}, {upstream = 'demo', weight = 1}, 'demo', {upstream = 'demo', weight = 1}", [3]),
    ].map { targets, lone in
        Mistake(
            "[[models]]\nmatch = '*'\ntargets = [\(targets)]",
            lone.map { "3: models[0].targets[\($0)].weight has no meaning alone: give its neighbour one" })
    }

    private static let hedges = [
        ("hedge_after = 800", "hedge_after needs a unit, \(duration)"),
        ("hedge_after = '0s'", "hedge_after must be from 1ms to 24h"),
        ("hedge_after = '95%'", "hedge_after must be a whole number with a unit, \(duration)"),
        ("hedge_after = 'p0'", #"hedge_after must be a percentile from "p1" to "p99", or a duration"#),
        ("hedge_after = 'p100'", #"hedge_after must be a percentile from "p1" to "p99", or a duration"#),
        ("hedge_after = 'p095'", #"hedge_after must be a percentile from "p1" to "p99", or a duration"#),
        ("hedge_after = 'p99.9'", #"hedge_after must be a percentile from "p1" to "p99", or a duration"#),
        ("hedge_after = ''", "hedge_after must not be empty"),
        ("fallback_on = 404", "fallback_on must be an array of statuses, as in [404, 422]"),
        ("fallback_on = [399]", "fallback_on[0] must be a whole number from 400 to 599"),
        ("fallback_on = [404, 600]", "fallback_on[1] must be a whole number from 400 to 599"),
        ("fallback_on = ['404']", "fallback_on[0] must be a whole number from 400 to 599"),
    ].map { Mistake("[[models]]\nmatch = '*'\ntargets = ['demo', 'demo']\n\($0)", "4: models[0].\($1)") }

    private static let number =
        #"this is not TOML: what begins like a number is neither one nor a date; durations, sizes, shares and modes stand in quotes: "#
        + #""4s", "8MiB", "20%", "0660""#

    private static let unquoted = [
        "heartbeat = 4s", "socket.mode = 0660", "limits.body = 8MiB", "retry_budget = 20%", "dns_ttl = 1h",
    ].map { Mistake($0, "1: \(number)") }

    private static let otherNames = [
        Mistake(
            "[upstreams.a]\nkind = 'demo'\napi_key = 'secret'\nbase_url = 'secret'",
            "3: unknown key 'upstreams.a.api_key'; did you mean 'key'?",
            "4: unknown key 'upstreams.a.base_url'; did you mean 'url'?"),
        Mistake("api_key = 'secret'", "1: unknown key 'api_key'; did you mean 'key'? It stands in [upstreams.NAME]"),
        Mistake(
            "[[models]]\nmatch = '*'\ntargets = [{name = 'demo'}]",
            "3: unknown key 'models[0].targets[0].name'; did you mean 'upstream'?", "3: models[0].targets[0] needs upstream"),
    ]

    private static let syntax = [
        Mistake("[{]", "1: this is not TOML: a table's name must follow '['"),
        Mistake("a = [1,\n }", "2: this is not TOML: '}' stands where the array has a value or ']'"),
        Mistake("listen = \nworkers = 2", "1: this is not TOML at column 10: error while parsing key-value pair: expected value"),
        Mistake(
            "listen = 'a'\nlisten = 'b'",
            "2: this is not TOML at column 10: error while parsing key-value pair: cannot redefine existing string"),
        Mistake(
            "workers = 99999999999999999999",
            "1: this is not TOML at column 31: error while parsing decimal integer"),
        Mistake(
            "[upstreams.a]\nkey = sk-secret",
            "2: this is not TOML at column 7: error while parsing value: could not determine value type"),
        Mistake(
            "[upstreams.a]\nkey = true-secret",
            "2: this is not TOML at column 11: error while parsing boolean: expected value-terminator"),
        Mistake(
            "[upstreams.a]\nkey = 'secret\n",
            "2: this is not TOML at column 14: error while parsing literal string: "
                + "control characters other than TAB (U+0009) are explicitly prohibited"),
    ]

    private static let all =
        values + attempts + keys + misplaced + strings + keysWithoutBraces + upstreams + connections + plainConnections + headers
        + models
        + hedges + syntax + patterns + weights + unquoted + otherNames

    @Test(arguments: all)
    func `a mistake is told with its line and its key, and without its value`(_ mistake: Mistake) {
        let settings = SettingsCase(
            text: mistake.text, environment: ["EMPTY": ""], files: ["dir/good": "secret", "dir/empty": "\nsecret"])
        #expect(settings.problems == mistake.problems.map { "dir/sluice.toml:\($0)" })
        #expect(!settings.problems.joined().contains("secret"))
    }

    @Test(arguments: ["sk-$A", "$", "$1", "$a-b", "$$", "$${A}", "${KEY}"]) func `other keys may hold a dollar`(key: String) {
        #expect(SettingsCase(text: "[upstreams.a]\nkey = '\(key)'", environment: ["KEY": "$KEY"]).problems.isEmpty)
    }

    @Test(
        arguments: [
            ("gpt-*o", "gpt-4*"), ("gpt-?", "gpt-4o"), ("gpt-4*", "gpt-*"), ("gpt-4o", "gpt-*"), ("[a]*", "a*"), ("[]]", "[[]"),
            ("GPT-*", "gpt-4o"), ("gpt-**", "gpt"), ("${A}*", "x*"),
        ])
    func `a model behind another that leaves it something is reached`(first: String, second: String) {
        let text = "[[models]]\nmatch = '\(first)'\n[[models]]\nmatch = '\(second)'"
        #expect(SettingsCase(text: text, environment: ["A": "a"]).problems.isEmpty)
    }

    @Test func `all mistakes are told at once, in the file's order`() {
        let settings = SettingsCase(
            text: """
                timeouts = {idle = 1}
                workers = 0
                [[models]]
                targets = ["nobody"]
                [upstreams.a]
                key = "${MISSING}"
                """, options: SettingsOptions(listen: ["nowhere"], logLevel: "loud"))
        #expect(
            settings.problems.map { String($0.prefix { $0 != " " }) }
                == [1, 2, 3, 4, 6].map { "dir/sluice.toml:\($0):" } + ["listen", "--log-level"])
    }

    @Test func `a file that is named must be there`() {
        let sources = SettingsSources(
            options: SettingsOptions(config: "no.toml"), environment: { _ in nil },
            readFile: { path throws(SystemError) in throw absent(path) }, readTLSFiles: { _, _ in })
        let error = #expect(throws: SettingsError.self) { try sources.load() }
        #expect(error?.problems == ["the settings file cannot be read: no.toml: No such file or directory"])
    }

    @Test(arguments: [(1 << 20, nil), (1 << 20 + 1, "the settings file cannot be read: x.toml: File too large")])
    func `a settings file has a mebibyte at most`(size: Int, problem: String?) {
        let sources = SettingsSources(
            options: SettingsOptions(config: "x.toml"), environment: { _ in nil },
            readFile: { _ in [UInt8](repeating: UInt8(ascii: "\n"), count: size) }, readTLSFiles: { _, _ in })
        var problems: [String] = []
        do { _ = try sources.load() } catch { problems = error.problems }
        #expect(problems == [problem].compactMap(\.self))
    }

    @Test func `bytes that are not text are no settings`() {
        let sources = SettingsSources(
            options: SettingsOptions(config: "x.toml"), environment: { _ in nil }, readFile: { _ in [0x61, 0xFF] },
            readTLSFiles: { _, _ in })
        let error = #expect(throws: SettingsError.self) { try sources.load() }
        #expect(error?.problems == ["x.toml: the file is not UTF-8 text"])
    }
}
