// A mistake in a settings file, and what is told of it.

import Testing

@testable import Settings

/// Settings with something wrong in them, and what the operator reads. The file is always `dir/sluice.toml`.
struct Mistake: Sendable, CustomTestStringConvertible {
    let text: String
    /// Without the file's name.
    let problems: [String]
    var testDescription: String { text.split(separator: "\n").joined(separator: " | ") }

    init(_ text: String, _ problems: String...) { self.init(text, problems) }

    init(_ text: String, _ problems: [String]) { (self.text, self.problems) = (text, problems) }

    /// The same, with lines ahead of it.
    init(of mistake: Mistake, behind text: String) { (self.text, problems) = (text + mistake.text, mistake.problems) }

    /// Expects that it is told with its line and its key, and without its value.
    func check() {
        let settings = SettingsCase(
            text: text, environment: ["EMPTY": ""], files: ["dir/good": "secret", "dir/empty": "\nsecret"])
        #expect(settings.problems == problems.map { "dir/sluice.toml:\($0)" })
        #expect(!settings.problems.joined().contains("secret"))
    }
}

extension Mistake {
    static let duration = #"as in "800ms", "5s", "10m" or "1h""#
    static let share = #"as in "20%""#
    static let size = #"as in "512B", "64KiB", "8MiB" or "1GiB""#
}

/// What is told behind a variable that is not set.
let serviceHint = "; a service gets it by EnvironmentFile= or Environment= of its unit"
