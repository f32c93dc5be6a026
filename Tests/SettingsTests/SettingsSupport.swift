// Settings of a text, with files and an environment of the test's own.

import EventLoop
import Glibc
import HTTPClient
import Testing

@testable import Settings

/// What a settings file means, and what else there is besides it.
struct SettingsCase {
    var text: String
    var environment: [String: String] = [:]
    /// Files that settings may name or include, by their paths.
    var files: [String: String] = [:]
    var options = SettingsOptions()
    /// Of files and folders, by their paths; nil where nobody is to look.
    var modes: [String: UInt32]?
    /// Files that are there, and nobody may read.
    var forbidden: Set<String> = []
    /// Why TLS cannot use files, by their paths.
    var tlsProblems: [String: String] = [:]
    /// When certificates are valid, by their paths.
    var validities: [String: CertificateValidity] = [:]
    /// Whether credentials that are another process's are taken to be there.
    var assumesCredentials = false
    /// Whether values with variables that are not set are taken to be right.
    var assumesVariables = false

    /// - Throws: `SettingsError`.
    func load() throws -> Settings { try loaded().settings }

    /// The same, with where it comes from.
    func loaded() throws -> LoadedSettings {
        var options = options
        options.config = "dir/sluice.toml"
        var files = files
        files["dir/sluice.toml"] = text
        var sources = SettingsSources(
            options: options, environment: { environment[$0] },
            readFile: { path throws(SystemError) in
                guard let text = files[path] else { throw SystemError(path, code: forbidden.contains(path) ? EACCES : ENOENT) }
                return [UInt8](text.utf8)
            },
            listFiles: { pattern in
                files.keys.filter { unsafe fnmatch(pattern, $0, FNM_PATHNAME | FNM_PERIOD) == 0 }
            },
            readTLSFiles: { options, authoritiesFile throws(HTTPError) in
                let used = [authoritiesFile, options.certificate, options.certificateKey].compactMap(\.self)
                if let reason = used.compactMap({ tlsProblems[$0] }).first { throw .tls(reason: reason) }
                return options.certificate.flatMap { validities[$0] }
            }
        )
        (sources.assumesCredentials, sources.assumesVariables) = (assumesCredentials, assumesVariables)
        if let modes {
            sources.readFileMode = { path throws(SystemError) in
                guard let mode = modes[path] else { throw SystemError(path, code: forbidden.contains(path) ? EACCES : ENOENT) }
                return mode
            }
        }
        return try sources.load()
    }

    /// All that is wrong with it.
    var problems: [String] {
        do { _ = try load() } catch let error as SettingsError { return error.problems } catch { return ["\(error)"] }
        return []
    }

    /// What is told of it.
    var lines: [String] {
        do { _ = try load() } catch let error as SettingsError { return error.lines } catch { return ["\(error)"] }
        return []
    }
}

/// What a file with this text means.
func settings(
    _ text: String, environment: [String: String] = [:], files: [String: String] = [:], upstream: String? = nil
) throws -> Settings {
    try SettingsCase(
        text: text, environment: environment, files: files, options: SettingsOptions(upstream: upstream)
    ).load()
}

func absent(_ path: String) -> SystemError { SystemError(path, code: ENOENT) }

/// Where no pattern matches anything.
func noFiles(_ pattern: String) -> [String] { [] }

extension SettingsNode {
    init(document: [UInt8]) throws(SettingsProblem) {
        try self.init(document: document, file: SettingsFile(path: "sluice.toml"))
    }
}
