import Choosing
import EventLoop
import Chat
import FastCGI
import HTTPClient
import Logging
import Testing

@testable import Settings

@Suite struct SettingsFileTests {
    @Test func `every key of the process does what it says`() throws {
        let settings = try settings(
            """
            listen = "tcp:127.0.0.1:9000"
            allowed_addresses = ["10.0.0.0/8", "::1"]
            workers = 3
            heartbeat = "0s"
            log = {level = "debug", format = "logfmt", to = "file:sluice.log", slow = "5s"}
            default_model = "gpt-4o-mini"
            errors = "sse"
            spoken_error = "Sorry."
            refusal = "speak"
            speech = ["links", "think"]
            on_disconnect = "drain"
            authorities_file = "ca.pem"
            dns_ttl = "90s"
            retries = 0
            retry_after_max = "3s"
            retry_budget = "30%"
            hedge_max = "3%"
            rest_after = 3
            rest_share = "33%"
            rest_for = "13s"
            rest_max = "3m"
            socket = {mode = "0600", group = "www-data", allowed_users = ["www-data", "root"]}
            limits = {requests = 1, body = "1KiB", parameters = "2KiB", event = "3MiB", answer = "1GiB", memory = "3MiB", json_depth = 8}
            [timeouts]
            request = "1ms"
            connect = "2s"
            send = "7s"
            first_token = "3m"
            idle = "4h"
            total = "24h"
            client_write = "6s"
            drain = "0s"
            """, files: ["dir/ca.pem": ""])
        var expected = Settings(
            listen: [.tcp(host: "127.0.0.1", port: 9000)], workers: 3, heartbeat: .zero,
            log: Settings.Log(level: .debug, format: .logfmt, destination: .file("dir/sluice.log"), slow: .seconds(5)),
            authoritiesFile: "dir/ca.pem", nameLifetime: .seconds(90), defaultModel: "gpt-4o-mini", errors: .sse,
            spokenError: "Sorry.", refusal: .speak, onDisconnect: .drain, upstreams: settings.upstreams, models: settings.models)
        expected.speech = [.think, .links]
        expected.socket = SocketAccess(
            mode: 0o600, group: "www-data", allowedUsers: ["www-data", "root"],
            allowedAddresses: [try AddressRange("10.0.0.0/8"), try AddressRange("::1")])
        expected.limits = Settings.Limits(
            requests: 1, bodyBytes: 1024, parametersBytes: 2048, eventBytes: 3 << 20, answerBytes: 1 << 30, memoryBytes: 3 << 20,
            jsonDepth: 8)
        expected.attempts = AttemptSettings(
            retriesMax: 0, retryPercentMax: 30, retryAfterMax: .seconds(3), hedgePercentMax: 3)
        expected.rest = RestPlan(failuresMax: 3, failedPercentMax: 33, restFor: .seconds(13), restMax: .seconds(180))
        expected.timeouts = Settings.Timeouts(
            request: .milliseconds(1), connect: .seconds(2), send: .seconds(7), firstToken: .seconds(180),
            idle: .seconds(4 * 3600), total: .seconds(24 * 3600), clientWrite: .seconds(6), drain: .zero)
        expected.upstreamsFile = "dir/sluice.toml"
        #expect(settings == expected)
    }

    @Test func `an empty file changes nothing, but where upstreams are to be named`() throws {
        let environment = ["OPENAI_API_KEY": "k", "SLUICE_LISTEN": "unix:a.sock", "SSL_CERT_FILE": "/ca.pem"]
        let without = try SettingsSources(
            environment: { environment[$0] }, readFile: { path throws(SystemError) in throw absent(path) },
            listFiles: noFiles, readTLSFiles: { _, _ in nil }
        ).load()
        #expect(without.file == nil)
        var expected = without.settings
        expected.upstreamsFile = "dir/sluice.toml"
        #expect(try settings("", environment: environment) == expected)
    }

    @Test func `the default file is used when it is there`() throws {
        let sources = SettingsSources(
            environment: { _ in nil },
            readFile: { path throws(SystemError) in
                guard path == "/etc/sluice/sluice.toml" else { throw absent(path) }
                return [UInt8]("workers = 7".utf8)
            }, listFiles: noFiles, readTLSFiles: { _, _ in nil })
        let loaded = try sources.load()
        #expect(loaded.settings.workers == 7)
        #expect(loaded.file == "/etc/sluice/sluice.toml")
    }

