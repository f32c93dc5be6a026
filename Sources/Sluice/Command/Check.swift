// `sluice check`: the settings alone.

import ArgumentParser
import Settings

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Test the settings: tell all that is wrong with them, or that they are good.",
        discussion: """
            Takes the same options as serve, opens no socket and calls no upstream. Wrong settings end it with status 78, a file \
            that cannot be read with 66, a wrong option with 64. What may not work, but is served by, is a warning. \
            Credentials of a service of systemd are left out where this process does not have them.
            """)

    @OptionGroup var arguments: SettingsArguments

    @Flag(help: "Print the settings in force, defaults included, as a settings file. Secrets are masked.")
    var show = false

    /// For whoever checks a service's settings outside of it, as a package does.
    @Flag(help: .hidden) var assumeVariables = false

    func run() throws {
        let loaded = try arguments.load(
            assumesCredentials: true, assumesVariables: assumeVariables, readFileMode: readFileMode)
        for warning in loaded.warnings { writeError("sluice: warning: \(warning)") }
        if loaded.isDemoForWant {
            writeError("sluice: warning: no upstream is named, so that the demo answers: callers get jokes")
        }
        let (settings, file, included) = (loaded.settings, loaded.file, loaded.included)
        let verdict =
            "sluice: \(Self.sources(file, included.count)) is good\(Self.exception(loaded))"
        // A file's name may have anything in it.
        guard show else { return printText("\(verdict.visible)\n") }
        let files = included.map { "# included: \($0.debugDescription)\n" }.joined()
        printText("# \(verdict.visible); secrets are masked\n\(files)\n\(settings.text)")
    }

    private static func exception(_ loaded: LoadedSettings) -> String {
        let counts = [
            (loaded.assumedCredentialsCount, "a credential", "credentials"),
            (loaded.assumedValuesCount, "a value with a variable", "values with variables"),
        ]
        let left = counts.filter { $0.0 > 0 }.map { $0.0 == 1 ? $0.1 : "\($0.0) \($0.2)" }
        return left.isEmpty ? "" : ", but for \(left.joined(separator: " and ")), which the service alone can look at"
    }

    private static func sources(_ file: String?, _ includedCount: Int) -> String {
        guard let file else { return "the environment, without a settings file," }
        switch includedCount {
        case 0: return file
        case 1: return "\(file), with 1 included file,"
        default: return "\(file), with \(includedCount) included files,"
        }
    }
}
