// How the files of the settings are read: really, or from a record, and by whom a record is made.

import EventLoop
import Settings

/// How the files of the settings are read.
struct FileAccess {
    let readFile: FileReader
    let listFiles: FileLister
}

/// The files that there are.
func realFiles() -> FileAccess {
    FileAccess(
        readFile: { path throws(SystemError) in try readFile(path) },
        listFiles: { pattern throws(SystemError) in try listFiles(pattern) })
}

/// Reads files, each once, lists paths, and keeps what it has found.
final class FileRecorder {
    private var files: SettingsRecord.Contents = []
    private var lists: SettingsRecord.Lists = []
    private let real: FileAccess

    /// - Parameter real: how files are read.
    init(_ real: FileAccess = realFiles()) { self.real = real }

    /// How settings are read, for this to know of.
    var access: FileAccess {
        FileAccess(
            readFile: { [self] path throws(SystemError) in
                if let known = files.first(where: { $0.path.utf8.elementsEqual(path.utf8) }) { return try known.content.get() }
                let content: Result<[UInt8], SystemError>
                do throws(SystemError) { content = .success(try real.readFile(path)) } catch { content = .failure(error) }
                files.append((path, content))
                return try content.get()
            },
            listFiles: { [self] pattern throws(SystemError) in
                let paths: Result<[String], SystemError>
                do throws(SystemError) { paths = .success(try real.listFiles(pattern)) } catch { paths = .failure(error) }
                lists.append((pattern, paths))
                return try paths.get()
            })
    }

    /// All that was read for these settings.
    ///
    /// - Parameter start: what was in force at the start.
    func record(of settings: Settings, _ start: StartSettings) -> SettingsRecord {
        SettingsRecord(
            head: SettingsRecord.Head(log: settings.log, drain: settings.timeouts.drain, start: start), files: files, lists: lists
        )
    }
}

/// Reads the files really, and leaves a record of them.
func recorded(
    by load: SettingsLoading, in file: MemoryFile, _ start: StartSettings
) throws(SettingsError) -> LoadedSettings {
    let recorder = FileRecorder()
    let loaded = try load(recorder.access)
    do throws(SystemError) { try file.write(recorder.record(of: loaded.settings, start).bytes) } catch {
        throw SettingsError(problems: ["the record of the settings cannot be written: \(error)"])
    }
    return loaded
}
