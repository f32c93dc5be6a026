// `sluice check`: the settings alone.

import ArgumentParser
import Settings

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Test the settings: tell all that is wrong with them, or that they are good.",
        discussion: """
            Takes the same options as serve, opens no socket and calls no upstream. Wrong settings end it with status 78.
            """)

    @OptionGroup var arguments: SettingsArguments

    @Flag(help: "Print the settings in force, defaults included, as a settings file. Secrets are masked.")
    var show = false

    func run() throws {
        let (settings, file) = try arguments.load()
        let verdict = "sluice: \(file ?? "the environment, without a settings file,") is good"
        print(show ? "# \(verdict); secrets are masked\n\n\(settings.text)" : verdict, terminator: show ? "" : "\n")
    }
}
