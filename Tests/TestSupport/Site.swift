// A web server, Sluice and an upstream, and a caller's ways to them.

import Foundation

/// A caller's way in: each must see the same stream.
package enum Client: String, CaseIterable, Sendable {
    case plain, curl, curlHTTP2
}

/// A web server, Sluice behind it, and a stub upstream behind both.
package struct Site: Sendable {
    package let directory: TemporaryDirectory
    package let upstream: StubUpstream
    /// What Sluice was told that the upstream's URL is.
    package let upstreamURL: String
    package let sluice: SluiceProcess
    package let server: RunningServer

    private static let slots = Slots(6)

    /// Starts everything, runs a test, and ends everything.
    ///
    /// - Parameters:
    ///   - upstreamURL: for `--upstream`, when it is not the stub itself.
    ///   - settings: the text of a settings file, in which `UPSTREAM` stands for the stub's URL; then there is no `--upstream`.
    ///   - options: further options of `sluice serve`.
    ///   - launcher: words of a command that starts Sluice in its own place.
    ///   - changes: to the shipped configuration of the web server.
    ///   - descriptors: how many Sluice may have open.
    /// - Throws: ``SluiceEnded`` when the test has not ended Sluice itself and it is gone: nothing may end it but a signal.
    package static func with(
        _ server: WebServer, upstream: StubUpstream, upstreamURL: String? = nil, settings: String? = nil,
        options: [String] = [], environment: [String: String] = ["OPENAI_API_KEY": "sk-stub"], changes: [Change] = [],
        redirections: String = "", launcher: [String] = [], descriptors: Int? = nil, endsSluice: Bool = false,
        in directory: TemporaryDirectory? = nil,
        _ test: (Site) async throws -> Void
    ) async throws {
        await slots.take()
        let outcome: Result<Void, any Error>
        do {
            let directory = try directory ?? TemporaryDirectory()
            let url = upstreamURL ?? upstream.url
            let source = settings.map { SluiceProcess.Source.settings($0.replacingOccurrences(of: "UPSTREAM", with: url)) }
            let sluice = try await SluiceProcess(
                source ?? .upstream(url), options: options, environment: environment, redirections: redirections,
                launcher: launcher, descriptors: descriptors, in: directory)
            let running = try await RunningServer(server, socket: sluice.socket, changes: changes, in: directory)
            let site = Site(
                directory: directory, upstream: upstream, upstreamURL: url, sluice: sluice, server: running)
            try await site.run(test, endsSluice: endsSluice)
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        try await upstream.stop()
        await slots.giveBack()
        try outcome.get()
    }

    private func run(_ test: (Site) async throws -> Void, endsSluice: Bool) async throws {
        do {
            try await test(self)
            if !endsSluice, let exit = sluice.process.exit.value { throw SluiceEnded(exit: exit) }
        } catch {
            print("\(server.kind): \(error)\nsluice said: \(sluice.process.errors.value.text.suffix(4_000))")
            print("\(server.kind) said: \(server.process.errors.value.text.suffix(4_000))")
            throw error
        }
        try await server.process.end()
        try await sluice.process.end()
    }

    package struct SluiceEnded: Error {
        package let exit: ChildProcess.Exit
    }

    /// The log's lines that tell of requests, once there are so many.
    package func requestLines(_ count: Int) async throws -> [String] {
        try await sluice.process.errors.wait(for: "\(count) requests in the log") { output in
            let lines = output.lines.filter { $0.contains(#""message":"answered""#) }
            return lines.count >= count ? lines : nil
        }
    }

    /// Calls the site; the token is the first client's unless the call has one.
    package func call(_ call: ChatCall, over client: Client = .plain) throws -> HTTPStream {
        switch client {
        case .plain: try .plain(call, port: server.plainPort)
        case .curl, .curlHTTP2:
            try .curl(
                call, url: server.secureURL, authority: server.certificate.file, http2: client == .curlHTTP2, in: directory)
        }
    }
}
