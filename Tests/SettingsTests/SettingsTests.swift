import EventLoop
import FastCGI
import Testing

@testable import Settings

@Suite struct SettingsTests {
    @Test func `without a key and a URL the demo answers`() throws {
        let settings = try settings()
        #expect(settings.upstreams.map(\.kind) == [.demo])
        #expect(settings.listen == [.unix("/run/sluice/sluice.sock")])
    }

    @Test func `the environment alone is enough`() throws {
        let settings = try settings(environment: [
            "OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:8000/v1/", "SLUICE_LISTEN": "tcp:127.0.0.1:9000",
        ])
        #expect(settings.upstreams == [UpstreamSettings(name: "openai", url: "http://127.0.0.1:8000/v1", key: .secret("k"))])
        #expect(settings.listen == [.tcp(host: "127.0.0.1", port: 9000)])
    }

    @Test func `a key alone means OpenAI, a URL alone an API without a key`() throws {
        #expect(
            try settings(environment: ["OPENAI_API_KEY": "k"]).upstreams
                == [UpstreamSettings(name: "openai", url: "https://api.openai.com/v1", key: .secret("k"), obfuscation: false)])
        #expect(
            try settings(environment: ["OPENAI_BASE_URL": "http://localhost:1"]).upstreams
                == [UpstreamSettings(name: "openai", url: "http://localhost:1")])
    }

    @Test func `the command line goes before the environment`() throws {
        let settings = try settings(
            listen: ["unix:/tmp/a.sock"], upstream: "demo",
            environment: ["SLUICE_LISTEN": "unix:/tmp/b.sock", "OPENAI_API_KEY": "k"])
        #expect(settings.listen == [.unix("/tmp/a.sock")])
        #expect(settings.upstreams.map(\.kind) == [.demo])
    }

    @Test func `an empty variable counts as absent`() throws {
        let settings = try settings(environment: ["OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "SLUICE_LISTEN": ""])
        #expect(settings.upstreams.map(\.kind) == [.demo])
    }

    @Test func `a socket on descriptor 0 is served unless another address is named`() throws {
        #expect(try settings(inheritsSocket: true).listen == [.inherited(0)])
        #expect(try settings(listen: ["unix:/tmp/a.sock"], inheritsSocket: true).listen == [.unix("/tmp/a.sock")])
    }

    @Test(arguments: [
        "unix:/tmp/a b.sock,tcp:[::1]:9000,systemd:web", " unix:/tmp/a b.sock , tcp:[::1]:9000,  systemd:web ",
    ])
    func `the environment names several addresses with commas, the command line one by one`(list: String) throws {
        let expected: [ListenAddress] = [.unix("/tmp/a b.sock"), .tcp(host: "::1", port: 9000), .systemd(name: "web")]
        #expect(try settings(environment: ["SLUICE_LISTEN": list]).listen == expected)
        #expect(try settings(listen: ["unix:/tmp/a b.sock", "tcp:[::1]:9000", "systemd:web"]).listen == expected)
        #expect(try settings(listen: ["unix:/tmp/a,b.sock"]).listen == [.unix("/tmp/a,b.sock")])
    }

    @Test func `each address that is wrong is told, and one that is named twice`() {
        let lists = ["unix:/a,,tcp:x", "unix:/a,systemd,unix:/a", (1...17).map { "fd:\($0)" }.joined(separator: ",")]
        let problems = lists.map { list in
            #expect(throws: SettingsError.self) { try settings(environment: ["SLUICE_LISTEN": list]) }?.problems ?? []
        }
        let forms = "use unix:PATH, tcp:HOST:PORT, fd:NUMBER, systemd or systemd:NAME"
        #expect(
            problems == [
                ["listen address '' has no scheme; \(forms)", "listen address 'tcp:x' needs a host and a port; \(forms)"],
                ["listen address 'unix:/a' is named twice"], ["there are 17 listen addresses, and 16 at most are served"],
            ])
    }

    @Test(arguments: [
        "https://api.example.com/v1/chat/completions", "https://api.example.com/v1", "https://api.example.com/v1//",
        "https://api.example.com/v1//chat/completions", "https://api.example.com/v1/chat/completions/chat/completions//",
    ])
    func `a base URL with the endpoint's path or slashes at its end is the same base URL`(_ url: String) throws {
        #expect(try settings(upstream: url).upstreams.map(\.url) == ["https://api.example.com/v1"])
    }

    @Test func `a host that is called as the endpoint's path begins stays one`() throws {
        #expect(try settings(upstream: "http://chat/completions").upstreams.map(\.url) == ["http://chat/completions"])
        #expect(try settings(upstream: "http://chat/chat/completions").upstreams.map(\.url) == ["http://chat"])
    }

    @Test(arguments: [
        ("unix:/run/vllm.sock", "unix:/run/vllm.sock"), ("unix:/run/vllm.sock:", "unix:/run/vllm.sock"),
        ("unix:/run/vllm.sock:/", "unix:/run/vllm.sock"), ("unix:/run/vllm.sock:/chat/completions", "unix:/run/vllm.sock"),
        ("unix:/run/vllm.sock:/v1", "unix:/run/vllm.sock:/v1"), ("unix:/run/vllm.sock:/v1//", "unix:/run/vllm.sock:/v1"),
        ("unix:/run/vllm.sock:/v1/chat/completions", "unix:/run/vllm.sock:/v1"), ("unix:/a@b:/c:d", "unix:/a@b:/c:d"),
        ("unix:///run/vllm.sock", "unix:///run/vllm.sock"),
        ("unix:/\(String(repeating: "x", count: 106)):/v1", "unix:/\(String(repeating: "x", count: 106)):/v1"),
    ])
    func `a unix socket may be an upstream, with a path for its requests`(_ url: String, taken: String) throws {
        #expect(try settings(upstream: url).upstreams.map(\.url) == [taken])
        #expect(try settings(environment: ["OPENAI_BASE_URL": url]).upstreams.map(\.url) == [taken])
        #expect(try settings(upstream: taken).upstreams.map(\.url) == [taken])
    }

    @Test(arguments: [
        ("unix:/run/vllm.sock", "unix:/run/vllm.sock:"), ("unix:/run/vllm.sock:/v1", "unix:/run/vllm.sock:/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"), ("https://host", "https://host"),
    ])
    func `a colon ends a socket's path in requests' URLs`(_ url: String, prefix: String) throws {
        #expect(try settings(upstream: url).upstreams.map(\.urlPrefix) == [prefix])
    }

    @Test(arguments: [
        "unix:", "unix:/", "unix::", "unix:/run/:", "unix:/run//:/v1", "unix::/v1", "unix:vllm.sock", "unix:./secret.sock:/v1",
        "unix:@secret",
        "unix:/run/a:b.sock", "unix:/run/a::/v1", "unix:/run/a b.sock", "unix:/run/a.sock:/v1?k=secret",
        "unix:/run/ä.sock", "UNIX:/run/a.sock",
        "unix:/\(String(repeating: "x", count: 107))", "unix:/\(String(repeating: "x", count: 107)):/v1",
        "ftp://host", "https://", "host/v1", "https://user:secret@host/v1", "https://host/v1?a=b", "https://ho st/",
    ])
    func `a URL that cannot be an API's is refused, without quoting it`(_ url: String) throws {
        let error = #expect(throws: SettingsError.self) { try settings(upstream: url) }
        #expect(error?.description.contains("--upstream") == true)
        #expect(error?.description.contains("secret") == false)
    }

    @Test func `a key that cannot stand in a header is refused, without quoting it`() throws {
        let error = #expect(throws: SettingsError.self) { try settings(environment: ["OPENAI_API_KEY": "secret\n"]) }
        #expect(error?.problems == ["OPENAI_API_KEY has a space, a line break or a character that is not ASCII"])
    }

    @Test func `all that is wrong is told at once`() {
        let error = #expect(throws: SettingsError.self) {
            try settings(listen: ["nowhere"], upstream: "ftp://x", workers: 0, logLevel: "loud")
        }
        #expect(error?.problems.count == 4)
    }

    @Test func `only what a start alone can change is put back, and its keys are named in full`() throws {
        let former = try settings(upstream: "demo", workers: 2)
        var present = try settings(listen: ["tcp:127.0.0.1:9000"], upstream: "demo", workers: 3, logLevel: "debug")
        (present.socket.mode, present.socket.group, present.control) = (0o600, "www-data", "/run/control.sock")
        present.heartbeat = .seconds(4)
        var restored = present
        #expect(
            restored.restoreStartOnlySettings(of: former)
                == ["listen", "control", "workers", "socket.mode", "socket.group"])
        #expect(
            restored.listen == former.listen && restored.socket == former.socket && restored.control == nil
                && restored.workers == 2)
        #expect(restored.heartbeat == .seconds(4) && restored.log == present.log && restored.log != former.log)
        #expect(restored.restoreStartOnlySettings(of: former) == [])
    }

    private func settings(
        listen: [String] = [], upstream: String? = nil, workers: Int? = nil, logLevel: String? = nil,
        environment: [String: String] = [:], inheritsSocket: Bool = false
    ) throws -> Settings {
        let options = SettingsOptions(listen: listen, upstream: upstream, workers: workers, logLevel: logLevel)
        return try SettingsSources(
            options: options, environment: { environment[$0] }, inheritsSocket: inheritsSocket,
            readFile: { path throws(SystemError) in throw absent(path) }, listFiles: noFiles, readTLSFiles: { _, _ in nil }
        ).load().settings
    }
}
