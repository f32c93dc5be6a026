import Glibc
import TestSupport
import Testing

@Suite struct `The settings file` {
    private let good = """
        listen = "unix:sluice.sock"
        workers = 1
        [upstreams.one]
        url = "http://127.0.0.1:1/v1"
        key = "${PLANTED}"
        headers = {X-Planted = "plain-secret-in-header"}
        [upstreams.two]
        url = "http://127.0.0.1:1/v1"
        key_file = "two.key"
        [[models]]
        match = "*"
        targets = ["one", "two"]
        """
    private let environment = ["PLANTED": "plain-secret-in-environment"]

    private let bad = """
        workers = 0
        [upstreams.one]
        url = "https://name:plain-secret-in-url@host/v1"
        key = "plain secret in key"
        headers = {Authorization = "Bearer plain-secret-in-header"}
        usagee = true
        """

    private func directory(_ text: String) throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        try directory.write(text, to: "my.toml")
        let key = try directory.write("plain-secret-in-file\n", to: "two.key")
        #expect(unsafe chmod(key, 0o600) == 0)
        return directory
    }

    /// Runs `sluice` to its end.
    private func run(_ arguments: [String], in directory: TemporaryDirectory) async throws -> (
        exit: ChildProcess.Exit, output: String, errors: String
    ) {
        let child = try ChildProcess(SluiceProcess.binary, arguments, environment: environment, in: directory)
        let exit = try await child.exited()
        try await child.output.wait(for: "the end of its output") { $0.ended }
        try await child.errors.wait(for: "the end of its errors") { $0.ended }
        return (exit, child.output.value.text, child.errors.value.text)
    }

    @Test func `is found good`() async throws {
        let result = try await run(["check", "--config", "my.toml"], in: directory(good))
        #expect(result.exit == .code(0))
        #expect(result.output == "sluice: my.toml is good\n")
        #expect(result.errors.isEmpty)
    }

    @Test func `is good with a key that others can read and a folder that is missing, and both are told`() async throws {
        let directory = try directory("budgets_file = \"none/budgets\"\n" + good)
        #expect(unsafe chmod(directory.path("two.key"), 0o644) == 0)
        let result = try await run(["check", "--config", "my.toml"], in: directory)
        #expect(result.output == "sluice: my.toml is good\n")
        let told = result.errors.split(separator: "\n")
        #expect(told.count == 2)
        #expect(told.first?.contains("budgets_file names a file in a folder that is missing, none:") == true, "\(told)")
        #expect(told.last?.contains("two.key_file names a file whose mode lets everybody read it") == true, "\(told)")
    }

    @Test(arguments: ["check", "serve"])
    func `ends with status 78 and all that is wrong with it`(command: String) async throws {
        let result = try await run([command, "--config", "my.toml"], in: directory(bad))
        #expect(result.exit == .code(78))
        #expect(result.output.isEmpty)
        #expect(
            result.errors == """
                sluice: my.toml:1: workers must be "auto" or a number from 1 to 256
                sluice: my.toml:3: upstreams.one.url must not hold a user name or password; a key has a setting of its own
                sluice: my.toml:4: upstreams.one.key gives a key with a space, a line break or a character that is not ASCII
                sluice: my.toml:5: upstreams.one.headers.Authorization cannot be set; use key or key_file
                sluice: my.toml:6: unknown key 'upstreams.one.usagee'; did you mean 'usage'?

                """)
    }

    @Test func `is shown without its secrets, as a file that works`() async throws {
        let directory = try directory(good)
        let shown = try await run(["check", "--config", "my.toml", "--show"], in: directory)
        #expect(shown.exit == .code(0))
        #expect(!(shown.output + shown.errors).contains("plain-secret"))
        #expect(shown.output.contains("\n[upstreams.two]\n"))
        try directory.write(shown.output, to: "shown.toml")
        let again = try await run(["check", "--config", "shown.toml", "--show"], in: directory)
        #expect(again.output.split(separator: "\n").dropFirst() == shown.output.split(separator: "\n").dropFirst())
    }

    @Test func `is shown with the credentials that the service alone has, each with why nobody has looked at it`() async throws {
        let text = """
            [upstreams.one]
            key_file = "credential:key_one"
            certificate = "credential:one"
            certificate_key = "credential:one"
            """
        let directory = try directory(text)
        let shown = try await run(["check", "--config", "my.toml", "--show"], in: directory)
        #expect(shown.exit == .code(0))
        let why = "  # cannot be read here: LoadCredential= of the service says where it comes from\n"
        #expect(shown.output.contains("\nkey_file = \"credential:key_one\"\(why)"))
        #expect(shown.output.contains("\ncertificate = \"credential:one\"\(why)"))
        #expect(!shown.output.contains("***"))
        try directory.write(shown.output, to: "shown.toml")
        let again = try await run(["check", "--config", "shown.toml", "--show"], in: directory)
        #expect(again.output.split(separator: "\n").dropFirst() == shown.output.split(separator: "\n").dropFirst())
    }

    // MARK: In several files

    private let included = [
        "conf.d/10-two.toml": "[upstreams.two]\nurl = 'http://127.0.0.1:1/v1'\nkey_file = 'two.key'",
        "conf.d/20-models.toml": "[[models]]\nmatch = 'x-*'\ntargets = ['two']", "conf.d/two.key": "plain-secret-in-file",
        "conf.d/.hidden.toml": "nonsense", "conf.d/10-two.toml~": "nonsense",
    ]
    private let including = """
        include = "conf.d/*.toml"
        [upstreams.one]
        url = "http://127.0.0.1:1/v1"
        key = "${PLANTED}"
        [[models]]
        match = "*"
        targets = ["one"]
        """

    private func directory(_ text: String, including files: [String: String]) throws -> TemporaryDirectory {
        let directory = try directory(text)
        #expect(unsafe mkdir(directory.path("conf.d"), 0o700) == 0)
        for (name, text) in files {
            let file = try directory.write(text, to: name)
            #expect(unsafe chmod(file, 0o600) == 0)
        }
        return directory
    }

    @Test func `is found good together with those that it includes`() async throws {
        let result = try await run(["check", "--config", "my.toml"], in: directory(including, including: included))
        #expect(result.output == "sluice: my.toml, with 2 included files, is good\n")
        #expect(result.errors.isEmpty)
    }

    @Test func `is found good when there is nothing to include`() async throws {
        let result = try await run(["check", "--config", "my.toml"], in: directory(including))
        #expect(result.output == "sluice: my.toml is good\n")
    }

    @Test func `is shown as one, with the names of those that it includes`() async throws {
        let directory = try directory(including, including: included)
        let shown = try await run(["check", "--config", directory.path("my.toml"), "--show"], in: TemporaryDirectory())
        let path = directory.path("conf.d")
        #expect(
            shown.output.hasPrefix(
                """
                # sluice: \(directory.path("my.toml")), with 2 included files, is good; secrets are masked
                # included: "\(path)/10-two.toml"
                # included: "\(path)/20-models.toml"

                """))
        #expect(!shown.output.contains("plain-secret"))
        try directory.write(shown.output, to: "shown.toml")
        let again = try await run(["check", "--config", "shown.toml", "--show"], in: directory)
        #expect(again.output.split(separator: "\n").dropFirst() == shown.output.split(separator: "\n").dropFirst(3))
    }

    @Test(arguments: ["check", "serve"])
    func `has all its mistakes told with those of the files that it includes`(command: String) async throws {
        let directory = try directory(
            "worker = 1\n\(including)",
            including: [
                "conf.d/a.toml": "[upstreams.one]\nwarm = -1\nkey = 'plain-secret'", "conf.d/b.toml": "workers = plain-secret",
                "conf.d/c.toml": "\n[upstreams.three]\nkey_file = 'no.key'",
            ])
        #expect(unsafe mkdir(directory.path("conf.d/d.toml"), 0o700) == 0)
        #expect(unsafe symlink("nowhere", directory.path("conf.d/e.toml")) == 0)
        let result = try await run([command, "--config", "my.toml"], in: directory)
        #expect(result.exit == .code(78))
        #expect(
            result.errors == """
                sluice: my.toml:1: unknown key 'worker'; did you mean 'workers'?
                sluice: my.toml:2: include names conf.d/d.toml, a directory: a pattern names what is in it, as "conf.d/*.toml" does
                sluice: my.toml:2: include names conf.d/e.toml, which cannot be read: No such file or directory
                sluice: conf.d/a.toml:2: upstreams.one.warm must be a whole number from 0 to 100
                sluice: conf.d/a.toml:3: upstreams.one.key is set twice: my.toml:5 sets it too
                sluice: conf.d/b.toml:1: this is not TOML: text stands in quotes, as in workers = "…"
                sluice: conf.d/c.toml:3: upstreams.three.key_file names a file that cannot be read: No such file or directory

                """)
    }

    /// A pipe in the directory, which nobody writes to.
    @Test func `ends soon when what it includes never does`() async throws {
        let directory = try directory(including, including: [:])
        for name in ["a", "b", "c"] { #expect(unsafe mkfifo(directory.path("conf.d/\(name).toml"), 0o600) == 0) }
        let result = try await run(["check", "--config", "my.toml"], in: directory)
        #expect(result.exit == .code(78))
        let reason = "which has not come in time: a slow disk, or a pipe that nobody writes to the end"
        #expect(result.errors == "sluice: my.toml:1: include names conf.d/a.toml, \(reason)\n")
    }

    // MARK: In service

    @Test func `is served without a secret in the log`() async throws {
        let directory = try directory(good)
        let child = try ChildProcess(
            SluiceProcess.binary, ["serve", "--config", "my.toml", "--log-level", "trace"], environment: environment,
            in: directory)
        _ = try await ChildProcess.line(containing: "serving", in: child.errors)
        child.signal(SIGTERM)
        #expect(try await child.exited() == .code(0))
        try await child.errors.wait(for: "the end of its errors") { $0.ended }
        #expect(!child.errors.value.text.contains("plain-secret"))
    }

    @Test(arguments: WebServer.selected)
    func `makes callers' requests reach its upstream`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"])))
        let settings = """
            [upstreams.stub]
            url = "UPSTREAM"
            key = "${PLANTED}"
            """
        try await Site.with(server, upstream: upstream, settings: settings, environment: environment) { site in
            let response = try await site.call(chat()).ended()
            #expect(response.content == Chunks.stream(["Hello"]).joined())
        }
    }

    @Test(arguments: WebServer.selected)
    func `sets the limit of a body`(server: WebServer) async throws {
        let upstream = try StubUpstream(.stream(Chunks.stream(["Hello"])))
        let settings = "limits.body = '1KiB'\nupstreams.stub.url = 'UPSTREAM'"
        try await Site.with(server, upstream: upstream, settings: settings) { site in
            let short = try await site.call(chat("short")).ended()
            #expect(short.status == 200)
            let long = try await site.call(chat(String(repeating: "long", count: 300))).ended()
            #expect(long.status == 413)
        }
    }
}
