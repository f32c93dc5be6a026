// What settings were read from, so that every process has the same, whatever the files say by then.

import Clock
import EventLoop
import Glibc
import Logging
import Settings

/// The files that were read to make settings of, as they were, and the few settings that the master goes by.
///
/// Whoever reads the files does it through a `FileRecorder`. The others make the settings of the record instead, by the same way: their
/// reader finds in it what there was to find. Files that TLS needs are in it too as far as settings check them, but OpenSSL reads them by
/// their paths.
struct SettingsRecord: Sendable {
    typealias Contents = [(path: String, content: Result<[UInt8], SystemError>)]
    typealias Lists = [(pattern: String, paths: Result<[String], SystemError>)]

    /// Of the log: all but what only requests need.
    let log: Settings.Log
    /// How long requests may take to end when Sluice ends.
    let drain: Duration
    let files: Contents
    let lists: Lists

    /// How settings are read from it.
    var access: FileAccess {
        let (files, lists) = (files, lists)
        return FileAccess(
            readFile: { path throws(SystemError) in
                guard let file = files.first(where: { $0.path.utf8.elementsEqual(path.utf8) }) else {
                    throw SystemError(path, code: ENOENT)
                }
                return try file.content.get()
            },
            listFiles: { pattern throws(SystemError) in
                guard let list = lists.first(where: { $0.pattern.utf8.elementsEqual(pattern.utf8) }) else { return [] }
                return try list.paths.get()
            })
    }
}

/// How the files of the settings are read: really, or from a record.
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

/// Reads files, each once, and keeps what it has found.
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
    func record(of settings: Settings) -> SettingsRecord {
        SettingsRecord(log: settings.log, drain: settings.timeouts.drain, files: files, lists: lists)
    }
}

// MARK: As bytes

extension SettingsRecord {
    /// Each entry is a line with a word and two lengths, and behind it a name and a content of these lengths.
    private enum Word: String {
        case level, format, to, drain
        /// Of a path the bytes, or the number of the error.
        case file, unread
        /// Of a pattern the paths, with a NUL behind each, or the number of the error.
        case list, unlisted
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        func append(_ word: Word, _ name: String, _ content: [UInt8] = []) {
            bytes += Array("\(word.rawValue) \(name.utf8.count) \(content.count)\n".utf8)
            bytes += Array(name.utf8)
            bytes += content
        }
        append(.level, log.level.rawValue)
        if let format = log.format { append(.format, format.rawValue) }
        append(.to, log.destination.text)
        append(.drain, "\(drain.nanoseconds)")
        for (path, content) in files {
            switch content {
            case .success(let content): append(.file, path, content)
            case .failure(let error): append(.unread, path, Array("\(error.code)".utf8))
            }
        }
        for (pattern, paths) in lists {
            switch paths {
            case .success(let paths): append(.list, pattern, paths.flatMap { Array($0.utf8) + [0] })
            case .failure(let error): append(.unlisted, pattern, Array("\(error.code)".utf8))
            }
        }
        return bytes
    }

    /// - Returns: nil for what is no record.
    init?(bytes: [UInt8]) {
        var log = Settings.Log()
        var drain: Duration?
        var (files, lists): (Contents, Lists) = ([], [])
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let (word, name, content) = Self.entry(&rest) else { return nil }
            let code = Int32(String(decoding: content, as: UTF8.self)) ?? 0
            switch word {
            case .level:
                guard let level = Logger.Level(rawValue: name) else { return nil }
                log.level = level
            case .format: log.format = Settings.Log.Format(rawValue: name)
            case .to:
                guard let destination = Settings.Log.Destination(text: name) else { return nil }
                log.destination = destination
            case .drain: drain = Int64(name).map(Duration.nanoseconds)
            case .file: files.append((name, .success(Array(content))))
            case .unread: files.append((name, .failure(SystemError(name, code: code))))
            case .list:
                let paths = content.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
                lists.append((name, .success(paths)))
            case .unlisted: lists.append((name, .failure(SystemError(name, code: code))))
            }
        }
        guard let drain else { return nil }
        (self.log, self.drain, self.files, self.lists) = (log, drain, files, lists)
    }

    private static func entry(_ rest: inout ArraySlice<UInt8>) -> (Word, name: String, content: ArraySlice<UInt8>)? {
        guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = String(decoding: rest[..<end], as: UTF8.self).split(separator: " ")
        guard line.count == 3, let word = Word(rawValue: String(line[0])), let nameCount = Int(line[1]),
            let contentCount = Int(line[2]), nameCount >= 0, contentCount >= 0
        else { return nil }
        rest = rest[(end + 1)...]
        guard nameCount <= rest.count, contentCount <= rest.count - nameCount else { return nil }
        let name = String(decoding: rest.prefix(nameCount), as: UTF8.self)
        let content = rest.dropFirst(nameCount).prefix(contentCount)
        rest = rest.dropFirst(nameCount + contentCount)
        return (word, name, content)
    }
}

// MARK: Reading by it

/// Reads the files really, and leaves a record of them.
func recorded(by load: SettingsLoading, in file: MemoryFile) throws(SettingsError) -> LoadedSettings {
    let recorder = FileRecorder()
    let loaded = try load(recorder.access)
    do throws(SystemError) { try file.write(recorder.record(of: loaded.settings).bytes) } catch {
        throw SettingsError(problems: ["the record of the settings cannot be written: \(error)"])
    }
    return loaded
}

/// Makes the settings of a record.
func settings(of file: MemoryFile, by load: SettingsLoading) throws(SettingsError) -> LoadedSettings {
    let bytes: [UInt8]
    do throws(SystemError) { bytes = try file.bytes() } catch {
        throw SettingsError(problems: ["the record of the settings cannot be read: \(error)"])
    }
    guard let record = SettingsRecord(bytes: bytes) else {
        throw SettingsError(problems: ["the record of the settings is none"])
    }
    return try load(record.access)
}
