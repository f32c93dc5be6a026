// Directories that go away with their tests.

import Foundation
import Synchronization

/// A directory that goes away with its last owner.
package final class TemporaryDirectory: Sendable {
    package let path: String

    /// Short enough for a unix socket in it.
    package init() throws {
        let root = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        path = "\(root)/sluice-\(ProcessInfo.processInfo.processIdentifier)-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        Self.leftovers.note(path)
    }

    deinit { Self.leftovers.remove(path) }

    /// Servers whose threads wait until the process ends keep theirs until then.
    private static let leftovers = Leftovers()

    fileprivate static func removeAll() { leftovers.removeAll() }

    package func path(_ name: String) -> String { "\(path)/\(name)" }

    @discardableResult
    package func write(_ text: String, to name: String) throws -> String {
        try write(Array(text.utf8), to: name)
    }

    @discardableResult
    package func write(_ bytes: [UInt8], to name: String) throws -> String {
        let file = path(name)
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }

    package func read(_ name: String) throws -> String {
        try String(decoding: Data(contentsOf: URL(fileURLWithPath: path(name))), as: UTF8.self)
    }
}

/// The directories that are there now, and go when the process ends at the latest.
private final class Leftovers: Sendable {
    private let paths = Mutex<Set<String>>([])

    init() {
        atexit { TemporaryDirectory.removeAll() }
    }

    func note(_ path: String) { paths.withLock { _ = $0.insert(path) } }

    func remove(_ path: String) {
        paths.withLock { _ = $0.remove(path) }
        // A server on its way out may take a file away at the same time; the next attempt does not meet it any more.
        for _ in 0..<10 where FileManager.default.fileExists(atPath: path) {
            do { try FileManager.default.removeItem(atPath: path) } catch { continue }
        }
    }

    func removeAll() { for path in paths.withLock({ $0 }) { remove(path) } }
}

/// The root of the repository that these tests belong to.
package let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
