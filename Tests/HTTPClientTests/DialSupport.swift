// Addresses, listening sockets and resolvers for tests that dial.

import CLinux
import Dispatch
import Glibc
import Synchronization
import TestSupport

@testable import EventLoop
@testable import HTTPClient

func address(_ numeric: String, _ port: UInt16 = 0) throws -> SocketAddress {
    guard let address = SocketAddress(numeric: numeric, port: port) else { throw NotNumeric(text: numeric) }
    return address
}

struct NotNumeric: Error { let text: String }

/// A listening socket whose connections the kernel makes; nobody accepts them.
final class KernelListener: Sendable {
    private let descriptors = Mutex<[Int32]>([])

    /// - Parameters:
    ///   - isDeaf: whether its queue is full, so that whoever connects hears nothing at all.
    ///   - isListening: a bound socket that does not listen refuses. One that was closed may live on in a child process of another
    ///     test for a moment.
    init(_ address: SocketAddress, isDeaf: Bool = false, isListening: Bool = true) throws {
        let listener = open(address)
        var one: Int32 = 1
        unsafe setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        let bound = unsafe address.withPointer { unsafe bind(listener, $0, $1) }
        guard bound == 0 else { throw CannotListen(code: errno) }
        guard !isListening || Glibc.listen(listener, isDeaf ? 0 : 64) == 0 else { throw CannotListen(code: errno) }
        for _ in 0..<(isDeaf ? 4 : 0) {
            let waiting = open(address)
            _ = unsafe address.withPointer { unsafe connect(waiting, $0, $1) }
        }
    }

    struct CannotListen: Error { let code: Int32 }

    private func open(_ address: SocketAddress) -> Int32 {
        let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        descriptors.withLock { $0.append(descriptor) }
        return descriptor
    }

    /// The next connection; it has been made before.
    func accept() -> Int32 {
        descriptors.withLock { descriptors in
            let accepted = accept4(descriptors[0], nil, nil, Int32(SOCK_CLOEXEC.rawValue))
            if accepted >= 0 { descriptors.append(accepted) }
            return accepted
        }
    }

    func close(_ accepted: Int32) {
        descriptors.withLock { $0.removeAll { $0 == accepted } }
        _ = Glibc.close(accepted)
    }

    deinit { descriptors.withLock { for descriptor in $0 { _ = Glibc.close(descriptor) } } }
}

/// A resolver that answers each name at once with the same addresses.
func fixedResolver(_ numeric: [String]) throws -> Resolver {
    let addresses = try numeric.map { try address($0) }
    return Resolver(answer: { _ in .addresses(addresses) })
}

extension LoopActor {
    func dial(
        _ target: DialTarget, _ resolver: Resolver = .shared, delay: Duration = .milliseconds(250)
    ) async -> Result<StreamSocket, HTTPError> {
        let done = Wakeup(on: loop)
        var result: Result<StreamSocket, HTTPError>?
        let dialer = Dialer(to: target, resolver: resolver, nameLifetime: .seconds(60), delay: delay, on: loop) {
            result = $0
            done.wake()
        }
        dialer.start()
        while true {
            if let result { return result }
            await done.wait()
        }
    }

    /// Asks and, where that is needed, waits.
    func look(up host: String, in resolver: Resolver) async -> Result<[SocketAddress], HTTPError> {
        let done = Wakeup(on: loop)
        var result: Result<[SocketAddress], HTTPError>?
        let answer = resolver.addresses(of: host, lifetime: .seconds(60), on: loop) {
            result = $0
            done.wake()
        }
        switch answer {
        case .known(let addresses): return .success(addresses)
        case .failed(let error): return .failure(error)
        case .pending(let lookUp):
            while true {
                if let result { return withExtendedLifetime(lookUp) { result } }
                await done.wait()
            }
        }
    }

    /// Looks again each turn: no event tells.
    func wait(until condition: () -> Bool) async {
        while !condition() { await loop.sleep(for: .milliseconds(1)) }
    }

    /// What the loop holds for somebody.
    var leftovers: (watches: Int, hasTimer: Bool) { (loop.watches.count { $0 != nil }, loop.timers.first != nil) }
}

/// The inodes of sockets, which a later one at the same descriptor does not share.
extension LoopActor {
    /// Of those that the loop watches.
    var watchedSockets: Set<UInt64> { Set(loop.watches.compactMap { $0.flatMap { inode($0.descriptor) } }) }
}

/// Of all that the process has.
func openSockets() -> Set<UInt64> { Set(openDescriptors().compactMap(inode)) }

private func inode(_ descriptor: Int32) -> UInt64? {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
    return UInt64(status.st_ino)
}

extension Result where Failure == HTTPError {
    var error: HTTPError? { if case .failure(let error) = self { error } else { nil } }
}

/// How many sockets of the calling thread's network, that somebody holds, are connected or connecting to a port.
///
/// Exact in a network where nobody else opens and closes any meanwhile.
func openSockets(to port: UInt16) throws -> Int {
    try ["tcp", "tcp6"].reduce(0) { sum, file in
        let table = try contents(ofKernelFile: "/proc/thread-self/net/\(file)")
        return sum
            + table.split(separator: "\n").dropFirst().count { line in
                let fields = line.split(separator: " ")
                guard let remote = fields[2].split(separator: ":").last else { return false }
                return UInt16(remote, radix: 16) == port && fields[9] != "0"
            }
    }
}

/// The kernel hands such a file over in pieces of any size.
private func contents(ofKernelFile path: String) throws -> String {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw CannotRead(code: errno) }
    defer { close(descriptor) }
    var (bytes, part) = ([UInt8](), [UInt8](repeating: 0, count: 64 << 10))
    while case let count = unsafe read(descriptor, &part, part.count), count > 0 { bytes += part[..<count] }
    return String(decoding: bytes, as: UTF8.self)
}

/// Lets this process open nothing more until it closes something.
func useUpDescriptors() {
    let highest = openDescriptors().max() ?? 0
    var limit = rlimit(rlim_cur: rlim_t(highest) + 1, rlim_max: rlim_t(highest) + 1)
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    while dup(0) >= 0 {}
}

struct CannotRead: Error { let code: Int32 }

/// Holds threads until it is opened, once for each.
final class Turnstile: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    func open() { semaphore.signal() }
    func pass() { semaphore.wait() }
}
