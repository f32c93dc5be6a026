import Foundation
import TestSupport
import Testing

/// Programs that speak FastCGI and are no web servers.
@Suite struct `Another client of FastCGI` {
    private static let clients = ["cgi-fcgi", "FCGI::Client", "fcgi-client", "flup"]

    /// - Returns: what it got, head and body.
    private func answer(of client: String, to call: ChatCall, at socket: String, in directory: TemporaryDirectory) async throws
        -> String
    {
        let body = String(decoding: call.body, as: UTF8.self)
        let scripts = "\(repository)/Tests/EndToEnd/clients"
        switch client {
        case "cgi-fcgi":
            let file = try directory.write(call.body, to: "body")
            let parameters = [
                "REQUEST_METHOD": "POST", "SCRIPT_NAME": "/v1/chat/completions", "CONTENT_LENGTH": "\(call.body.count)",
                "SLUICE_CLIENT": "cgi-fcgi",
            ]
            return try await ChildProcess.run(
                "sh", ["-c", "exec cgi-fcgi -bind -connect \"$0\" <\"$1\"", socket, file], environment: parameters, in: directory)
        case "FCGI::Client":
            return try await ChildProcess.run("perl", ["\(scripts)/fastcgi_call.pl", socket, body], in: directory)
        default:
            let script = client == "flup" ? "flup_call.py" : "fastcgi_call.py"
            return try await ChildProcess.run(
                Python.interpreter, ["\(scripts)/\(script)", socket, body],
                environment: ["PYTHONPYCACHEPREFIX": "\(repository)/.build/pycache"], in: directory)
        }
    }

    @Test(arguments: clients) func `gets a stream and an answer in one piece`(client: String) async throws {
        let frames = Chunks.stream(["Hello", " there"])
        let upstream = try StubUpstream { request in
            request.text.contains(#""stream":true"#) ? .stream(frames) : .json(Chunks.completion("Hello there"))
        }
        let directory = try TemporaryDirectory()
        let sluice = try await SluiceProcess(upstream: upstream.url, in: directory)
        for (isStreaming, content) in [(true, frames.joined()), (false, Chunks.completion("Hello there"))] {
            let answer = try await answer(of: client, to: chat(stream: isStreaming), at: sluice.socket, in: directory)
            #expect(answer.hasPrefix("Status: 200"), "\(answer)")
            #expect(answer.replacing(": keep-alive\n\n", with: "").hasSuffix(content), "\(answer)")
        }
        try await sluice.process.end()
        try await upstream.stop()
    }
}
