import Foundation
import TestSupport
import Testing

@Suite struct `The matrix of front servers` {
    private let place = "\(repository)/docs/front-servers.md"
    private let begin = "<!-- the matrix -->\n"
    private let end = "<!-- the end of the matrix -->"

    /// Where `SLUICE_WRITE_DOCUMENTS` is set it is written anew.
    @Test func `in the document is what the tests demand`() throws {
        let text = try String(contentsOfFile: place, encoding: .utf8)
        let start = try #require(text.range(of: begin)).upperBound
        let stop = try #require(text.range(of: end)).lowerBound
        if ProcessInfo.processInfo.environment["SLUICE_WRITE_DOCUMENTS"] != nil {
            try text.replacingCharacters(in: start..<stop, with: matrix).write(toFile: place, atomically: true, encoding: .utf8)
        } else {
            #expect(
                String(text[start..<stop]) == matrix,
                "SLUICE_WRITE_DOCUMENTS=1 swift test --filter FrontDocumentTests makes it anew")
        }
    }

    private let servers: [(kind: WebServer, name: String)] = [
        (.nginx, "nginx"), (.lighttpd, "lighttpd"), (.apache, "Apache"), (.caddy, "Caddy"), (.haproxy, "HAProxy"),
    ]

    private var matrix: String {
        let rows = FrontGroup.all.flatMap(\.rows)
        let head = "| | \(servers.map(\.name).joined(separator: " | ")) |\n|---|\(servers.map { _ in "---|" }.joined())\n"
        let lines = rows.map { row in
            "| \(row.name) | \(servers.map { row.word($0.kind) }.joined(separator: " | ")) |\n"
        }
        var reasons: [String] = []
        for row in rows {
            for gap in servers.compactMap({ row.gaps[$0.kind] }) {
                let names = servers.filter { row.gaps[$0.kind]?.reason == gap.reason }.map(\.name)
                let reason = "- **\(gap.word)** (\(names.joined(separator: ", "))): \(gap.reason)\n"
                if !reasons.contains(reason) { reasons.append(reason) }
            }
        }
        return head + lines.joined() + "\n" + reasons.joined()
    }
}
