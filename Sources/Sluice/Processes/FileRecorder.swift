// How a record of the settings comes to be.

import EventLoop
import Settings

/// Reads files, each once, lists paths, and keeps what it has found.
final class FileRecorder {
    private var files: SettingsRecord.Contents = []
    private var lists: SettingsRecord.Lists = []
    private let real: FileAccess

    /// - Parameter real: how files are read.
    init(_ real: FileAccess = .real) { self.real = real }

    /// How settings are read, for this to know of.
    var access: FileAccess {
        FileAccess(
            read: { [self] path throws(SystemError) in
                if let known = files.first(where: { $0.path.utf8.elementsEqual(path.utf8) }) { return try known.content.get() }
                let content: Result<[UInt8], SystemError>
                do throws(SystemError) { content = .success(try real.read(path)) } catch { content = .failure(error) }
                files.append((path, content))
                return try content.get()
            },
            list: { [self] pattern throws(SystemError) in
                let paths: Result<[String], SystemError>
                do throws(SystemError) { paths = .success(try real.list(pattern)) } catch { paths = .failure(error) }
                lists.append((pattern, paths))
                return try paths.get()
            }, distrust: real.distrust)
    }

    /// Gives away all that was read for these settings.
    ///
    /// - Parameter startOnly: what was in force at the start.
    func takeRecord(of settings: Settings, startOnly: StartOnlySettings) -> SettingsRecord {
        defer { (files, lists) = ([], []) }
        let head = SettingsRecord.Head(log: settings.log, drain: settings.timeouts.drain)
        return SettingsRecord(head: head, startOnly: startOnly, files: files, lists: lists)
    }
}

/// Reads settings from the files that there are, and writes a record of them.
///
/// - Throws: as `load`, and when the record cannot be written.
func loadRecorded(
    by load: SettingsLoading, to file: MemoryFile, startOnly: StartOnlySettings
) throws(SettingsError) -> LoadedSettings {
    var recorder = FileRecorder()
    let loaded = try FileAccess.load { files throws(SettingsError) in
        recorder = FileRecorder(files)
        return try load(recorder.access)
    }
    do throws(SystemError) { try file.write(recorder.takeRecord(of: loaded.settings, startOnly: startOnly).bytes) } catch {
        throw SettingsError(problems: ["the record of the settings cannot be written: \(error)"])
    }
    return loaded
}
