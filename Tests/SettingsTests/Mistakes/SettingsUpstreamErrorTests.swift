import Testing

@testable import Settings

/// What the operator reads of upstreams: `[upstreams.NAME]`.
@Suite struct SettingsUpstreamErrorTests {
    private static let braces = #"begins with '$': a variable is written with braces, as "${OPENAI_API_KEY}""#

    private static let keysWithoutBraces = ["$OPENAI_API_KEY", "$secret", "$_1"].map {
        Mistake("[upstreams.a]\nkey = '\($0)'", "2: upstreams.a.key \(braces)")
    }

    private static let place = "must name a host, and as its port, if it has one, a number from 1 to 65535"

    private static let noCredentials =
        "names a credential, and there are none (CREDENTIALS_DIRECTORY is not set): a service of systemd gets them by "
        + "LoadCredential=, and elsewhere a path names the file"

    private static let noCredentialsName = #"must name a credential by its name alone, as "credential:key_openai""#

    private static let tableOfUpstream = #", as in [upstreams.local] with a line url = "http://127.0.0.1:8000/v1" below it"#

    private static let upstreams = [
        Mistake("upstreams = {}", "1: upstreams names no upstream; write [upstreams.NAME]"),
        Mistake("upstreams = 'demo'", "1: upstreams must be a table\(tableOfUpstream)"),
        Mistake("upstreams.a = 'demo'", "1: upstreams.a must be a table\(tableOfUpstream)"),
        Mistake(
            "[upstreams.\"a b\"]\nkind = 'demo'", "1: upstreams.\"a b\" must have a name of 1 to 64 letters, digits, '-' and '_'"),
        Mistake(
            "[upstreams.\(String(repeating: "a", count: 65))]\nkind = 'demo'",
            "1: upstreams.aaaaaaaa… must have a name of 1 to 64 letters, digits, '-' and '_'"),
        Mistake(
            "[upstreams.a]\nkind = 'azur'\nkey = 'k'\napi_version = '1'",
            #"2: upstreams.a.kind must be "openai", "azure", "compatible" or "demo"; did you mean "azure"?"#),
        Mistake(
            "[upstreams.a]\nkind = 'vLLM'\nurl = 'http://a/v1'",
            #"2: upstreams.a.kind must be "openai", "azure", "compatible" or "demo"; did you mean "compatible"?"#),
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
            "[upstreams.a]\nkey = '\(String(repeating: "k", count: 4097))'",
            "2: upstreams.a.key gives a key of 4097 bytes; it may have 4096"),
        Mistake(
            "[upstreams.a]\nkey = 'k'\nheaders = {X-Long = '\(String(repeating: "v", count: 17_000))'}",
            "3: upstreams.a.headers has 17038 bytes of names and values, with 32 more for each; it may have 16384"),
        Mistake(
            "[upstreams.a]\nkey = 'k'\nurl = 'unix:/tmp/x.sock:/\(String(repeating: "p", count: 8200))'",
            "3: upstreams.a.url has 8218 bytes; it may have 8192"),
        Mistake(
            "[upstreams.a]\nkey_file = 'secret'",
            "2: upstreams.a.key_file names a file that cannot be read: No such file or directory"),
        Mistake(
            "[upstreams.a]\nkey_file = 'credential:secret'\ncertificate = 'credential:secret'\ncertificate_key = 'credential:secret'",
            "2: upstreams.a.key_file \(noCredentials)", "3: upstreams.a.certificate \(noCredentials)",
            "4: upstreams.a.certificate_key \(noCredentials)"),
        Mistake("[upstreams.a]\nkey = 'credential:secret'", "2: upstreams.a.key names a credential: set key_file in its place"),
        Mistake("[upstreams.a]\nkey_file = 'credential:'", "2: upstreams.a.key_file \(noCredentialsName)"),
        Mistake("[upstreams.a]\nkey_file = 'credential:../secret'", "2: upstreams.a.key_file \(noCredentialsName)"),
        Mistake("[upstreams.a]\nkey_file = 'credential:..'", "2: upstreams.a.key_file \(noCredentialsName)"),
        Mistake("[upstreams.a]\nkey_file = 'empty'", "2: upstreams.a.key_file names a file whose first line is empty"),
        Mistake(
            "[upstreams.a]\nkey = 'k'\napi_version = '1'", "3: upstreams.a.api_version has a meaning for kind = \"azure\" alone"),
        Mistake("[upstreams.a]\nkey = 'k'\nusage = 'yes'", "3: upstreams.a.usage must be true or false"),
        Mistake(
            "[upstreams.a]\nkey = 'k'\npath = 'v1/think'\nauth = 'To ken'",
            "3: upstreams.a.path must be a path like \"/chat/completions\", of ASCII without spaces, '?' and '#'",
            "4: upstreams.a.auth must be a scheme like \"Token\", or a header's name like \"api-key\" or \"token:\""),
        Mistake(
            "[upstreams.a]\nkind = 'azure'\nkey = 'k'\nurl = 'https://x'\npath = '/think'",
            "5: upstreams.a.path has no meaning for kind = \"azure\""),
        Mistake(
            "[upstreams.a]\nkind = 'compatible'\nurl = 'https://x'\nauth = 'Token'",
            "4: upstreams.a.auth has no meaning without key or key_file"),
        Mistake(
            "[upstreams.a]\nkey = 'k'\nauth = 'x-api-key'\nheaders = {X-API-Key = 'other'}",
            "3: upstreams.a.auth names a header that headers sets too"),
        Mistake(
            "[upstreams.a]\nkey = 'k'\nauth = 'token:'\nheaders = {Token = 'other'}",
            "3: upstreams.a.auth names a header that headers sets too"),
        Mistake(
            "[upstreams.a]\nkey = 'k'\nauth = ':'",
            "3: upstreams.a.auth must be a scheme like \"Token\", or a header's name like \"api-key\" or \"token:\""),
        Mistake("[upstreams.a]\nkey = 'k'\nauth = 'host:'", "3: upstreams.a.auth cannot be set; it comes from url"),
        Mistake("[upstreams.a]\nkey = 'k'\nauth = 'content-type'", "3: upstreams.a.auth cannot be set; Sluice sends its own"),
        Mistake(
            "[upstreams.a]\nkey = 'k'\nparameters = {only = ['seed'], add = ['top_k']}",
            "3: upstreams.a.parameters.only cannot stand beside add or pass: it names all that go through"),
        Mistake(
            "[upstreams.a]\nkey = 'k'\ncontinue = {message = {role = 'user', x = nan}, set = {messages = []}, prompt = 1, way = 'x'}",
            "3: unknown key 'upstreams.a.continue.way'", "3: upstreams.a.continue.prompt must be a string",
            "3: upstreams.a.continue.message.role cannot be set: the message is the assistant's, with the text so far",
            "3: upstreams.a.continue.message.x must be a finite number",
            "3: upstreams.a.continue.set.messages cannot change 'messages': they go through as they are"),
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
            "4: upstreams.a.queue must be a whole number from 0 to 1000000",
            "5: upstreams.a.queue_wait needs a unit, \(Mistake.duration)"),
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

    @Test(arguments: keysWithoutBraces + upstreams + connections + plainConnections + headers)
    func `a mistake is told with its line and its key, and without its value`(_ mistake: Mistake) { mistake.check() }

    @Test(arguments: ["sk-$A", "$", "$1", "$a-b", "$$", "$${A}", "${KEY}"]) func `other keys may hold a dollar`(key: String) {
        #expect(SettingsCase(text: "[upstreams.a]\nkey = '\(key)'", environment: ["KEY": "$KEY"]).problems.isEmpty)
    }
}
