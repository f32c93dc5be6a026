// Sockets at paths, as other processes leave and use them.

import CLinux
import EventLoop
import Foundation
import Glibc

/// A directory of one test's own.
final class TemporaryDirectory {
    private let root: String

    init() throws {
        root = "/tmp/fastcgi-\(UUID().uuidString.prefix(13))"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
    }

    func path(_ name: String) -> String { root + "/" + name }

    /// The files in it.
    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: root).sorted() }

    deinit { try? FileManager.default.removeItem(atPath: root) }
}

/// The type and permissions of the file at `path` itself; `nil` when there is none.
func mode(of path: String) -> mode_t? {
    var status = stat()
    return unsafe lstat(path, &status) == 0 ? status.st_mode : nil
}

/// Whether a process listens at `path`.
func connects(to path: String) throws -> Bool {
    let client = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(client) }
    return connect(client, to: path) == 0
}

/// Connects to `path`, or throws.
func connectedDescriptor(to path: String) throws -> Descriptor {
    let client = try SystemError.check("socket", socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
    let descriptor = Descriptor(owning: client)
    _ = try SystemError.check("connect", connect(client, to: path))
    return descriptor
}

/// Binds a socket to `path`. With a backlog it listens, with 0 its queue is full as well, and its descriptors are
/// returned; without, it is closed again, as by a process that died.
@discardableResult
func leaveSocket(at path: String, backlog: Int32? = nil) throws -> [Int32] {
    let server = try SystemError.check("socket", socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
    _ = try SystemError.check("bind", bind(server, to: path))
    guard let backlog else {
        close(server)
        return []
    }
    _ = try SystemError.check("listen", listen(server, backlog))
    guard backlog == 0 else { return [server] }
    let client = try SystemError.check("socket", socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
    _ = try SystemError.check("connect", connect(client, to: path))
    return [server, client]
}

func connect(_ number: Int32, to path: String) -> Int32 {
    unsafe withUnixAddress(path) { unsafe Glibc.connect(number, $0, $1) }
}

private func bind(_ number: Int32, to path: String) -> Int32 {
    unsafe withUnixAddress(path) { unsafe Glibc.bind(number, $0, $1) }
}

private func withUnixAddress(_ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    return unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            unsafe call(pointer, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
}
