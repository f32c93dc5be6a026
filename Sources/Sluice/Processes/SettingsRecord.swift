// What settings were read from, so that every process has the same, whatever the files say by then.

import Clock
import EventLoop
import FastCGI
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
        let log: Settings.Log
        /// How long requests may take to end when Sluice ends.
        let drain: Duration
    }

    let head: Head
    let startOnly: StartOnlySettings
    let files: Contents
    let lists: Lists

    /// How settings are read from it.
    var access: FileAccess {
        let (files, lists) = (files, lists)
        return FileAccess(
            read: { path throws(SystemError) in
                guard let file = files.first(where: { $0.path.utf8.elementsEqual(path.utf8) }) else {
                    throw SystemError(path, code: ENOENT)
                }
                return try file.content.get()
            },
            list: { pattern throws(SystemError) in
                guard let list = lists.first(where: { $0.pattern.utf8.elementsEqual(pattern.utf8) }) else { return [] }
                return try list.paths.get()
            })
    }
}

/// What only a start can change, as it was then: all processes have that, also those that are started after reloads.
struct StartOnlySettings: Sendable, Equatable {
    /// As `Settings.startOnlyText` has it.
    let text: String
    /// The settings file; nil when there was none.
    let file: String?
    /// The numbers of `socket.allowed_users`, whose accounts may be gone by now; none for all.
    let allowedUsers: [UInt32]

    init(text: String, file: String?, allowedUsers: [UInt32]) {
        (self.text, self.file, self.allowedUsers) = (text, file, allowedUsers)
    }

    /// - Throws: as `SocketAccess.allowedUserIDs`.
    init(_ loaded: LoadedSettings) throws {
        self.init(
            text: loaded.settings.startOnlyText, file: loaded.file, allowedUsers: try loaded.settings.socket.allowedUserIDs())
    }
}

// MARK: As a file

extension SettingsRecord {
    /// A file for a record to be written to.
    ///
    /// - Throws: `SystemError` when the process is out of descriptors.
    static func emptyFile() throws(SystemError) -> MemoryFile { try MemoryFile("sluice settings") }

    /// A file of it.
    ///
    /// - Throws: `SystemError` when the process is out of descriptors, or the machine of memory.
    func file() throws(SystemError) -> MemoryFile {
        let file = try Self.emptyFile()
        try file.write(bytes)
        return file
    }

    /// - Throws: `SettingsError` that says why it is no record.
    init(reading file: MemoryFile) throws(SettingsError) {
        self = try Self.read { () throws(SystemError) in SettingsRecord(bytes: try file.bytes()) }
    }

    fileprivate static func read<Part>(_ part: () throws(SystemError) -> Part?) throws(SettingsError) -> Part {
        do throws(SystemError) {
            if let part = try part() { return part }
        } catch {
            throw SettingsError(problems: ["the record of the settings cannot be read: \(error)"])
        }
        throw SettingsError(problems: ["the record of the settings is not whole"])
    }
}

extension SettingsRecord.Head {
    /// More than there can be: the longest thing in it is the path of a log, which a settings file has named.
    static let bytesMax = 2 << 20

    /// Reads no more of a record than this, and none of the files in it.
    ///
    /// - Throws: `SettingsError` that says why it is no record.
    init(reading file: MemoryFile) throws(SettingsError) {
        self = try SettingsRecord.read { () throws(SystemError) in
            let beginning = try file.bytes(atMost: 2 * Netstring.prefixBytesMax)
            guard file.isSealed, let record = Netstring.contentRange(in: beginning[...]), try file.size == record.upperBound + 1,
                let head = Netstring.contentRange(in: beginning[record.lowerBound...]), head.count <= Self.bytesMax
            else { return nil }
            let bytes = try file.bytes(atMost: head.upperBound)
            return bytes.count == head.upperBound ? Self(bytes: bytes[head]) : nil
        }
    }
}

// MARK: As bytes

/// All of it is one netstring, and so is each part of it, each in its place: who writes it and who reads it are the same program. JSON or
/// TOML would have to encode the files' bytes, which may be anything, and the master would need a parser for it.
extension SettingsRecord {
    var bytes: [UInt8] {
        let files = files.flatMap { Self.parts($0.path, $0.content) }
        let lists = lists.flatMap { list in
            Self.parts(list.pattern, list.paths.map { Netstring.joined($0.map { Array($0.utf8) }) })
        }
        return Netstring.joined([
            Netstring.joined([head.bytes, startOnly.bytes, Netstring.joined(files), Netstring.joined(lists)])
        ])
    }

