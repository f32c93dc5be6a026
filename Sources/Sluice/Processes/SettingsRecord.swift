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

    /// What the master reads of it. Nothing secret is in it.
    struct Head: Sendable, Equatable {
        /// Of the log: all but what only requests need.
        let log: Settings.Log
        /// How long requests may take to end when Sluice ends.
        let drain: Duration
        let start: StartSettings
    }

    let head: Head
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

/// What only a start can change, as it was then: all processes have that, also those that are started after reloads.
struct StartSettings: Sendable, Equatable {
    /// As `Settings.startOnlyText` has it.
    let text: String
    /// The settings file; nil when there was none.
    let file: String?

    init(text: String, file: String?) { (self.text, self.file) = (text, file) }

    init(_ loaded: LoadedSettings) { self.init(text: loaded.settings.startOnlyText, file: loaded.file) }
}

// MARK: As bytes

/// A line with the lengths of the two parts behind it, the head and the rest: what was cut off is no record. In both each entry is a line
/// with a word and two lengths, and behind it a name and a content of these lengths.
extension SettingsRecord {
    private enum Word: String {
        case level, format, to, drain
        /// Of what a start alone can change the file, if there was one, and the text.
        case start
        /// Of a path the bytes, or the number of the error.
        case file, unread
        /// Of a pattern the paths, with a NUL behind each, or the number of the error.
        case list, unlisted
    }

    private typealias Entry = (word: Word, name: String, content: ArraySlice<UInt8>)

    /// What the first line and the head have at most: the head has two paths, some addresses, some users.
    private static let lineBytesMax = 64
    private static let headBytesMax = 256 << 10

    var bytes: [UInt8] {
        var rest: [UInt8] = []
        for (path, content) in files {
            switch content {
            case .success(let content): Self.append(.file, path, content, to: &rest)
            case .failure(let error): Self.append(.unread, path, Array("\(error.code)".utf8), to: &rest)
            }
        }
        for (pattern, paths) in lists {
            switch paths {
            case .success(let paths): Self.append(.list, pattern, paths.flatMap { Array($0.utf8) + [0] }, to: &rest)
            case .failure(let error): Self.append(.unlisted, pattern, Array("\(error.code)".utf8), to: &rest)
            }
        }
        let head = head.bytes
        return Array("record \(head.count) \(rest.count)\n".utf8) + head + rest
    }

    /// - Returns: nil for what is no record, or not all of one.
    init?(bytes: [UInt8]) {
        guard let (headRange, end) = Self.parts(bytes), end == bytes.count, let head = Head(bytes: bytes[headRange]),
            let entries = Self.entries(bytes[headRange.upperBound...])
        else { return nil }
        var (files, lists): (Contents, Lists) = ([], [])
        for (word, name, content) in entries {
            switch word {
            case .file: files.append((name, .success(Array(content))))
            case .unread:
                guard let error = Self.error(name, content) else { return nil }
                files.append((name, .failure(error)))
            case .list:
                let paths = content.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
                lists.append((name, .success(paths)))
            case .unlisted:
                guard let error = Self.error(name, content) else { return nil }
                lists.append((name, .failure(error)))
            case .level, .format, .to, .drain, .start: return nil
            }
        }
        (self.head, self.files, self.lists) = (head, files, lists)
    }

    private static func error(_ name: String, _ content: ArraySlice<UInt8>) -> SystemError? {
        Int32(String(decoding: content, as: UTF8.self)).map { SystemError(name, code: $0) }
    }

    /// By the first line.
    ///
    /// - Returns: where the head is, and where all of it ends.
    private static func parts(_ bytes: [UInt8]) -> (head: Range<Int>, end: Int)? {
        guard let lineEnd = bytes.prefix(lineBytesMax).firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let words = String(decoding: bytes[..<lineEnd], as: UTF8.self).split(separator: " ")
        guard words.count == 3, words[0] == "record", let headCount = Int(words[1]), let restCount = Int(words[2]),
            0...headBytesMax ~= headCount, 0...(1 << 40) ~= restCount, bytes.count - lineEnd - 1 >= headCount
        else { return nil }
        let head = (lineEnd + 1)..<(lineEnd + 1 + headCount)
        return (head, head.upperBound + restCount)
    }

    private static func append(_ word: Word, _ name: String, _ content: [UInt8] = [], to bytes: inout [UInt8]) {
        bytes += Array("\(word.rawValue) \(name.utf8.count) \(content.count)\n".utf8)
        bytes += Array(name.utf8)
        bytes += content
    }

    private static func entries(_ bytes: ArraySlice<UInt8>) -> [Entry]? {
        var (rest, entries): (ArraySlice<UInt8>, [Entry]) = (bytes, [])
        while !rest.isEmpty {
            guard let entry = entry(&rest) else { return nil }
            entries.append(entry)
        }
        return entries
    }

    private static func entry(_ rest: inout ArraySlice<UInt8>) -> Entry? {
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

extension SettingsRecord.Head {
    fileprivate var bytes: [UInt8] {
        var bytes: [UInt8] = []
        SettingsRecord.append(.level, log.level.rawValue, to: &bytes)
        if let format = log.format { SettingsRecord.append(.format, format.rawValue, to: &bytes) }
        SettingsRecord.append(.to, log.destination.text, to: &bytes)
        SettingsRecord.append(.drain, "\(drain.nanoseconds)", to: &bytes)
        SettingsRecord.append(.start, start.file ?? "", Array(start.text.utf8), to: &bytes)
        return bytes
    }

    fileprivate init?(bytes: ArraySlice<UInt8>) {
        guard let entries = SettingsRecord.entries(bytes) else { return nil }
        var (log, drain, start) = (Settings.Log(), Duration?.none, StartSettings?.none)
        for (word, name, content) in entries {
            switch word {
            case .level:
                guard let level = Logger.Level(rawValue: name) else { return nil }
                log.level = level
            case .format:
                guard let format = Settings.Log.Format(rawValue: name) else { return nil }
                log.format = format
            case .to:
                guard let destination = Settings.Log.Destination(text: name) else { return nil }
                log.destination = destination
            case .drain:
                guard let nanoseconds = Int64(name) else { return nil }
                drain = .nanoseconds(nanoseconds)
            case .start:
                start = StartSettings(text: String(decoding: content, as: UTF8.self), file: name.isEmpty ? nil : name)
            case .file, .unread, .list, .unlisted: return nil
            }
        }
        guard let drain, let start else { return nil }
        self.init(log: log, drain: drain, start: start)
    }

    /// Reads no more of a record than this.
    ///
    /// - Throws: `SettingsError` that says why it is no record.
    init(reading file: MemoryFile) throws(SettingsError) {
        self = try SettingsRecord.read { () throws(SystemError) in
            let bytes = try file.bytes(atMost: SettingsRecord.lineBytesMax + SettingsRecord.headBytesMax)
            guard file.isSealed, let (head, end) = SettingsRecord.parts(bytes), try file.size == end else { return nil }
            return Self(bytes: bytes[head])
        }
    }
}

extension SettingsRecord {
    /// - Throws: `SettingsError` that says why it is no record.
    init(reading file: MemoryFile) throws(SettingsError) {
        self = try Self.read { () throws(SystemError) in SettingsRecord(bytes: try file.bytes()) }
    }

    private static func read<Part>(_ part: () throws(SystemError) -> Part?) throws(SettingsError) -> Part {
        do throws(SystemError) {
            if let part = try part() { return part }
        } catch {
            throw SettingsError(problems: ["the record of the settings cannot be read: \(error)"])
        }
        throw SettingsError(problems: ["the record of the settings is not whole"])
    }
}
