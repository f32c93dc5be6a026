// Whatever stands in the settings file: it is read, or each thing wrong with it is told with its line, and what is shown of it can be
// read again.

import EventLoop
import Glibc
import HTTPClient

@testable import Settings
@testable import Sluice

private let environment = ["KEY": "sk-secret", "HOST": "h", "OPENAI_API_KEY": "sk-own"]

func feedSettings(_ input: [UInt8]) {
    do throws(SettingsError) {
        let shown = try load(input).text
        do throws(SettingsError) {
            let again = try load([UInt8](shown.utf8)).text
            require(again == shown, "shown again otherwise:\n\(shown)\n\(again)")
        } catch {
            fatalError("what is shown cannot be read: \(error)\n\(shown)")
        }
    } catch {
        require(!error.problems.isEmpty, "wrong, and nothing is said")
        for problem in error.problems { require(hasPlace(problem), "no line: \(problem)") }
    }
}

/// The whole file has no line, and those of the environment are not in it.
private func hasPlace(_ problem: String) -> Bool {
    guard problem.hasPrefix("dir/sluice.toml:") else { return false }
    let rest = problem.dropFirst("dir/sluice.toml:".count)
    return rest.first?.isNumber == true || rest.hasPrefix(" the file is not UTF-8")
}

private func load(_ document: [UInt8]) throws(SettingsError) -> Settings {
    let sources = SettingsSources(
        options: SettingsOptions(config: "dir/sluice.toml"), environment: { environment[$0] },
        readFile: { path throws(SystemError) in
            switch path {
            case "dir/sluice.toml": return document
            case "dir/key", "/key": return [UInt8]("sk-of-a-file\n".utf8)
            default: throw SystemError(path, code: ENOENT)
            }
        },
        readTLSFiles: { _, _ throws(HTTPError) in })
    return try sources.load().settings
}
