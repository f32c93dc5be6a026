import Foundation
import Glibc
import TestSupport
import Testing

@Suite struct `Several addresses` {
    /// IPv6's among them where this machine has it.
    private func addresses(_ port: UInt16) -> [String] {
        let six = (try? String(contentsOfFile: "/proc/net/if_inet6", encoding: .utf8)) ?? ""
        let loopback = String(repeating: "0", count: 31) + "1 "
        return ["unix:a.sock", "tcp:127.0.0.1:\(port)", "unix:b.sock"] + (six.contains(loopback) ? ["tcp:[::1]:\(port)"] : [])
    }

    @Test(arguments: ["the command line", "the settings file", "the environment"])
    func `are served at once, wherever they are named`(place: String) async throws {
        let directory = try TemporaryDirectory()
        let port = try freePort()
        let addresses = addresses(port)
        let list = addresses.map { "\"\($0)\"" }.joined(separator: ", ")
        var (options, environment): ([String], [String: String]) = ([], [:])
        switch place {
        case "the command line": options = addresses.flatMap { ["--listen", $0] }
        case "the settings file": options = ["--config", try directory.write("listen = [\(list)]\n", to: "sluice.toml")]
        default: environment = ["SLUICE_LISTEN": addresses.joined(separator: ",")]
        }
        let sluice = try ChildProcess(
            SluiceProcess.binary, ["serve", "--upstream", "demo", "--workers", "2"] + options, environment: environment,
            in: directory)
        let line = try await ChildProcess.line(containing: "\"serving\"", in: sluice.errors)
        #expect(line.contains("\"listen\":\"\(addresses.joined(separator: ", "))\""))
        for _ in 0..<8 {
            for path in ["a.sock", "b.sock"] { try Socket.connected(path: directory.path(path)).answersAsFastCGI() }
            try Socket.connected(port: port).answersAsFastCGI()
            if addresses.count > 3 { try Socket.connected(portOverIPv6: port).answersAsFastCGI() }
        }
        sluice.signal(SIGTERM)
        #expect(try await sluice.exited() == .code(0))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path("")).allSatisfy { !$0.hasSuffix(".sock") })
    }

    @Test func `of which TCP's tell no user are named in the log when only some users may connect`() async throws {
        let directory = try TemporaryDirectory()
        let port = try freePort()
        let settings = "listen = [\"unix:a.sock\", \"tcp:127.0.0.1:\(port)\"]\nsocket.allowed_users = [\"\(geteuid())\"]\n"
        let sluice = try ChildProcess(
            SluiceProcess.binary, ["serve", "--upstream", "demo", "--config", try directory.write(settings, to: "sluice.toml")],
            in: directory)
        let line = try await ChildProcess.line(containing: "socket.allowed_users", in: sluice.errors)
        #expect(line.contains("\"level\":\"warning\"") && line.contains("\"listen\":\"tcp:127.0.0.1:\(port)\""), "\(line)")
        try await sluice.end()
    }
}

@Suite struct `An address that cannot be had` {
    struct Case: Sendable, CustomTestStringConvertible {
        let address: String
        var settings = ""
        let status: Int32
        let sentence: String
        var testDescription: String { "\(address) \(settings)" }
    }

    private static let cases = [
        Case(
            address: "unix:no/such/s", status: EX_CANTCREAT,
            sentence:
                "the folder no/such is missing: make it for Sluice's user (install -d -o \(geteuid()) no/such), or let the service have RuntimeDirectory="
        ),
        Case(
            address: "unix:sluice.toml", status: EX_CANTCREAT,
            sentence: "sluice.toml is there and is not a socket: remove it, or name another path"),
        Case(
            address: "tcp:192.0.2.1:9", status: EX_CANTCREAT,
            sentence: "tcp:192.0.2.1:9 is not an address of this machine: name one that it has"),
        Case(
            address: "systemd", status: EX_CONFIG,
            sentence: "systemd passed no socket on: start Sluice through a systemd socket unit"),
        Case(
            address: "fd:99", status: EX_CONFIG,
            sentence:
                "descriptor 99 is not a listening socket: have it listen for streams before Sluice is started (a socket unit: ListenStream= alone, and no Accept=yes)"
        ),
        Case(
            address: "unix:s", settings: "socket.group = \"no-such\"", status: EX_CONFIG,
            sentence: "socket.group is 'no-such', and there is no such group: make it, or name another"),
        Case(
            address: "tcp:127.0.0.1:0", settings: "socket.allowed_users = [\"\(geteuid())\"]", status: EX_CONFIG,
            sentence: "socket.allowed_users needs a unix socket, and listen has none: add one, or leave socket.allowed_users out"),
    ]

    @Test(arguments: cases)
    func `ends the start with one sentence and a status that says whose turn it is`(mistake: Case) async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write(mistake.settings, to: "sluice.toml")
        let run = try await SluiceRun(
            ["serve", "--config", file, "--listen", mistake.address, "--upstream", "demo"], in: directory)
        #expect(run.exit == .code(mistake.status))
        #expect(run.errors.split(separator: "\n").last == "sluice: \(mistake.sentence)")
        #expect(run.errors.split(separator: "\n").allSatisfy { $0.hasPrefix("{") || $0.hasPrefix("sluice: ") }, "\(run.errors)")
    }

    @Test func `because another listens there says who that is`() async throws {
        let directory = try TemporaryDirectory()
        let first = try await SluiceProcess(upstream: "demo", in: directory)
        let run = try await SluiceRun(
            ["serve", "--listen", "unix:\(first.socket)", "--upstream", "demo"], in: directory)
        #expect(run.exit == .code(EX_CANTCREAT))
        let owner = "sluice (process \(first.process.identifier))"
        #expect(
            run.errors == "sluice: \(owner) listens on unix:\(first.socket) already: stop it, or name another path\n")
        // The first goes on.
        try Socket.connected(path: first.socket).answersAsFastCGI()
        try await first.process.end()
    }

    @Test func `for want of rights is one that only another user can mend`() async throws {
        guard geteuid() == 0 else { return }
        let directory = try TemporaryDirectory()
        let command = ["--reuid", "65534", "--clear-groups", SluiceProcess.binary, "serve", "--upstream", "demo"]
        let child = try ChildProcess("setpriv", command + ["--listen", "unix:\(directory.path("s"))"], in: directory)
        #expect(try await child.exited() == .code(EX_NOPERM))
        try await child.errors.wait(for: "the end of its errors") { $0.ended }
        #expect(child.errors.value.text.hasPrefix("sluice: Sluice's user, 65534, may not make a socket in the folder /"))
    }
}

extension Socket {
    /// Asks what a FastCGI responder can do (FastCGI 1.0 §4.1), and has an answer.
    func answersAsFastCGI() throws {
        try write([1, 9, 0, 0, 0, 0, 0, 0])
        #expect(try read().prefix(2) == [1, 10])
    }
}
