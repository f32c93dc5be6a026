// How the files of the settings are read: really, or from a record.

import Clock
import EventLoop
import Glibc
import Settings

/// How the files of the settings are read.
struct FileAccess {
    let read: FileReader
    let list: FileLister
    /// Why a file beside the program is not to be read; nil when it may be, and for one that was read before.
    var distrust: (_ path: String) -> String? = { _ in nil }

    /// The files that there are.
    static var real: FileAccess {
        FileAccess(
            read: { path throws(SystemError) in try readFile(path) },
            list: { pattern throws(SystemError) in try listFiles(pattern) }, distrust: ProgramFile.distrust)
    }

    /// How long a reload reads files, all of them together: well below what a master waits for.
    static let reloadTime = Duration.seconds(5)

    /// Loads settings from the files that there are, however many and however slow they are. One that the kernel has begun to read is
    /// waited for.
    ///
    /// - Parameter limit: for all of them together; what has not been read by then is an error of its own.
    /// - Throws: as `load`.
    static func load(
        within limit: Duration = reloadTime, _ load: (FileAccess) throws(SettingsError) -> LoadedSettings
    ) throws(SettingsError) -> LoadedSettings {
        let deadline = Instant.current + limit
        do throws(SettingsError) { return try load(real(until: deadline)) } catch {
            guard .current >= deadline else { throw error }
            throw SettingsError(
                problems: ["reading the settings takes longer than \(limit.setting): " + (error.problems.first ?? "")]
                    + error.problems.dropFirst(), moreCount: error.moreCount, place: error.place)
        }
    }

    private static func real(until deadline: Instant) -> FileAccess {
        FileAccess(
            read: { path throws(SystemError) in try readFile(path, within: deadline - .current) },
            list: { pattern throws(SystemError) in
                guard .current < deadline else { throw SystemError(pattern, code: ETIME) }
                return try listFiles(pattern)
            }, distrust: ProgramFile.distrust)
    }
}
