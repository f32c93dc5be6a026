// Whatever stands in the settings file and in those that it includes: it is read, or each thing wrong with it is told with its
// file and line, and what is shown of it can be read again.

import EventLoop
import Glibc
import HTTPClient

@testable import Settings
@testable import Sluice

private let environment = ["KEY": "sk-secret", "HOST": "h", "OPENAI_API_KEY": "sk-own"]

/// What stands behind a byte 0x1C, which no file has, is another file: one that a pattern matches.
func feedSettings(_ input: [UInt8]) {
    let documents = input.split(separator: 0x1C, omittingEmptySubsequences: false).map { [UInt8]($0) }
    do throws(SettingsError) {
        let shown = try load(documents).text
        do throws(SettingsError) {
            let again = try load([[UInt8](shown.utf8)]).text
            require(again == shown, "shown again otherwise:\n\(shown)\n\(again)")
        } catch {
            fatalError("what is shown cannot be read: \(error)\n\(shown)")
        }
    } catch {
        require(!error.problems.isEmpty, "wrong, and nothing is said")
        for problem in error.problems { require(hasPlace(problem), "no line: \(problem)") }
    }
}

/// The whole file has no line, and those of the environment are not in it. A warning beside mistakes is called one ahead of its
/// file.
private func hasPlace(_ problem: String) -> Bool {
    let problem = problem.hasPrefix("warning: ") ? problem.dropFirst("warning: ".count) : problem[...]
    guard problem.hasPrefix("dir/"), let end = problem.firstRange(of: ".toml:")?.upperBound else { return false }
    let rest = problem[end...]
    return rest.first?.isNumber == true || rest.hasPrefix(" the file is not UTF-8")
}

/// - Parameter documents: the main file, and those that each pattern matches.
private func load(_ documents: [[UInt8]]) throws(SettingsError) -> Settings {
    var files: [String: [UInt8]] = [:]
    for (index, document) in documents.dropFirst().enumerated() { files["dir/conf.d/\(index).toml"] = document }
    let sources = SettingsSources(
        options: SettingsOptions(config: "dir/sluice.toml"), environment: { environment[$0] },
        readFile: { path throws(SystemError) in
            switch path {
            case "dir/sluice.toml": return documents[0]
            case "dir/key", "dir/conf.d/key", "/key": return [UInt8]("sk-of-a-file\n".utf8)
            default:
                guard let document = files[path] else { throw SystemError(path, code: ENOENT) }
                return document
            }
        },
        listFiles: { _ in [String](files.keys) },
        readTLSFiles: { _, _ throws(HTTPError) in nil })
    return try sources.load().settings
}
