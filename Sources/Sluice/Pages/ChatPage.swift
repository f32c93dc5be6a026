// The page for browsers: the answer to `GET …/sluice/`, where the settings and the web server permit it.

/// The files of `Page/` as one, as the build has put them into the binary. A browser needs nothing else, and may load nothing
/// else.
enum ChatPage {
    static let style = PackageResources.page_css
    /// One module: what a file declares, those behind it use.
    static let script =
        PackageResources.stream_js + PackageResources.answer_js + PackageResources.timing_js + PackageResources.status_js
        + PackageResources.page_js

    static let bytes = putting(script, for: "page.js", in: putting(style, for: "page.css", in: PackageResources.page_html))

    /// What a browser is told of it.
    static let headers: [(name: String, value: String)] = [
        ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
    ]

    /// SHA-256 of the two, in base64. A test holds them against what is there, and says what they have to be.
    static let styleHash = "jkdrlorRZeAqNAPgqHsONmCI0DqfLbQH07bF8j5Dpt0="
    static let scriptHash = "HntgYUIbJG5Gf5VApH75lPrVEZjZejud0vYpS3lWyc4="

    /// Nothing runs but what is in the page, nothing comes from elsewhere or goes there, and no text becomes markup.
    private static let policy = """
        default-src 'none'; script-src 'sha256-\(scriptHash)'; style-src 'sha256-\(styleHash)'; img-src data:; connect-src 'self'; \
        base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'
        """

    /// - Parameter name: what stands in the page where the content belongs.
    private static func putting(_ content: [UInt8], for name: String, in page: [UInt8]) -> [UInt8] {
        guard let place = page.firstRange(of: Array(name.utf8)) else { preconditionFailure("the page has no place for \(name)") }
        return page[..<place.lowerBound] + content + page[place.upperBound...]
    }
}
