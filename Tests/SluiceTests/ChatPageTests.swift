import Foundation
import TestSupport
import Testing

@testable import Sluice

/// The page as it goes to a browser; the end-to-end tests use it in one.
@Suite struct `The page for browsers` {
    private let text = String(decoding: ChatPage.bytes, as: UTF8.self)
    private let script = String(decoding: ChatPage.script, as: UTF8.self)
    private let style = String(decoding: ChatPage.style, as: UTF8.self)

    private func hash(of bytes: [UInt8]) async throws -> String {
        let directory = try TemporaryDirectory()
        try directory.write(bytes, to: "content")
        let words = "openssl dgst -sha256 -binary content | openssl base64 -A"
        return try await ChildProcess.run("sh", ["-ec", words], in: directory)
    }

    @Test func `has its own script and style in it, whole and once`() {
        #expect(text.components(separatedBy: "<script type=\"module\">\(script)</script>").count == 2)
        #expect(text.components(separatedBy: "<style>\(style)</style>").count == 2)
        #expect(text.components(separatedBy: "<script").count == 2 && text.components(separatedBy: "<style").count == 2)
        #expect(text.hasPrefix("<!doctype html>\n") && text.hasSuffix("</html>\n"))
    }

    @Test func `has a policy with the hashes of just these`() async throws {
        let hashes = (script: try await hash(of: ChatPage.script), style: try await hash(of: ChatPage.style))
        #expect(ChatPage.scriptHash == hashes.script, "write this into ChatPage.swift: \(hashes.script)")
        #expect(ChatPage.styleHash == hashes.style, "write this into ChatPage.swift: \(hashes.style)")
        let policy = try #require(ChatPage.headers.first { $0.name == "Content-Security-Policy" }?.value)
        #expect(
            policy.components(separatedBy: "; ") == [
                "default-src 'none'", "script-src 'sha256-\(hashes.script)'", "style-src 'sha256-\(hashes.style)'",
                "img-src data:",
                "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
                "require-trusted-types-for 'script'", "trusted-types 'none'",
            ])
    }

    /// The name of an XML namespace is no address.
    @Test func `names no other host, and loads nothing`() {
        let rest = text.replacing("xmlns='http://www.w3.org/2000/svg'", with: "")
        for word in ["://", " src=", "url(", "@import", "import(", "stylesheet", "WebSocket", "EventSource", "sendBeacon"] {
            #expect(!rest.contains(word), "\(word)")
        }
    }

    @Test(arguments: [
        "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "createContextualFragment", "setHTML",
        "eval(",
        "Function(", "javascript:", " style=", "localStorage", "document.cookie",
    ])
    func `makes no markup of texts, and keeps nothing beyond its tab`(word: String) {
        #expect(!text.contains(word))
    }

    @Test func `has a label for each field, and a place for each name`() {
        for match in text.matches(of: /<(?:input|textarea) id="([a-z]+)"[^>]*>/) where !match.0.contains("aria-label=") {
            #expect(text.contains("<label for=\"\(match.1)\">"), "\(match.1)")
        }
        for match in script.matches(of: /\b(?:element|show|fill)\("([a-z0-9\-]+)"/) {
            #expect(text.contains("id=\"\(match.1)\""), "\(match.1)")
        }
    }
}
