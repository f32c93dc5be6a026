@testable import HTTPClient
import Testing

@Suite(.timeLimit(.minutes(5))) struct `Proxies of the environment` {
    private func proxy(for url: String, _ environment: [String: String]) throws -> String? {
        try ProxyChoice.environment.proxy(for: RequestURL(url).origin, in: ProxyEnvironment { environment[$0] })?.description
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let url: String
        let environment: [String: String]
        let proxy: String?
        var testDescription: String { "\(url) \(environment.sorted { $0.key < $1.key })" }

        init(_ url: String, _ environment: [String: String], _ proxy: String?) {
            (self.url, self.environment, self.proxy) = (url, environment, proxy)
        }
    }

    @Test(arguments: [
        Row("https://host", [:], nil),
        Row("https://host", ["https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:2", "all_proxy": "http://c:3"], "http://a:1"),
        Row("https://host", ["HTTPS_PROXY": "http://b:2", "all_proxy": "http://c:3"], "http://b:2"),
        Row("https://host", ["all_proxy": "http://c:3", "ALL_PROXY": "http://d:4"], "http://c:3"),
        Row("https://host", ["ALL_PROXY": "http://d:4"], "http://d:4"),
        Row("https://host", ["http_proxy": "http://a:1", "HTTP_PROXY": "http://a:1"], nil),
        Row("http://host", ["https_proxy": "http://a:1", "HTTPS_PROXY": "http://a:1"], nil),
        Row("http://host", ["http_proxy": "http://a:1", "HTTP_PROXY": "http://b:2"], "http://a:1"),
        Row("http://host", ["HTTP_PROXY": "http://b:2", "ALL_PROXY": "http://d:4"], "http://b:2"),
        // An empty variable counts as absent.
        Row("https://host", ["https_proxy": "", "HTTPS_PROXY": "http://b:2"], "http://b:2"),
        Row("https://host", ["https_proxy": "", "ALL_PROXY": "http://d:4"], "http://d:4"),
        Row("https://host", ["ALL_PROXY": "http://d:4", "no_proxy": "", "NO_PROXY": "host"], nil),
        Row("https://host", ["ALL_PROXY": "http://d:4", "no_proxy": "other", "NO_PROXY": "host"], "http://d:4"),
        // httpoxy: a CGI program's callers choose HTTP_PROXY.
        Row("http://host", ["HTTP_PROXY": "http://b:2", "REQUEST_METHOD": "GET"], nil),
        Row("http://host", ["HTTP_PROXY": "http://b:2", "REQUEST_METHOD": ""], nil),
        Row("http://host", ["HTTP_PROXY": "http://b:2", "ALL_PROXY": "http://d:4", "REQUEST_METHOD": "GET"], "http://d:4"),
        Row("http://host", ["http_proxy": "http://a:1", "REQUEST_METHOD": "GET"], "http://a:1"),
        Row("https://host", ["HTTPS_PROXY": "http://b:2", "REQUEST_METHOD": "GET"], "http://b:2"),
        // As curl takes a proxy: http without a scheme, 1080 without a port.
        Row("https://host", ["https_proxy": "a:3128"], "http://a:3128"),
        Row("https://host", ["https_proxy": "a"], "http://a:1080"),
        Row("https://host", ["https_proxy": "http://a"], "http://a:1080"),
        Row("https://host", ["https_proxy": "http://a:80/"], "http://a:80"),
        Row("https://host", ["https_proxy": "HTTP://A:3128/path"], "http://a:3128"),
        Row("https://host", ["https_proxy": "a:3128/"], "http://a:3128"),
        Row("https://host", ["https_proxy": "user:pass@a:3128"], "http://***@a:3128"),
        Row("https://host", ["https_proxy": "http://[::1]:3128"], "http://[::1]:3128"),
        // This machine's own servers.
        Row("http://localhost", ["ALL_PROXY": "http://d:4"], nil),
        Row("http://LOCALHOST.:8000", ["ALL_PROXY": "http://d:4"], nil),
        Row("http://vllm.localhost", ["ALL_PROXY": "http://d:4"], nil),
        Row("http://notlocalhost", ["ALL_PROXY": "http://d:4"], "http://d:4"),
        Row("http://127.0.0.1:8000", ["ALL_PROXY": "http://d:4"], nil),
        Row("http://127.255.0.1", ["ALL_PROXY": "http://d:4"], nil),
        Row("http://127.example.com", ["ALL_PROXY": "http://d:4"], "http://d:4"),
        Row("https://[::1]", ["ALL_PROXY": "http://d:4"], nil),
        Row("https://[::ffff:127.0.0.1]", ["ALL_PROXY": "http://d:4"], nil),
        Row("https://[::2]", ["ALL_PROXY": "http://d:4"], "http://d:4"),
        Row("unix:/run/a.sock:/v1", ["ALL_PROXY": "http://d:4"], nil),
    ])
    func `are chosen as curl chooses them`(row: Row) throws {
        #expect(try proxy(for: row.url, row.environment) == row.proxy)
    }

    struct Exception: Sendable, CustomTestStringConvertible {
        let list: String
        let excepted: [String]
        let others: [String]
        var testDescription: String { list }

        init(_ list: String, _ excepted: [String], but others: [String] = []) {
            (self.list, self.excepted, self.others) = (list, excepted, others)
        }
    }

    @Test(arguments: [
        Exception("*", ["http://host", "https://10.0.0.1", "https://[2001:db8::1]"]),
        Exception(
            "example.com", ["http://example.com", "http://api.example.com:81", "http://EXAMPLE.com."],
            but: [
                "http://notexample.com", "http://example.com.org", "http://example.co", "http://com",
            ]),
        Exception(".example.com", ["http://example.com", "http://a.b.example.com"], but: ["http://anexample.com"]),
        Exception("Example.COM.", ["http://example.com"]),
        Exception("a, b\tc ,,d", ["http://a", "http://b", "http://c", "http://d"], but: ["http://e"]),
        Exception("host:8080", ["http://host:8080", "http://sub.host:8080"], but: ["http://host", "https://host:8081"]),
        Exception("host:443", ["https://host"], but: ["http://host"]),
        Exception("*:8080", ["http://any:8080"], but: ["http://any"]),
        Exception("10.0.0.1", ["http://10.0.0.1", "http://[::ffff:10.0.0.1]"], but: ["http://10.0.0.2", "http://110.0.0.1"]),
        Exception("10.0.0.1:81", ["http://10.0.0.1:81"], but: ["http://10.0.0.1"]),
        Exception("0.0.1", [], but: ["http://10.0.0.1"]),
        Exception("10.0.0.0/8", ["http://10.255.1.2"], but: ["http://11.0.0.1", "http://ten", "http://[a00::]"]),
        Exception("192.168.4.0/22", ["http://192.168.7.255"], but: ["http://192.168.8.0", "http://192.168.3.255"]),
        Exception("192.168.4.7/32", ["http://192.168.4.7"], but: ["http://192.168.4.6"]),
        Exception("0.0.0.0/0", ["http://1.2.3.4"], but: ["http://[2001:db8::1]", "http://host"]),
        Exception("10.0.0.0/33", [], but: ["http://10.0.0.0"]),
        Exception("10.0.0.0/-1,10.0.0.0/,10.0.0.0/x", [], but: ["http://10.0.0.0"]),
        Exception("2001:db8::1", ["http://[2001:DB8:0::1]:99"], but: ["http://[2001:db8::2]"]),
        Exception("[2001:db8::1]", ["http://[2001:db8::1]"]),
        Exception("[2001:db8::1]:99", ["http://[2001:db8::1]:99"], but: ["http://[2001:db8::1]"]),
        Exception("2001:db8::/33", ["http://[2001:db8:7fff::1]"], but: ["http://[2001:db8:8000::1]"]),
        Exception("[2001:db8::]/32", ["http://[2001:db8:ffff::1]"], but: ["http://[2001:db9::1]"]),
        Exception("fe80::/10", ["http://[fe80::1%25eth0]"], but: ["http://[fec0::1]"]),
        Exception("::/0", ["http://[2001:db8::1]"], but: ["http://1.2.3.4"]),
        Exception(".,..,:,:80,[],[,],/8,host:x,host:99999,host:", [], but: ["http://host", "http://1.2.3.4", "http://[2001::]"]),
        Exception("", [], but: ["http://host"]),
    ])
    func `are not asked for what NO_PROXY excepts`(row: Exception) throws {
        let environment = ["ALL_PROXY": "http://d:4", "NO_PROXY": row.list]
        for url in row.excepted { #expect(try proxy(for: url, environment) == nil, "\(url)") }
        for url in row.others { #expect(try proxy(for: url, environment) == "http://d:4", "\(url)") }
    }

    @Test(arguments: [
        "https://proxy:3128", "socks5://proxy:1080", "socks5h://secret:secret@proxy", "unix:/run/secret.sock", "http://",
        "http://secret proxy", "http://user:sec/ret@proxy:1", "proxy:secret", "ftp://secret",
    ])
    func `that cannot be used are an error that names the variable alone`(value: String) throws {
        let environment = ["ALL_PROXY": value, "NO_PROXY": "excepted"]
        let error = #expect(throws: HTTPError.self) { try proxy(for: "https://host", environment) }
        let text = try #require(error).description
        #expect(text.contains("ALL_PROXY") && !text.contains("secret"))
        // Nobody is asked through it.
        #expect(try proxy(for: "https://excepted", environment) == nil)
        #expect(try proxy(for: "http://127.0.0.1", environment) == nil)
        #expect(try proxy(for: "https://host", environment.merging(["https_proxy": "http://a:1"]) { $1 }) == "http://a:1")
    }

    @Test func `are overruled by an upstream's own choice`() throws {
        let environment = ProxyEnvironment { $0 == "ALL_PROXY" ? "http://d:4" : $0 == "NO_PROXY" ? "*" : nil }
        let own = ProxyChoice.proxy(try Proxy("http://user:pass@own:5"))
        let none = ProxyEnvironment { $0 == "ALL_PROXY" ? "http://d:4" : nil }
        for url in ["http://localhost", "https://127.0.0.1", "https://host"] {
            let origin = try RequestURL(url).origin
            #expect(try own.proxy(for: origin, in: environment)?.description == "http://***@own:5")
            #expect(try ProxyChoice.direct.proxy(for: origin, in: none) == nil)
        }
        #expect(try own.proxy(for: RequestURL("unix:/a").origin, in: environment) == nil)
        #expect(try Proxy("http://user:pass@own:5").authorization == "Basic dXNlcjpwYXNz")
    }

    @Test(arguments: [
        "proxy:3128", "http://proxy", "https://proxy:1", "http://proxy:1/path", "http://proxy:1?q", "socks5://proxy:1",
        "unix:/a", "", "http://user:pass@:1",
    ])
    func `of a setting are whole URLs`(text: String) {
        #expect(throws: HTTPError.self) { try Proxy(text) }
    }
}
