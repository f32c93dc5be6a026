import Testing

@testable import Settings

/// Keys and certificates that systemd gives a service: `credential:NAME`.
@Suite struct SettingsCredentialTests {
    private static let directory = ["CREDENTIALS_DIRECTORY": "/run/credentials/sluice.service"]
    private static let upstream = """
        [upstreams.a]
        url = 'https://host'
        key_file = 'credential:key_a'
        certificate = 'credential:pem_a'
        certificate_key = 'credential:pem_a'
        """
    private static let unreadable =
        "names a credential that cannot be read: No such file or directory; LoadCredential= of the service says where it comes "
        + "from, and the service takes it when it starts"

    @Test func `are read from the directory of the service's credentials`() throws {
        let files = [
            "/run/credentials/sluice.service/key_a": "sk-a\n", "/run/credentials/sluice.service/pem_a": "PEM",
            "dir/key_a": "wrong",
        ]
        let upstream = try #require(try settings(Self.upstream, environment: Self.directory, files: files).upstreams.first)
        #expect(upstream.key == .secret("sk-a"))
        #expect(upstream.certificate == "/run/credentials/sluice.service/pem_a")
        #expect(upstream.certificateKey == "/run/credentials/sluice.service/pem_a")
    }

    @Test(arguments: [false, true])
    func `that the service did not get are told with what gives them`(assumes: Bool) {
        let files = ["/run/credentials/sluice.service/other": "secret"]
        let wrong = SettingsCase(
            text: Self.upstream, environment: Self.directory, files: files, assumesCredentials: assumes)
        #expect(
            wrong.problems == [
                "dir/sluice.toml:3: upstreams.a.key_file \(Self.unreadable)",
                "dir/sluice.toml:4: upstreams.a.certificate \(Self.unreadable)",
                "dir/sluice.toml:5: upstreams.a.certificate_key \(Self.unreadable)",
            ])
    }

    @Test(arguments: [[:], ["CREDENTIALS_DIRECTORY": ""], directory])
    func `are counted and left out by a check that does not have them`(environment: [String: String]) throws {
        let check = SettingsCase(
            text: Self.upstream, environment: environment, tlsProblems: ["credential:pem_a": "never read"],
            assumesCredentials: true)
        #expect(try check.loaded().assumedCredentialsCount == 3)
        #expect(try check.load().upstreams.first?.key == .credential("credential:key_a"))
    }

    @Test func `are no business of settings that name none`() throws {
        let check = SettingsCase(text: "[upstreams.a]\nkey = 'k'", assumesCredentials: true)
        #expect(try check.loaded().assumedCredentialsCount == 0)
    }

    @Test func `do not keep a check from what is wrong otherwise`() {
        let check = SettingsCase(text: "heartbaet = '1s'\n" + Self.upstream, assumesCredentials: true)
        #expect(check.problems.map { $0.prefix(37) } == ["dir/sluice.toml:1: unknown key 'heart"])
    }
}

/// Variables that a service has, where its settings are checked outside of it.
@Suite struct SettingsAssumptionTests {
    private static let text = """
        listen = '${LISTEN}'
        hook = {url = '${HOOK}', headers = {Authorization = 'Bearer ${TOKEN}'}}
        traces.endpoint = '${COLLECTOR}'
        [upstreams.a]
        url = '${URL}'
        key = '${KEY}'
        [[models]]
        match = '*'
        targets = [{upstream = 'a', model = '${MODEL}'}]
        """

    @Test func `are taken to be right where that is wanted`() throws {
        #expect(SettingsCase(text: Self.text).problems.count == 7)
        #expect(try SettingsCase(text: Self.text, assumesVariables: true).loaded().assumedValuesCount == 7)
        let known = SettingsCase(
            text: "[upstreams.a]\nkey = '${KEY}'", environment: ["KEY": "sk"], assumesVariables: true)
        #expect(try known.loaded().assumedValuesCount == 0)
        #expect(try known.load().upstreams.first?.key == .secret("sk"))
    }

    /// Nothing is known of what goes with another value than the default.
    @Test(arguments: [
        "include = ['${FOLDER}/a.toml']\n[[models]]\nmatch = '*'\ntargets = ['a']",
        "log = {to = '${LOG}', file_size = '10MiB'}\n[upstreams.a]\nkey = 'k'",
        "on_cut = '${CUT}'\nspoken_cut = 'Sorry.'\n[upstreams.a]\nkey = 'k'",
    ])
    func `are wrong with nothing that stands beside them`(text: String) throws {
        let check = SettingsCase(text: text, assumesVariables: true)
        #expect(check.problems == [])
        #expect(try check.loaded().warnings == [])
    }

    @Test func `do not keep a check from what is wrong otherwise`() {
        let check = SettingsCase(text: "heartbaet = '1s'\n" + Self.text, assumesVariables: true)
        #expect(check.problems.map { $0.prefix(37) } == ["dir/sluice.toml:1: unknown key 'heart"])
        let wrong = SettingsCase(text: "[upstreams.a]\nkey = '${no name}'", assumesVariables: true)
        #expect(wrong.problems.count == 1)
    }
}
