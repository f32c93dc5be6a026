// What probably is not wanted of the files that settings name, and of keys that are in them: warnings. No key is quoted.

import EventLoop
import Glibc

extension SettingsReader {
    /// Tells of a file that is not for everybody to read, and is.
    func warnOfReaders(of file: String, _ node: SettingsNode) {
        guard let mode = mode(of: file), mode & S_IFMT == S_IFREG, mode & S_IROTH != 0 else { return }
        warn(of: "names a file whose mode lets everybody read it: chmod o-r takes that away", node)
    }

    /// Tells of a file to be made in a folder that is missing.
    func warnOfFolder(of file: String, _ node: SettingsNode) {
        let folder = file[..<(file.lastIndex(of: "/") ?? file.startIndex)]
        guard let readFileMode = input.readFileMode, !folder.isEmpty else { return }
        do throws(SystemError) { _ = try readFileMode(String(folder)) } catch {
            // Whether one is there that this user cannot see nobody knows.
            guard error.code == ENOENT else { return }
            let name = SettingsPath.shown(file: String(folder))
            let doubt = "names a file in a folder that is missing, \(name): what clients have used is not kept until it is there"
            warn(of: doubt, node)
        }
    }

    /// Nil where nobody is to look, or can.
    private func mode(of file: String) -> UInt32? {
        do throws(SystemError) { return try input.readFileMode?(file) } catch { return nil }
    }

    /// Whether a key stands in quotes, as shells and files of the environment have them.
    static func isQuoted(_ key: String) -> Bool {
        let bytes = key.utf8
        return bytes.count > 1 && bytes.first == bytes.last && [UInt8(ascii: "\""), UInt8(ascii: "'")].contains(bytes.first)
    }

    /// What a key looks like that is the first line of a file; nil for nothing else than a key.
    static func doubt(ofKeyFile key: String) -> String? {
        let name = key.prefix { $0 != "=" }
        // A key in base64 may end with them.
        let hasValue = key.dropFirst(name.count).contains { $0 != "=" }
        guard hasValue, isVariableName(name), name == name.uppercased() else { return nil }
        return "names a file that begins like one of the environment, NAME=value: all of the line goes out as the key"
    }
}
