// Credentials of the service manager: `credential:NAME` in the place of a file's path (systemd.exec(5), LoadCredential=).

import EventLoop

extension SettingsReader {
    private static let credentialPrefix = "credential:"

    /// Whether what stands in the place of a file's path is a credential's name.
    static func isCredential(_ text: String) -> Bool { text.hasPrefix(credentialPrefix) }

    /// Whether such a name stands in the place of a file's path.
    static func namesCredential(_ node: SettingsNode) -> Bool {
        if case .string(let text) = node.value { isCredential(text) } else { false }
    }

    /// The path of a credential's file; the name as it stands where it is one of the service's, which cannot be looked at from here.
    func credential(_ text: String, of node: SettingsNode) throws(SettingsProblem) -> String {
        let name = text.dropFirst(Self.credentialPrefix.count)
        guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), name != ".", name != ".." else {
            throw SettingsProblem(node, #"must name a credential by its name alone, as "credential:key_openai""#)
        }
        let directory = input.environment("CREDENTIALS_DIRECTORY").flatMap { $0.isEmpty ? nil : $0 }
        if input.assumesCredentials, directory.map(isOutOfReach) ?? true { return text }
        guard let directory else {
            throw SettingsProblem(
                node,
                """
                names a credential, and there are none (CREDENTIALS_DIRECTORY is not set): a service of systemd gets them by \
                LoadCredential=, and elsewhere a path names the file
                """)
        }
        return "\(directory)/\(name)"
    }

    /// Whether this process is none of those that the credentials are for.
    private func isOutOfReach(_ directory: String) -> Bool {
        // In a pattern these mean other names than they are.
        let pattern = directory.unicodeScalars.map { "*?[]\\".unicodeScalars.contains($0) ? "\\\($0)" : "\($0)" }.joined()
        do throws(SystemError) { return try input.listFiles("\(pattern)/*").isEmpty } catch { return true }
    }
}

extension Settings {
    /// How many credentials have not been looked at, since they are another process's.
    var assumedCredentialsCount: Int {
        let files = upstreams.flatMap { [$0.certificate, $0.certificateKey] } + [authoritiesFile]
        let keys = upstreams.count { if case .credential = $0.key { true } else { false } }
        let password = if case .credential? = budgetStore?.password { 1 } else { 0 }
        return files.count { $0.map(SettingsReader.isCredential) ?? false } + keys + password
    }
}
