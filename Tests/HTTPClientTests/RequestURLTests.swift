@testable import HTTPClient
import TestSupport
import Testing

@Suite(.ownThread, .timeLimit(.minutes(5))) struct `A request's URL` {
    struct Parsed: Sendable, CustomTestStringConvertible {
        let text: String
        let host: String
        let port: UInt16
        let target: String
        /// `Host`.
        let authority: String
        let isSecure: Bool
        var testDescription: String { text }

        init(_ text: String, _ host: String, _ port: UInt16, _ target: String, _ authority: String, isSecure: Bool = true) {
            (self.text, self.host, self.port, self.target) = (text, host, port, target)
            (self.authority, self.isSecure) = (authority, isSecure)
        }
    }

    private static let rows = [
        Parsed("https://host", "host", 443, "/", "host"),
        Parsed("https://host/", "host", 443, "/", "host"),
        Parsed("https://host:443/v1", "host", 443, "/v1", "host"),
        Parsed("https://host:80/v1", "host", 80, "/v1", "host:80"),
        Parsed("http://host:443/v1", "host", 443, "/v1", "host:443", isSecure: false),
        Parsed("http://host:080/", "host", 80, "/", "host", isSecure: false),
        Parsed("http://host:65535", "host", 65535, "/", "host:65535", isSecure: false),
        Parsed("https://Api.EXAMPLE.com/V1", "api.example.com", 443, "/V1", "api.example.com"),
        Parsed("https://host?q=1", "host", 443, "/?q=1", "host"),
        Parsed("https://host#part", "host", 443, "/", "host"),
        Parsed("https://host/a?b=c/d?e#f?g", "host", 443, "/a?b=c/d?e", "host"),
        Parsed("https://host//a/../b", "host", 443, "//a/../b", "host"),
        Parsed("https://host/%0D%0A", "host", 443, "/%0D%0A", "host"),
        Parsed("https://user:pass@host:8443/x@y", "host", 8443, "/x@y", "host:8443"),
        Parsed("https://a@b@host", "host", 443, "/", "host"),
        Parsed("https://10.0.0.1:8000", "10.0.0.1", 8000, "/", "10.0.0.1:8000"),
        Parsed("https://[::1]", "::1", 443, "/", "[::1]"),
        Parsed("https://[2001:DB8::1]:8443/v1", "2001:db8::1", 8443, "/v1", "[2001:db8::1]:8443"),
        Parsed("https://[fe80::1%25eth0]:1/", "fe80::1%eth0", 1, "/", "[fe80::1]:1"),
        Parsed("https://[fe80::1%eth0]", "fe80::1%eth0", 443, "/", "[fe80::1]"),
        Parsed("https://[::ffff:10.0.0.1]", "::ffff:10.0.0.1", 443, "/", "[::ffff:10.0.0.1]"),
        Parsed("https://under_score.local.", "under_score.local.", 443, "/", "under_score.local."),
    ]

    @Test(arguments: rows)
    func `is taken apart`(row: Parsed) throws {
        let url = try RequestURL(row.text)
        #expect(url.origin == Origin(isSecure: row.isSecure, host: row.host, port: row.port, socketPath: nil))
        #expect(url.target == row.target)
        #expect(url.origin.authority == row.authority)
        #expect(url.origin.dialTarget == .host(row.host, port: row.port))
        let hasDefaultPort = row.port == (row.isSecure ? 443 : 80)
        #expect(url.origin.hostAndPort == (hasDefaultPort ? "\(row.authority):\(row.port)" : row.authority))
        #expect(url.origin.url == "\(row.isSecure ? "https" : "http")://\(row.authority)")
    }

    @Test(arguments: [
        "", "host", "//host", "ftp://host", "https:/host", "https:host", "https://", "https:///v1", "http://:80", "https://?q",
        "https://user@", "https://user@:80/", "https://ho st", "https://host/\r\nX: y", "https://host/\u{0}", "https://hö.de",
        "https://host:", "https://host:0", "https://host:65536", "https://host:+80", "https://host:-0", "https://host:8a",
        "https://host: 80", "https://host:80:80", "https://::1", "https://[::1", "https://[]", "https://[::1]x",
        "https://[::1]:", "https://[host]", "https://[10.0.0.1]", "https://[::g]", "https://[%eth0]", "https://[fe80::1%25]",
        "https://[fe80::1%25a/b]", "https://ho%73t", "https://ho\\st", "https://ho<st", "https://host,other",
        "https://\(String(repeating: "a", count: 256))", "https://host/\(String(repeating: "a", count: 64 << 10))",
        "unix:", "unix:/", "unix:run/a.sock", "unix::/v1", "unix:/a b",
    ])
    func `is refused, and not quoted, when it names no place`(text: String) {
        do throws(HTTPError) {
            let url = try RequestURL(text)
            Issue.record("\(url)")
        } catch {
            #expect(error.description.hasPrefix("invalid request: "))
            #expect(text.utf8.count < 9 || !error.description.contains(text))
        }
    }

    @Test(arguments: [
        ("unix:/run/a.sock", "/run/a.sock", "/"), ("unix:/run/a.sock:", "/run/a.sock", "/"),
        ("unix:/run/a.sock:/", "/run/a.sock", "/"), ("unix:/run/a.sock:/v1/chat", "/run/a.sock", "/v1/chat"),
        ("unix:/a:/v1:2?q=:", "/a", "/v1:2?q=:"), ("unix:/a:v1", "/a", "/v1"), ("unix:/a:?q", "/a", "/?q"),
        ("unix:/a:#part", "/a", "/"),
    ])
    func `names a unix socket`(text: String, path: String, target: String) throws {
        let url = try RequestURL(text)
        #expect(url.origin.dialTarget == .unix(path: path))
        #expect(url.target == target)
        #expect(!url.origin.isSecure)
        #expect(url.origin.authority == "localhost")
        #expect(url.authorization == nil)
        #expect(url.origin.url == "unix:\(path):")
    }

    /// The vectors of RFC 4648 §10 and RFC 7617 §2; a user without a password has an empty one.
    @Test(arguments: [
        ("Aladdin:open%20sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), ("test:123%C2%A3", "dGVzdDoxMjPCow=="),
        ("f:", "Zjo="), ("f", "Zjo="), ("fo:", "Zm86"), (":", "Og=="), ("fo%6Fbar:", "Zm9vYmFyOg=="),
        ("a@b:c@d", "YUBiOmNAZA=="), ("a:b:c", "YTpiOmM="), ("a:%", "YTol"), ("a:%4", "YTolNA=="), ("a:%zz", "YToleno="),
        ("a:%0D%0A", "YToNCg=="), ("%FB%FF:%FE", "+/86/g=="),
    ])
    func `has its user information become basic credentials`(userInformation: String, credentials: String) throws {
        #expect(try RequestURL("https://\(userInformation)@host").authorization == "Basic \(credentials)")
    }

    @Test func `without user information has no credentials`() throws {
        #expect(try RequestURL("https://host").authorization == nil)
        #expect(try RequestURL("https://@host").authorization == nil)
        #expect(try RequestURL("https://host/a:b@c").authorization == nil)
    }

    /// Whatever bytes there are, it is refused, or nothing of it can end a line or a field.
    @Test(arguments: 0..<20)
    func `can never break out of its line`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let pieces = [
            "http://", "https://", "unix:", "/", ":", "@", "[", "]", "::1", "%", "%25", "%0d%0a", "\r", "\n", " ", "\t", "\u{0}",
            "\u{7f}", "é", "?", "#", "80", "65536", "host", ".", "user", "\r\nX: y", "\u{85}", "\u{2028}",
        ]
        for _ in 0..<5_000 {
            var text = Bool.random(using: &random) ? pieces[Int.random(in: 0..<3, using: &random)] : ""
            for _ in 0..<Int.random(in: 0..<9, using: &random) {
                text += pieces.randomElement(using: &random) ?? ""
                if Int.random(in: 0..<8, using: &random) == 0 {
                    text.unicodeScalars.append(Unicode.Scalar(UInt8.random(in: 0...255, using: &random)))
                }
            }
            guard let url = parsed(text) else { continue }
            let parts = [url.target, url.origin.authority, url.origin.hostAndPort, url.origin.url]
            #expect(parts.allSatisfy { $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } }, "\(Array(text.utf8))")
            #expect(url.target.hasPrefix("/"))
            #expect(url.authorization?.dropFirst(6).utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } ?? true)
            #expect(!url.origin.authority.utf8.contains { "/?#@".utf8.contains($0) })
        }
    }

    private func parsed(_ text: String) -> RequestURL? {
        do { return try RequestURL(text) } catch { return nil }
    }
}
