import Foundation
import TestSupport
import Testing

/// The document behind `GET …/openapi.json`.
@Suite struct `The description of the endpoints` {
    private func withAnswers(_ server: WebServer, _ test: (Site) async throws -> Void) async throws {
        // At once, and in the form that was asked for.
        let upstream = try StubUpstream { request in
            request.head["Accept"] == "text/event-stream"
                ? .stream(Chunks.stream(["Hello"])) : .json(Chunks.completion("Hello"))
        }
        try await Site.with(server, upstream: upstream, changes: server.withoutLimits, test)
    }

    /// lighttpd has a form of its own for a `GET` with a body, which schemathesis tries too.
    @Test(arguments: WebServer.selected.filter { $0 == .nginx })
    func `holds for a thousand requests, right and wrong`(server: WebServer) async throws {
        try await withAnswers(server) { site in
            let child = try Python.start("openapi_check.py", site: site)
            let exit = try await child.exited(within: .seconds(600))
            try await child.output.wait(for: "the end of its output") { $0.ended }
            #expect(exit == .code(0), "\(child.output.value.text)\(child.errors.value.text)")
            let last = child.output.value.lines.last ?? ""
            print("schemathesis tried \(last)")
            #expect(last.split(separator: " ").first.flatMap { Int($0) } ?? 0 >= 1_000)
        }
    }

    @Test(arguments: WebServer.selected, ["/openapi.json", "/v1/openapi.json"])
    func `is served beside the endpoints, wherever they are`(server: WebServer, path: String) async throws {
        try await withAnswers(server) { site in
            let response = try await site.call(ChatCall("", path: path, method: "GET")).ended()
            #expect(response.status == 200)
            #expect(response.head?.contentType == "application/json")
            let document = try JSONSerialization.jsonObject(with: Data(response.text.utf8)) as? [String: Any]
            #expect(document?["openapi"] as? String == "3.1.0")
        }
    }
}
