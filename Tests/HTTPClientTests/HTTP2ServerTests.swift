import EventLoop
import Foundation
import TestSupport
import Testing

@testable import HTTPClient

/// nghttpd, of Debian's nghttp2-server: another implementation than the tests' own.
private final class Nghttpd: Sendable {
    let url: String
    let certificateFile: String?
    let process: ChildProcess
    static let largeBytes = 5 << 20

    /// It gives back the bodies of requests that have one, and has a file `large`.
    init(isSecure: Bool, _ options: String...) async throws {
        let directory = try TemporaryDirectory()
        try directory.write([UInt8](repeating: UInt8(ascii: "x"), count: Self.largeBytes), to: "large")
        let certificate = isSecure ? try await Certificate(in: directory) : nil
        let port = try freePort()
        certificateFile = certificate?.file
        url = (isSecure ? "https" : "http") + "://localhost:\(port)/large"
        let place = ["-a", "127.0.0.1", "-d", directory.path, "--echo-upload", "\(port)"]
        let security = certificate.map { [$0.key, $0.file] } ?? ["--no-tls"]
        process = try ChildProcess("nghttpd", options + ["-v"] + place + security, in: directory)
        try await process.output.wait(for: "nghttpd to listen") { $0.text.contains("listen 127.0.0.1:") }
    }

    var configuration: Session.Configuration { certificateFile.map { .trusting($0) } ?? .patient }
}

@Suite(.timeLimit(.minutes(5))) struct HTTP2ServerTests {
    @Test(arguments: [false, true], [1, 1000, 200_000])
    func `a hundred overlapping requests of nghttpd come back, each with its own body`(isSecure: Bool, size: Int) async throws {
        let server = try await Nghttpd(isSecure: isSecure)
        let (url, configuration) = (server.url, server.configuration)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, configuration)
            let bodies = (0..<100).map { "request \($0) " + String(repeating: "\($0 % 10)", count: size) }
            let transfers = try session.begin(bodies, url)
            for (transfer, body) in zip(transfers, bodies) { #expect(await transfer.outcome() == .ok(body)) }
        }
        _ = server
    }

    @Test(arguments: [false, true])
    func `a server that allows three streams serves fifty callers`(isSecure: Bool) async throws {
        let server = try await Nghttpd(isSecure: isSecure, "-m3")
        let (url, configuration) = (server.url, server.configuration)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, configuration)
            let bodies = (0..<50).map { "request \($0)" }
            for (transfer, body) in zip(try session.begin(bodies, url), bodies) {
                #expect(await transfer.outcome() == .ok(body))
            }
        }
        _ = server
    }

    @Test(arguments: [false, true], [[], ["-b200"]] as [[String]])
    func `large answers are whole`(isSecure: Bool, options: [String]) async throws {
        let server = options.isEmpty ? try await Nghttpd(isSecure: isSecure) : try await Nghttpd(isSecure: isSecure, options[0])
        let (url, configuration) = (server.url, server.configuration)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, configuration)
            let transfers = try session.beginGets(20, url)
            for transfer in transfers { #expect(await transfer.outcome().body?.utf8.count == Nghttpd.largeBytes) }
        }
        _ = server
    }

    @Test(arguments: [SIGTERM, SIGQUIT, SIGKILL], [false, true])
    func `when nghttpd ends amid answers, none is whole that was not`(signal: Int32, isSecure: Bool) async throws {
        let server = try await Nghttpd(isSecure: isSecure)
        let (url, configuration) = (server.url, server.configuration)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, configuration)
            let transfers = try session.beginGets(20, url)
            for transfer in transfers { #expect(try await transfer.head()?.status == 200) }
            server.process.signal(signal)
            _ = try await server.process.exited()
            for transfer in transfers {
                do throws(HTTPError) {
                    #expect(try await transfer.rest().count == Nghttpd.largeBytes)
                } catch {
                    #expect(error == .cutOff(afterBytes: transfer.bytesReceived))
                }
            }
        }
    }

    /// nginx resets idle streams' connections gracefully after so many requests (GOAWAY), which callers do not notice.
    @Test func `nginx's GOAWAY after so many requests is nobody's concern`() async throws {
        let backend = try ScriptServer { peer in
            while let request = peer.request() {
                let body = request.split(separator: "\r\n\r\n").last ?? ""
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
        }
        let server = try await TLSServer(backend: backend.port, rules: "keepalive_requests 7;")
        let (url, file) = (server.url, server.certificateFile)
        try await LoopActor.run { worker in
            let session = Session(on: worker.loop, .trusting(file))
            for round in 0..<10 {
                let bodies = (0..<20).map { "request \(round) \($0)" }
                for (transfer, body) in zip(try session.begin(bodies, url, options: .standard), bodies) {
                    #expect(await transfer.outcome() == .ok(body))
                }
            }
        }
        _ = server
    }
}

extension Session {
    fileprivate func beginGets(_ count: Int, _ url: String) throws -> [Transfer] {
        var request = HTTPRequest.http2(url)
        request.method = .get
        return try (0..<count).map { _ in try start(request, waking: Wakeup(on: loop)) }
    }
}