    @Test func `the file goes before the environment, and the command line before both`() throws {
        let environment = [
            "SLUICE_LISTEN": "unix:environment.sock", "OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://environment",
        ]
        let text = """
            listen = "unix:file.sock"
            workers = 2
            log = {level = "error", format = "text"}
            [upstreams.file]
            url = "http://file"
            """
        let fromFile = try settings(text, environment: environment)
        #expect(fromFile.listen == [.unix("file.sock")])
        #expect(fromFile.upstreams.map(\.url) == ["http://file"])
        let options = SettingsOptions(
            listen: ["unix:option.sock"], control: "unix:c.sock", upstream: "http://option", workers: 5, logLevel: "trace",
            logFormat: "logfmt")
        let fromOptions = try SettingsCase(text: text, environment: environment, options: options).load()
        #expect(fromOptions.listen == [.unix("option.sock")])
        #expect(fromOptions.control == "c.sock")
        #expect(fromOptions.upstreams == [UpstreamSettings(name: "openai", url: "http://option", key: .secret("k"))])
        #expect(fromOptions.workers == 5)
        #expect(fromOptions.log == Settings.Log(level: .trace, format: .logfmt))
    }

    @Test func `several addresses are served, and shown as they were written`() throws {
        let text = #"listen = ["unix:/run/sluice/sluice.sock", "tcp:127.0.0.1:9000", "tcp:[::1]:9000", "systemd:web"]"#
        let settings = try settings(text)
        #expect(
            settings.listen == [
                .unix("/run/sluice/sluice.sock"), .tcp(host: "127.0.0.1", port: 9000), .tcp(host: "::1", port: 9000),
                .systemd(name: "web"),
            ])
        #expect(settings.text.hasPrefix(text + "\n"))
    }

    // MARK: Upstreams

    @Test func `each kind of upstream has its own defaults`() throws {
        let settings = try settings(
            """
            [upstreams.openai]
            key = "k"
            [upstreams.proxy]
            url = "http://127.0.0.1:1/v1/chat/completions"
            [upstreams.azure]
            kind = "azure"
            url = "https://example.openai.azure.com/"
            key = "k"
            [upstreams.local]
            kind = "compatible"
            url = "http://127.0.0.1:2/v1"
            [upstreams.demo]
            kind = "demo"
            [[models]]
            match = "*"
            targets = ["openai"]
            """)
        #expect(
            settings.upstreams == [
                UpstreamSettings(name: "openai", url: "https://api.openai.com/v1", key: .secret("k"), obfuscation: false),
                UpstreamSettings(name: "proxy", url: "http://127.0.0.1:1/v1"),
                UpstreamSettings(name: "azure", kind: .azure, url: "https://example.openai.azure.com", key: .secret("k")),
                UpstreamSettings(name: "local", kind: .compatible, url: "http://127.0.0.1:2/v1", asksForUsage: false),
                UpstreamSettings(name: "demo", kind: .demo),
            ])
    }

    @Test func `every key of an upstream does what it says`() throws {
        let upstreams = try settings(
            """
            [upstreams.a]
            kind = "azure"
            url = "https://host"
            key = "passthrough"
            headers = {X-Team = "voice", X-Other = "${OTHER}"}
            api_version = "2025-01-01-preview"
            parameters = {add = ["top_k", "min_p"], pass = "all"}
            continue = {prompt = "", message = {prefix = true}, set = {add_generation_prompt = false, id = "${call}"}}
            usage = false
            obfuscation = true
            http = "2"
            streams_per_connection = 10
            certificate = "client.pem"
            certificate_key = "/client.key"
            warm = 2
            concurrent = 3
            queue = 4
            queue_wait = "5s"
            rest_after = 6
            rest_share = "7%"
            rest_for = "8s"
            rest_max = "9s"
            """, environment: ["OTHER": "o"], files: ["dir/client.pem": "", "/client.key": ""]
        ).upstreams
        var continuation = ContinuationRule()
        continuation.prompt = ""
        continuation.message = [ParameterEdits.Value("prefix", json: Array("true".utf8))]
        continuation.set = [
            ParameterEdits.Value("add_generation_prompt", json: Array("false".utf8)), ParameterEdits.Value(callOf: "id"),
        ]
        #expect(
            upstreams == [
                UpstreamSettings(
                    name: "a", kind: .azure, url: "https://host", key: .passthrough,
                    headers: [.init(name: "X-Team", value: "voice"), .init(name: "X-Other", value: "o")],
                    apiVersion: "2025-01-01-preview", addedParameters: ["top_k", "min_p"], passesAllParameters: true,
                    continuation: continuation, asksForUsage: false, obfuscation: true, httpVersion: .http2, streamsMax: 10,
                    certificate: "dir/client.pem", certificateKey: "/client.key", warmCount: 2, concurrentMax: 3, queueMax: 4,
                    queueWait: .seconds(5),
                    rest: RestPlan(failuresMax: 6, failedPercentMax: 7, restFor: .seconds(8), restMax: .seconds(9)))
            ])
    }

    @Test(arguments: [
        ("https://api.openai.com/v1", Bool?.some(false)), ("https://openai.com", false),
        ("https://EU.api.OpenAI.com:443/v1", false),
        ("https://notopenai.com/v1", nil), ("https://openai.com.example.org/v1", nil),
        ("unix://openai.com/v1", nil), ("unix:/xopenai.com", nil), ("http://127.0.0.1:8000/openai.com", nil),
    ])
    func `padding is turned off at OpenAI alone`(url: String, obfuscation: Bool?) throws {
        #expect(try settings("upstreams.a = {url = '\(url)', key = 'k'}").upstreams.map(\.obfuscation) == [obfuscation])
        let fromEnvironment = try settings("", environment: ["OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"])
        #expect(fromEnvironment.upstreams.map(\.obfuscation) == [obfuscation])
    }

    @Test(arguments: [
        ("key = '${KEY}'", "from-environment"), ("key = 'a-${KEY}-b'", "a-from-environment-b"), ("key = '$${KEY}$'", "${KEY}$"),
        ("key_file = 'key'", "from-file"), ("key_file = '/absolute'", "absolute"),
        ("key_file = '${CREDENTIALS}/key'", "credential"),
    ])
    func `a key comes from the environment or a file`(setting: String, key: String) throws {
        let settings = try settings(
            "[upstreams.a]\nurl = 'http://host'\n\(setting)",
            environment: ["KEY": "from-environment", "CREDENTIALS": "/run/credentials"],
            files: ["dir/key": " from-file \r\nmore", "/absolute": "absolute", "/run/credentials/key": "credential\n"])
        #expect(settings.upstreams.map(\.key) == [.secret(key)])
    }

    @Test(arguments: [("auto", ConnectionOptions.Version.auto), ("1.1", .http1), ("2", .http2)])
    func `a version of HTTP is taken with and without TLS`(text: String, version: ConnectionOptions.Version) throws {
        for url in ["https://host", "http://host", "unix:/host"] {
            let settings = try settings("[upstreams.a]\nurl = '\(url)'\nhttp = '\(text)'")
            #expect(settings.upstreams.map(\.httpVersion) == [version])
        }
    }

    @Test func `Azure may be reached through a socket in a folder of any name`() throws {
        let settings = try settings("[upstreams.a]\nkind = 'azure'\nkey = 'k'\nurl = 'unix:/run/openai/proxy.sock'")
        #expect(settings.upstreams.map(\.url) == ["unix:/run/openai/proxy.sock"])
    }

    @Test(arguments: [("unix:/host", "2"), ("http://host", "2"), ("https://host", "2"), ("https://host", "auto")])
    func `requests share a connection where HTTP2 is possible`(url: String, version: String) throws {
        let settings = try settings(
            "[upstreams.a]\nurl = '\(url)'\nhttp = '\(version)'\nstreams_per_connection = 10000")
        #expect(settings.upstreams.map(\.streamsMax) == [10_000])
    }

    @Test func `one file may hold a certificate and its key`() throws {
        let upstream = try settings(
            "[upstreams.a]\nurl = 'https://host'\ncertificate = 'both.pem'\ncertificate_key = '${KEY}'",
            environment: ["KEY": "both.pem"], files: ["dir/both.pem": ""]
        ).upstreams.first
        #expect(upstream?.certificate == "dir/both.pem")
        #expect(upstream?.certificateKey == "dir/both.pem")
    }

    @Test func `connections to an upstream are made as its settings say`() throws {
        let settings = try settings(
            """
            dns_ttl = "1s"
            [upstreams.a]
            url = "https://host"
            http = "2"
            streams_per_connection = 1
            certificate = "certificate"
            certificate_key = "key"
            proxy = "http://user:password@proxy:3128"
            """, files: ["dir/certificate": "", "dir/key": ""])
        let options = ConnectionOptions(try #require(settings.upstreams.first), of: settings)
        #expect(options.version == .http2)
        #expect(options.certificate == "dir/certificate")
        #expect(options.certificateKey == "dir/key")
        #expect(options.proxy == .proxy(try Proxy("http://user:password@proxy:3128")))
        #expect(options.nameLifetime == .seconds(1))
        #expect(options.streamsMax == 1)
    }

    @Test func `connections are made by the client's own defaults when the settings say nothing`() throws {
        let settings = try settings("", environment: ["OPENAI_API_KEY": "k"])
        let options = ConnectionOptions(try #require(settings.upstreams.first), of: settings)
        let standard = ConnectionOptions.standard
        #expect(options.version == standard.version)
        #expect(options.certificate == nil && options.certificateKey == nil)
        #expect(options.proxy == standard.proxy)
        #expect(options.nameLifetime == standard.nameLifetime)
        #expect(options.streamsMax == standard.streamsMax)
        #expect(settings.timeouts.send == Session.Configuration().sendTimeout)
    }

    @Test(arguments: [("environment", ProxyChoice.environment), ("none", .direct)])
    func `a proxy is the environment's or none`(value: String, choice: ProxyChoice) throws {
        #expect(try settings("[upstreams.a]\nurl = 'http://a'\nproxy = '\(value)'").upstreams.map(\.proxy) == [choice])
    }

    // MARK: Models

    @Test func `everything goes to a single upstream`() throws {
        let models = try settings("[upstreams.a]\nkind = 'demo'").models
        #expect(models == [ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: "a")])])
    }

    @Test func `models keep their order and go to their targets`() throws {
        let models = try settings(
            """
            [upstreams.z]
            kind = "demo"
            [upstreams.a]
            kind = "demo"
            [[models]]
            match = "z-*"
            targets = ["z"]
            [[models]]
            match = "*"
            targets = [{upstream = "a", model = "llama"}]
            """
        ).models
        #expect(
            models == [
                ModelSettings(match: ModelPattern("z-*"), targets: [TargetSettings(upstream: "z")]),
                ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: "a", model: "llama")]),
            ])
    }

    @Test func `every key of a model and its targets does what it says`() throws {
        let models = try settings(
            """
            [upstreams.a]
            kind = "demo"
            [upstreams.b]
            kind = "demo"
            [[models]]
            match = "*"
            targets = [
                {upstream = "a", model = "m", weight = 2, set = {top_k = 3}, connect = "1s", first_token = "2s"},
                {upstream = "a", weight = 1, idle = "3s", total = "4s"},
                "b",
            ]
            retries = 10
            retry_after_max = "11s"
            retry_budget = "12%"
            hedge_after = "13ms"
            hedge_max = "14%"
            fallback_on = [404, 422]
            timeouts = {connect = "15s", first_token = "16s", idle = "17s", total = "18s"}
            """
        ).models
        let targets = [
            TargetSettings(
                upstream: "a", model: "m", weight: 2, set: [.init("top_k", json: [UInt8]("3".utf8))],
                timeouts: .init(connect: .seconds(1), firstToken: .seconds(2))),
            TargetSettings(upstream: "a", weight: 1, timeouts: .init(idle: .seconds(3), total: .seconds(4))),
            TargetSettings(upstream: "b"),
        ]
        let attempts = AttemptSettings(
            retriesMax: 10, retryPercentMax: 12, retryAfterMax: .seconds(11), hedgePercentMax: 14)
        #expect(
            models == [
                ModelSettings(
                    match: ModelPattern("*"), targets: targets, attempts: attempts, hedgeAfter: .after(.milliseconds(13)),
                    fallbackOn: [404, 422],
                    timeouts: .init(connect: .seconds(15), firstToken: .seconds(16), idle: .seconds(17), total: .seconds(18)))
            ])
    }

    @Test(arguments: [
        ("p1", HedgeDelay.percentile(1)), ("p95", .percentile(95)), ("p99", .percentile(99)), ("${P}", .percentile(50)),
        ("1ms", .after(.milliseconds(1))), ("24h", .after(.seconds(86400))),
    ])
    func `a hedge comes after a time or a percentile of times`(text: String, delay: HedgeDelay) throws {
        let settings = try settings(
            "[[models]]\nmatch = '*'\ntargets = ['demo', 'demo']\nhedge_after = '\(text)'", environment: ["P": "p50"])
        #expect(settings.models.map(\.hedgeAfter) == [delay])
    }

    @Test(arguments: ["", "[upstreams.a]\nkey = 'k'", "[[models]]\nmatch = 'x'"])
    func `models and upstreams have what stands at the top`(tables: String) throws {
        let settings = try settings("retries = 3\nhedge_max = '4%'\nrest_after = 6\nrest_for = '7s'\n\(tables)")
        #expect(settings.models.map(\.attempts) == [AttemptSettings(retriesMax: 3, hedgePercentMax: 4)])
        #expect(settings.upstreams.map(\.rest) == [RestPlan(failuresMax: 6, restFor: .seconds(7))])
    }

    @Test func `a model and an upstream may say part of it themselves`() throws {
        let settings = try settings(
            """
            retries = 3
            retry_budget = "30%"
            rest_after = 6
            rest_share = "60%"
            [upstreams.a]
            key = "k"
            rest_share = "70%"
            [[models]]
            match = "*"
            retry_budget = "40%"
            """)
        #expect(settings.models.map(\.attempts) == [AttemptSettings(retriesMax: 3, retryPercentMax: 40)])
        #expect(settings.upstreams.map(\.rest) == [RestPlan(failuresMax: 6, failedPercentMax: 70)])
    }

    @Test func `models without an upstream of the file go to the environment's`() throws {
        let settings = try settings("[[models]]\nmatch = 'gpt-*'", environment: ["OPENAI_API_KEY": "k"])
        #expect(settings.models == [ModelSettings(match: ModelPattern("gpt-*"), targets: [TargetSettings(upstream: "openai")])])
    }

    @Test func `edits keep the file's order, and their values become JSON`() throws {
        let edits = try settings(
            #"""
            [[models]]
            match = "*"
            drop = ["logit_bias"]
            rename = {max_tokens = "max_completion_tokens", b = "a"}
            [models.set]
            z = 1
            a = [1.5, true, "q\"${X}", {y = 1, x = []}]
            "with space" = {deep.er = -2}
            big = 9223372036854775807
            [models.default]
            temperature = 0.7
            """#, environment: ["X": "\n"]
        ).models.first?.edits
        #expect(edits?.renamed == [.init("max_tokens", to: "max_completion_tokens"), .init("b", to: "a")])
        #expect(edits?.dropped == ["logit_bias"])
        #expect(
            edits?.set.map { "\($0.name) \(String(decoding: $0.json ?? [], as: UTF8.self))" } == [
                "z 1", #"a [1.5,true,"q\"\n",{"y":1,"x":[]}]"#, #"with space {"deep":{"er":-2}}"#, "big 9223372036854775807",
            ])
        #expect(edits?.defaults == [.init("temperature", json: [UInt8]("0.7".utf8))])
    }

    @Test func `a model says what is left out for a voice, or that nothing is, or nothing`() throws {
        let settings = try settings(
            """
            speech = ["emoji"]
            [[models]]
            match = "a"
            speech = ["think", "markdown", "emoji", "links"]
            [[models]]
            match = "b"
            speech = []
            [[models]]
            match = "c"
            """)
        #expect(settings.speech == [.emoji])
        #expect(settings.models.map(\.speech) == [[.think, .markdown, .emoji, .links], [], nil])
    }

    @Test func `--upstream goes before all upstreams and models of the file`() throws {
        let text = "[upstreams.a]\nkey = '${MISSING}'\n[upstreams.b]\nkind = 'demo'\n[[models]]\nmatch = 'x'\ntargets = ['a']"
        let settings = try settings(text, upstream: "demo")
        #expect(settings.upstreams == [UpstreamSettings(name: "demo", kind: .demo)])
        #expect(settings.models == [ModelSettings(match: ModelPattern("*"), targets: [TargetSettings(upstream: "demo")])])
    }
}
