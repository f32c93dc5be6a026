// A Sluice of several processes, and an upstream.

import Foundation
import Glibc
import TestSupport
import Testing

/// Sluice with a control socket, without a web server.
struct ProcessSite: Sendable {
    let directory: TemporaryDirectory
    let upstream: StubUpstream
    let sluice: SluiceProcess

    /// Starts everything, runs a test, and ends everything. There is no `[upstreams]` of the settings but the stub's.
    ///
    /// - Parameters:
    ///   - settings: lines of the settings file ahead of the upstream's table.
    ///   - upstreamLines: more of the upstream's table.
    static func with(
        _ settings: String = "", upstream: StubUpstream, upstreamLines: String = "", options: [String] = ["--processes", "4"],
        environment: [String: String] = [:], launcher: [String] = [], descriptors: Int? = nil,
        in directory: TemporaryDirectory? = nil, _ test: (ProcessSite) async throws -> Void
    ) async throws {
        let directory = try directory ?? TemporaryDirectory()
        // A debug build would write pages about each crash.
        let environment = ["SWIFT_BACKTRACE": "enable=no"].merging(environment) { $1 }
        let sluice = try await SluiceProcess(
            .settings(Self.text(settings, upstream, upstreamLines)), options: options, environment: environment,
            launcher: launcher, descriptors: descriptors, in: directory)
        // Whoever listens is not yet to be asked.
        try await sluice.process.accepts { try Socket.connected(path: directory.path("control.sock")) }
        let site = ProcessSite(directory: directory, upstream: upstream, sluice: sluice)
        do { try await test(site) } catch {
            print("\(error)\nsluice said: \(sluice.process.errors.value.text.suffix(8_000))")
            throw error
        }
        if sluice.process.exit.value == nil {
            sluice.process.signal(SIGTERM)
            _ = try? await sluice.process.exited(within: .seconds(5))
            sluice.process.signal(SIGTERM)
            _ = try await sluice.process.exited()
        }
        try await upstream.stop()
    }

    /// Streams wait for as long as a test takes.
    private static let patience = #"timeouts = {first_token = "10m", idle = "10m", total = "20m"}"#

    static func text(_ settings: String, _ upstream: StubUpstream, _ lines: String = "") -> String {
        """
        control = "unix:control.sock"
        retries = 0
        \(settings)
        \(settings.contains("timeouts") ? "" : patience)
        [upstreams.stub]
        url = "\(upstream.url)"
        key = "sk-stub"
        \(lines)
        """
    }

    /// Asks the control socket.
    func ask(_ arguments: String...) async throws -> SluiceRun {
        try await SluiceRun(arguments + ["--control", "unix:control.sock"], in: directory)
    }

    /// What all processes say of themselves. One that says nothing is asked again: the machine may have kept it from answering in time.
    ///
    /// - Parameter stopped: one that cannot answer.
    func status(stopped: pid_t? = nil) async throws -> ToldMasterStatus {
        var status: ToldMasterStatus
        var count = 0
        repeat {
            let run = try await ask("status", "--json")
            #expect(run.exit == .code(0), "\(run.errors)")
            status = try ToldMasterStatus(json: run.output)
            count += 1
        } while count < 5 && status.processes.contains { $0.state == "silent" && $0.process != stopped }
        return status
    }

    /// Replaces the settings file.
    func write(_ settings: String, _ lines: String = "") throws {
        try directory.write(Self.text(settings, upstream, lines), to: "sluice.toml")
    }

    func call(_ text: String = "Hello") throws -> FastCGICaller { try FastCGICaller(path: sluice.socket, chat(text)) }

    /// Waits until so many processes have begun to serve, since the start.
    func served(_ count: Int) async throws { try await logs(count, "a process serves") }

    /// Waits until the log has so many lines with a text.
    @discardableResult func logs(_ count: Int, _ text: String) async throws -> [String] {
        try await sluice.process.errors.wait(for: "\(count) times: \(text)") { output in
            let lines = output.lines.filter { $0.contains(text) }
            return lines.count >= count ? lines : nil
        }
    }
}

/// Settings by which requests go out for a model.
func settingsLine(model name: String) -> String {
    "models = [{match = \"*\", targets = [{upstream = \"stub\", model = \"\(name)\"}]}]"
}

/// Whether there is such a process, and any of its threads runs. Its parent can hear of its end only when all of them have ended: the
/// first one may be a zombie before.
func lives(_ process: pid_t) -> Bool {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
    if text.split(separator: ")").last?.split(separator: " ").first != "Z" { return true }
    return (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task").count) ?? 0 > 1
}

/// Whether all threads of a process stand still.
func isStopped(_ process: pid_t) -> Bool {
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
    return threads.allSatisfy { thread in
        let text = (try? String(contentsOfFile: "/proc/\(process)/task/\(thread)/stat", encoding: .utf8)) ?? ") T"
        return text.split(separator: ")").last?.split(separator: " ").first == "T"
    }
}
