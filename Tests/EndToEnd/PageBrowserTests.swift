// The page in Chromium, which `clients/page.py` drives by its keyboard.

import Foundation
import TestSupport
import Testing

private let hasChromium = ["chromium", "chromedriver"].allSatisfy {
    FileManager.default.isExecutableFile(atPath: "/usr/bin/\($0)")
}

/// One at a time: each is a browser.
@Suite(.serialized, .enabled(if: hasChromium, "Chromium is Debian's packages chromium and chromium-driver"))
struct `The page in a browser` {
    /// Without heartbeats, which the page would list.
    private static let settings = "page = true\nheartbeat = \"0s\"\n" + patientSettings
    private static let question = "Tell me a joke"
    private static let models = #"{"object":"list","data":[{"id":"stub-1","object":"model","created":1,"owned_by":"stub"}]}"#

    /// What the script tells at the end, and some of it before.
    private struct Told: Decodable {
        let ending, text, state, error, busy, focus, command, picture: String?
        let events, dots: Int?
        let figures: [String: String]?
        let console, sites, paths, upstreams: [String]?
        let own, times, note, message: String?
        let sends: Bool?
    }

    /// The page asks for the models, too.
    private func upstream(_ reply: @escaping @Sendable (UpstreamRequest) -> Reply) throws -> StubUpstream {
        try StubUpstream { $0.path.hasSuffix("/models") ? .json(Self.models) : reply($0) }
    }

    private func start(_ words: [String], at site: Site, token: String = RunningServer.token) throws -> ChildProcess {
        try Python.start("page.py", words, site: site, token: token)
    }

    /// A browser takes its time to start.
    private func waits(_ browser: ChildProcess, for line: String) async throws {
        try await browser.output.wait(for: line, within: .seconds(300)) { output in
            if output.lines.contains(where: { $0.hasPrefix(line) }) { return true }
            if output.ended { throw Ended(told: output.text, errors: browser.errors.value.text) }
            return false
        }
    }

    private func waits(_ browser: ChildProcess, until text: String) async throws {
        try await waits(browser, for: "{\"shown\": \(quoted(text))}")
    }

    /// All that it tells from the end of the answer on.
    private func rest(_ browser: ChildProcess) async throws -> [Told] {
        let lines = try await browser.linesToItsEnd()
        let told = try lines.map { try JSONDecoder().decode(Told.self, from: Data($0.utf8)) }
        return Array(told.drop { $0.ending == nil })
    }

    private struct Ended: Error { let told, errors: String }

