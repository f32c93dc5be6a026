// The program's own file, and what stands beside it.

import EventLoop
import Glibc
import Settings

/// The file that this process runs.
enum ProgramFile {
    private static let link = "/proc/self/exe"

    /// The path of the settings file beside it, whether that is there or not; nil when the kernel does not tell.
    static var settingsFile: String? {
        var characters = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink(link, &characters, characters.count)
        // Of a file that has another one in its place by now, the kernel says so behind its name: its folder is the same.
        let bytes = characters.prefix(max(0, count)).map { UInt8(bitPattern: $0) }
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return nil }
        return String(decoding: bytes[...slash], as: UTF8.self) + SettingsSources.ownFileName
    }

    /// Why that file is not to be read, to stand behind its path: nobody has named it, and whoever can write it could have keys and prompts
    /// go anywhere. Nil when it may be read.
    static func distrust(_ path: String) -> String? {
        guard let file = FileStatus(path) else { return nil }
        // Whoever owns the program could as well put another one in its place.
        let owners = [0, geteuid()] + (FileStatus(link).map { [$0.owner] } ?? [])
        guard owners.contains(file.owner) else {
            return "belongs to user \(file.owner), neither to yours nor to root; name it with --config if that is meant"
        }
        guard file.mode & 0o022 == 0 else {
            return "may be written by others (chmod go-w \(path)); name it with --config if that is meant"
        }
        return nil
    }
}
