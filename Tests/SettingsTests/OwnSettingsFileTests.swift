import EventLoop
import Glibc
import Testing

@testable import Settings

/// The settings file beside the program, for those who have no /etc of their own.
@Suite struct `The settings file beside the program` {
    private static let own = "/home/me/sluice/sluice.toml"
    private static let system = "/etc/sluice/sluice.toml"

    private func sources(
        _ files: [String: String], config: String? = nil, inForce: String? = nil, distrust: String? = nil
    ) -> SettingsSources {
        var sources = SettingsSources(
            options: SettingsOptions(config: config), environment: { _ in nil }, ownFile: Self.own, distrust: { _ in distrust },
            readFile: { path throws(SystemError) in
                guard let text = files[path] else { throw absent(path) }
                return Array(text.utf8)
            }, listFiles: noFiles, readTLSFiles: { _, _ in nil })
        sources.fileInForce = inForce
        return sources
    }

    struct Choice: Sendable, CustomTestStringConvertible {
        /// Each says its own number of workers.
        let files: [String: String]
        var config: String?
        var inForce: String?
        let read: String?
        static let all = [
            Choice(files: [:], read: nil), Choice(files: [own: ""], read: own), Choice(files: [system: ""], read: system),
            Choice(files: [own: "", system: ""], read: system),
            Choice(files: [own: "", system: "", "a.toml": ""], config: "a.toml", read: "a.toml"),
            // One that another has been put beside by now.
            Choice(files: [own: "", system: ""], inForce: own, read: own), Choice(files: [own: ""], inForce: system, read: nil),
            Choice(files: [own: "", "a.toml": ""], config: "a.toml", inForce: "a.toml", read: "a.toml"),
        ]
        var testDescription: String {
            "\(files.keys.sorted()), --config \(config ?? "none"), at a reload of \(inForce ?? "none")"
        }
    }

    @Test(arguments: Choice.all)
    func `is read where none is named and none is in etc`(choice: Choice) throws {
        let loaded = try sources(choice.files, config: choice.config, inForce: choice.inForce).load()
        #expect(loaded.file == choice.read)
        #expect(loaded.settings.upstreamsFile == choice.read)
    }

    @Test func `is the one that commands find the control socket by`() throws {
        #expect(try sources([Self.own: "control = \"unix:/c.sock\""]).controlPath() == "/c.sock")
        let error = #expect(throws: SettingsError.self) { try sources([:]).controlPath() }
        #expect(
            error?.problems == [
                "there is no \(Self.system) and no \(Self.own): name the settings file with --config, or the control socket with "
                    + "--control unix:PATH"
            ])
    }

    @Test func `is refused when somebody else may have written it, and nothing else is read in its place`() throws {
        let error = #expect(throws: SettingsError.self) {
            try sources([Self.own: ""], distrust: "belongs to user 7").load()
        }
        #expect(error?.problems == ["the settings file beside the program is not read: \(Self.own) belongs to user 7"])
        #expect(error?.place == .unreadableFile)
        // Where it is named, or not needed, nobody asks.
        #expect(try sources([Self.own: ""], config: Self.own, distrust: "belongs to user 7").load().file == Self.own)
        #expect(try sources([Self.own: "", Self.system: ""], distrust: "belongs to user 7").load().file == Self.system)
        #expect(try sources([:], distrust: "belongs to user 7").load().file == nil)
    }

    @Test func `that cannot be read is told as any other`() throws {
        let sources = SettingsSources(
            environment: { _ in nil }, ownFile: Self.own,
            readFile: { path throws(SystemError) in throw SystemError(path, code: path == Self.own ? EACCES : ENOENT) },
            listFiles: noFiles, readTLSFiles: { _, _ in nil })
        let error = #expect(throws: SettingsError.self) { try sources.load() }
        #expect(error?.problems == ["the settings file cannot be read: \(Self.own): Permission denied"])
    }
}