    /// Each word is sent when the page has shown the one before.
    @Test(arguments: WebServer.selected)
    func `shows an answer as it grows, and asks nobody but its own site`(server: WebServer) async throws {
        let words = ["Why", " did", " the", " chicken"]
        let frames = Chunks.stream(words).dropLast() + [Chunks.usage(prompt: 3, completion: 4), Chunks.done]
        let gate = try Gate()
        let upstream = try upstream { _ in .stream(Array(frames), each: gate) }
        let prefixed = [Change("^/sluice(/(status|metrics|ping))?/?$", to: "^/v1/sluice(/(status|metrics|ping))?/?$")]
        try await Site.with(server, upstream: upstream, settings: Self.settings, changes: prefixed) { site in
            let browser = try start(["talk", "/v1/sluice"] + words, at: site)
            for count in 1...words.count {
                try await waits(browser, until: words.prefix(count).joined())
                gate.open()
            }
            gate.open(2)
            let told = try await rest(browser)
            let answer = try #require(told.first)
            #expect((answer.ending, answer.text, answer.error) == ("complete", words.joined(), ""))
            #expect(answer.state?.hasPrefix("Complete: stop. Request req_") == true, "\(answer)")
            #expect((answer.events, answer.dots, answer.busy) == (frames.count, frames.count, "false"))
            #expect(answer.figures?["Events"] == "\(frames.count)" && answer.figures?["Tokens in, out"] == "3, 4")
            #expect(answer.figures?["First token"]?.hasSuffix("s") == true && answer.figures?["Tokens/s"] != nil)
            #expect(answer.picture?.hasPrefix("\(frames.count) events in ") == true)
            let sites = try #require(told.last)
            #expect(sites.console == [] && sites.sites == [sites.own ?? "own"])
            #expect(
                sites.paths == ["/v1/chat/completions", "/v1/models", "/v1/sluice", "/v1/sluice/status?full&json"], "\(sites)")
            let request = try await upstream.request(containing: Self.question)
            #expect(request.text.contains(#""include_usage":true"#))
        }
    }

    /// `SLUICE_TEST_ARTIFACTS` names a folder that keeps its pictures.
    @Test func `shows how Sluice does beside it, and gives the request as a command without the token`() async throws {
        let gate = try Gate()
        let frames = Chunks.stream(["Why", " did the token never wait?"])
        let upstream = try upstream { _ in .begun(frames, then: gate) }
        try await Site.with(.nginx, upstream: upstream, settings: Self.settings) { site in
            let wanted = ProcessInfo.processInfo.environment["SLUICE_TEST_ARTIFACTS"] ?? ""
            let folder = wanted.isEmpty ? site.directory.path : wanted
            let browser = try start(["watch", folder, "Why", " did the token never wait?"], at: site)
            try await waits(browser, until: "Why")
            try await waits(browser, for: "{\"streams\": ")
            gate.open()
            let told = try await rest(browser)
            #expect(told.first?.ending == "complete" && told.first?.figures?["Chunks/s"] != nil, "\(told)")
            #expect(told.contains { $0.upstreams == ["stub", "*"] }, "\(told)")
            // Of a single answer there is no percentile yet, and the page says when there will be.
            let figures = try #require(told.first { $0.times != nil })
            #expect(
                figures.times?.hasSuffix(" of 20") == true && figures.note?.contains("once there are 20") == true, "\(figures)")
            let command = try #require(told.last?.command)
            #expect(command.hasPrefix("curl -N '\(site.server.secureURL)/chat/completions' \\\n"), "\(command)")
            #expect(command.contains(#"-H "Authorization: Bearer $TOKEN""#) && !command.contains(RunningServer.token))
            #expect(command.contains(#"{"role":"user","content":"Tell me a joke"}"#))
            for name in ["1280-light", "1280-dark", "390-light", "390-dark"] {
                let picture = FileManager.default.contents(atPath: "\(folder)/page-\(name).png") ?? Data()
                #expect(picture.starts(with: [0x89, 0x50, 0x4E, 0x47]), "\(name)")
            }
        }
    }

    @Test func `stops the upstream with its button`() async throws {
        let upstream = try upstream { _ in .begun(Chunks.stream(["Hello"])) }
        try await Site.with(.nginx, upstream: upstream, settings: Self.settings) { site in
            let browser = try start(["stop", "Hello"], at: site)
            try await upstream.request(containing: Self.question).closedByPeer(within: .seconds(300))
            let told = try await rest(browser)
            #expect((told.first?.ending, told.first?.text) == ("stopped", "Hello"))
            #expect(told.contains { $0.focus == "message" })
            // The question is there again, and what is typed takes its place.
            #expect(told.last?.message == "Another", "\(told)")
        }
    }

    @Test(arguments: [(token: "none", focus: "token"), (token: "wrong", focus: "message")])
    func `leads to the token's field where a token is needed and none was given`(token: String, focus: String) async throws {
        try await Site.with(.nginx, upstream: try upstream { _ in .silence }, settings: Self.settings) { site in
            let told = try await rest(try start(["refuse"], at: site, token: token))
            #expect(told.first?.ending == "refused" && told.first?.state?.contains("status 401") == true, "\(told)")
            let last = try #require(told.last)
            #expect(last.focus == focus && last.note?.contains("A token is needed") == (focus == "token"), "\(last)")
        }
    }

    struct Failure: Sendable, CustomTestStringConvertible {
        let name: String
        var token = RunningServer.token
        let reply: Reply
        let ending, text, error: String
        var status: String?
        var testDescription: String { name }
    }

    private static let failures = [
        Failure(
            name: "a token that nobody has", token: "wrong", reply: .silence, ending: "refused", text: "",
            error: "invalid_api_key", status: "401"),
        Failure(
            name: "a verdict of the upstream", reply: .json(Chunks.error("slow <b>down</b>", code: "slow"), status: 429),
            ending: "refused", text: "", error: "slow <b>down</b>", status: "429"),
        Failure(
            name: "a stream that breaks off", reply: Reply([.text(Chunks.begun()), .read, .close]), ending: "failed",
            text: "Hello", error: "upstream_cut_off"),
    ]

    @Test(arguments: failures)
    func `shows an error as it is, and no such answer as complete`(failure: Failure) async throws {
        let upstream = try upstream { _ in failure.reply }
        try await Site.with(.nginx, upstream: upstream, settings: Self.settings) { site in
            let told = try await rest(try start(["talk", "/sluice/"], at: site, token: failure.token))
            let answer = try #require(told.first)
            #expect((answer.ending, answer.text) == (failure.ending, failure.text))
            #expect(answer.error?.contains(failure.error) == true && answer.state?.contains("Complete") == false, "\(answer)")
            #expect(answer.state?.contains("status \(failure.status ?? "")") == (failure.status != nil), "\(answer)")
            // A browser tells of such a status there, whatever the page does.
            let console = try #require(told.last?.console)
            #expect(console.allSatisfy { line in failure.status.map { line.contains($0) } ?? false }, "\(console)")
        }
    }

    // MARK: Who means it ill

    /// nginx takes all of them for `/sluice/`. A browser would take what stands behind two slashes for a host.
    @Test(arguments: ["//evil.test/..%2fsluice/", "//x%2f..%2fsluice/", "/evil.test%2F..//sluice"])
    func `asks its own site alone, whatever its address looks like`(path: String) async throws {
        let upstream = try upstream { _ in .stream(Chunks.stream(["Hello"])) }
        try await Site.with(.nginx, upstream: upstream, settings: Self.settings) { site in
            let told = try await rest(try start(["aim", path], at: site))
            #expect((told.first?.ending, told.first?.text) == ("complete", "Hello"), "\(told)")
            let sites = try #require(told.first { $0.sites != nil })
            #expect(sites.console == [] && sites.sites == [sites.own ?? "own"], "\(sites)")
            let command = try #require(told.last?.command)
            #expect(command.hasPrefix("curl -N '\(site.server.secureURL)/chat/completions' \\\n"), "\(command)")
        }
    }

    @Test func `says so where its address leads to no site`() async throws {
        try await Site.with(.nginx, upstream: try upstream { _ in .silence }, settings: Self.settings) { site in
            let told = try await rest(try start(["detach"], at: site))
            #expect(told.last?.note?.contains("leads to no Sluice") == true, "\(told)")
        }
    }

    /// What JSON can say and no text can be made of.
    private static let textless = #"{"toString":null,"valueOf":null}"#

    private static let textlessEvents = [
        #""model":\#(textless),"choices":[{"index":0,"delta":{"content":" you"},"finish_reason":\#(textless)}]"#,
        #""choices":[{"index":0,"delta":{"reasoning":\#(textless),"refusal":\#(textless)}}]"#,
        #""choices":[{"index":0,"delta":{"content":" there","tool_calls":\#(textless)}}]"#,
        #""id":\#(textless),"choices":[],"usage":{"prompt_tokens":\#(textless),"completion_tokens":4}"#,
    ]

    @Test func `shows texts alone, and goes on behind what is none`() async throws {
        let frames =
            Chunks.stream(["Hello"]).dropLast(2) + Self.textlessEvents.map { "data: {\($0)}\n\n" } + [
                Chunks.finish(), Chunks.done,
            ]
        let upstream = try upstream { _ in .stream(Array(frames)) }
        try await Site.with(.nginx, upstream: upstream, settings: Self.settings) { site in
            let told = try await rest(try start(["talk", "/sluice/"], at: site))
            let answer = try #require(told.first)
            #expect((answer.ending, answer.text, answer.busy) == ("complete", "Hello you there", "false"), "\(answer)")
            #expect(
                answer.state?.hasPrefix("Complete: stop.") == true && answer.figures?["Tokens in, out"] == "?, 4", "\(answer)")
            #expect(told.last?.console == [])
        }
    }

    @Test func `shows a fault of its own as that, and has the answer stopped`() async throws {
        let gate = try Gate()
        let steps = [Reply.Step.text(Chunks.begun()), .wait(gate), .text(Chunks.content(" you")), .silence]
        let upstream = try upstream { _ in Reply(steps) }
        try await Site.with(.nginx, upstream: upstream, settings: Self.settings) { site in
            let browser = try start(["spoil", "Hello"], at: site)
            try await waits(browser, for: "{\"spoiled\": ")
            gate.open()
            try await upstream.request(containing: Self.question).closedByPeer(within: .seconds(300))
            let told = try await rest(browser)
            let answer = try #require(told.first)
            #expect((answer.ending, answer.busy) == ("faulty", "false"), "\(answer)")
            #expect(answer.state?.contains("by a fault of this page") == true && answer.state?.contains("TypeError") == true)
            #expect(told.last?.sends == true)
        }
    }

    @Test func `shows a stream that ends with its server as cut off`() async throws {
        let upstream = try upstream { _ in .begun(Chunks.stream(["Hello"])) }
        try await Site.with(.nginx, upstream: upstream, settings: Self.settings, endsSluice: true) { site in
            let browser = try start(["talk", "/sluice/", "Hello"], at: site)
            try await waits(browser, until: "Hello")
            try await site.sluice.process.end()
            let answer = try #require(try await rest(browser).first)
            #expect((answer.ending, answer.text) == ("cut", "Hello"))
            #expect(answer.state?.hasPrefix("Cut off: the stream has ended before [DONE]") == true, "\(answer)")
        }
    }
}