    /// - Returns: nil for what is no record, or not all of one.
    init?(bytes: [UInt8]) {
        guard let record = Netstring.split(bytes[...]), record.count == 1,
            let parts = Netstring.split(record[0]), parts.count == 4,
            let head = Head(bytes: parts[0]), let startOnly = StartOnlySettings(bytes: parts[1]),
            let files = Self.results(parts[2], { Array($0) }),
            let lists = Self.results(parts[3], { Netstring.split($0)?.map(\.text) })
        else { return nil }
        (self.head, self.startOnly) = (head, startOnly)
        self.files = files.map { ($0.name, $0.result) }
        self.lists = lists.map { ($0.name, $0.result) }
    }

    /// A name, the number of an error or nothing, and what there is without one.
    private static func parts(_ name: String, _ result: Result<[UInt8], SystemError>) -> [[UInt8]] {
        switch result {
        case .success(let content): [Array(name.utf8), [], content]
        case .failure(let error): [Array(name.utf8), Array("\(error.code)".utf8), []]
        }
    }

    /// What such parts say; nil for others.
    private static func results<Value>(
        _ bytes: ArraySlice<UInt8>, _ value: (ArraySlice<UInt8>) -> Value?
    ) -> [(name: String, result: Result<Value, SystemError>)]? {
        guard let parts = Netstring.split(bytes), parts.count.isMultiple(of: 3) else { return nil }
        var results: [(name: String, result: Result<Value, SystemError>)] = []
        for index in stride(from: 0, to: parts.count, by: 3) {
            let (name, error, content) = (parts[index].text, parts[index + 1], parts[index + 2])
            if error.isEmpty {
                guard let value = value(content) else { return nil }
                results.append((name, .success(value)))
            } else {
                guard let code = Int32(error.text) else { return nil }
                results.append((name, .failure(SystemError(name, code: code))))
            }
        }
        return results
    }
}

extension StartOnlySettings {
    fileprivate var bytes: [UInt8] {
        let users = allowedUsers.map { Array("\($0)".utf8) }
        return Netstring.joined([Array(text.utf8), Array((file ?? "").utf8), Netstring.joined(users)])
    }

    fileprivate init?(bytes: ArraySlice<UInt8>) {
        guard let parts = Netstring.split(bytes), parts.count == 3, let users = Netstring.split(parts[2]) else { return nil }
        let numbers = users.compactMap { UInt32($0.text) }
        guard numbers.count == users.count else { return nil }
        self.init(text: parts[0].text, file: parts[1].isEmpty ? nil : parts[1].text, allowedUsers: numbers)
    }
}

extension SettingsRecord.Head {
    fileprivate var bytes: [UInt8] {
        let texts = [
            log.level.rawValue, log.format?.rawValue ?? "", log.destination.text, "\(log.fileBytesMax)",
            "\(log.filesCount)", "\(log.slow.nanoseconds)", "\(drain.nanoseconds)",
        ]
        return Netstring.joined(texts.map { Array($0.utf8) })
    }

    fileprivate init?(bytes: ArraySlice<UInt8>) {
        guard let texts = Netstring.split(bytes)?.map(\.text), texts.count == 7,
            let level = Logger.Level(rawValue: texts[0]), let destination = Settings.Log.Destination(text: texts[2]),
            let fileBytesMax = Int(texts[3]), let filesCount = Int(texts[4]), let slow = Int64(texts[5]),
            let drain = Int64(texts[6])
        else { return nil }
        let format = Settings.Log.Format(rawValue: texts[1])
        guard format != nil || texts[1].isEmpty else { return nil }
        let log = Settings.Log(
            level: level, format: format, destination: destination, fileBytesMax: fileBytesMax, filesCount: filesCount,
            slow: .nanoseconds(slow))
        self.init(log: log, drain: .nanoseconds(drain))
    }
}

extension ArraySlice<UInt8> {
    fileprivate var text: String { String(decoding: self, as: UTF8.self) }
}
