// A site whose turns a hook is asked about.

import Foundation
import TestSupport
import Testing

/// A web server, Sluice, an upstream, and a hook that is one more stub.
struct HookSite: Sendable {
    static let frames = Chunks.stream(["Hello"])

    let site: Site
    let hook: StubUpstream

    /// Starts everything, runs a test, and ends everything.
    ///
    /// - Parameters:
    ///   - hook: what it answers.
    ///   - members: of the setting, behind its URL.
    ///   - settings: lines ahead of the upstream's table.
    ///   - upstream: else one that says hello.
    ///   - rest: the settings from the upstream's table on.
    static func with(
        _ hook: StubUpstream, _ members: String = #"timeout = "60s""#, settings: String = "", heartbeat: String = "0s",
        drain: String = "30s", upstream: StubUpstream? = nil, rest: String = plainSettings, options: [String] = [],
        environment: [String: String] = [:], endsSluice: Bool = false, in directory: TemporaryDirectory? = nil,
        _ test: (HookSite) async throws -> Void
    ) async throws {
        let text = Self.settings(hook.turnURL, members, settings, heartbeat: heartbeat, drain: drain) + rest
        try await Site.with(
            WebServer.selected[0], upstream: try upstream ?? Self.upstream(), settings: text, options: options,
            environment: environment, endsSluice: endsSluice, in: directory
        ) { site in
            try await test(HookSite(site: site, hook: hook))
        }
        try await hook.stop()
    }

    /// Streams wait for as long as a test takes.
    static func settings(
        _ url: String, _ members: String, _ more: String = "", heartbeat: String = "0s", drain: String = "30s"
    ) -> String {
        """
        heartbeat = "\(heartbeat)"
        timeouts = {first_token = "10m", idle = "10m", drain = "\(drain)"}
        hook = {url = "\(url)", \(members)}
        \(more)

        """
    }

    /// One that says hello.
    static func upstream() throws -> StubUpstream {
        try StubUpstream { request in
            request.text.contains(#""stream":true"#) ? .stream(frames) : .json(Chunks.completion("Hello"))
        }
    }

    /// The last line of a request in the log that has so many.
    func line(_ count: Int = 1) async throws -> String { try await site.requestLines(count)[count - 1] }

    /// Its caller has the upstream's answer.
    func answers(_ response: Received, stream: Bool = true) {
        #expect(response.status == 200 && response.end == .complete)
        if stream {
            #expect(response.content == Self.frames.joined())
        } else {
            #expect(response.text.contains(#""content":"Hello""#))
        }
    }
}

extension StubUpstream {
    /// As a hook.
    var turnURL: String { "http://127.0.0.1:\(port)/turn" }
}

extension Reply {
    static let nothingToSay = Reply(status: 204, framing: .contentLength, [])
}

extension Received {
    /// The texts of a stream's deltas, and how many of them have a role.
    var said: (text: String, rolesCount: Int) {
        let texts = frames.compactMap { frame -> String? in
            guard let start = frame.firstRange(of: #""content":"#)?.upperBound else { return nil }
            let rest = frame[start...]
            guard let end = rest.firstRange(of: #""}"#)?.upperBound ?? rest.firstRange(of: #"","#)?.upperBound else { return nil }
            // A string of JSON, and the quote is its last.
            return try? JSONDecoder().decode(String.self, from: Data(rest[..<rest.index(before: end)].utf8))
        }
        return (texts.joined(), text.components(separatedBy: #""role""#).count - 1)
    }
}
