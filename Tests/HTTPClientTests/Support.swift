// What the client's tests share: a gate for scripts, requests in few words, and a response's parts.

import Clock
import Dispatch
import EventLoop
import Foundation
import Glibc
import HTTPClient
import Testing

/// Holds a script's thread until the test lets it on, once for each opening.
final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    func open() { semaphore.signal() }
    func wait() { semaphore.wait() }
}

/// Tries with one limit, and then with longer ones: on a busy machine a limit may strike before what has to come ahead of it. The test
/// fails when no limit is long enough.
///
/// - Parameter attempt: whether the limit was long enough.
func withLongerAndLongerLimits(
    from first: Duration, isolation: isolated (any Actor)? = #isolation, _ attempt: (Duration) async throws -> Bool
) async rethrows {
    for doublings in 0..<6 where try await attempt(first * (1 << doublings)) { return }
    Issue.record("no limit was long enough")
}

extension HTTPBody {
    /// In parts, of which some may be empty.
    init(_ bytes: [UInt8], cutAt ends: [Int]) {
        let cuts = [0] + ends.map { min($0, bytes.count) } + [bytes.count]
        self.init(followedBy: zip(cuts, cuts.dropFirst()).map { bytes[$0..<$1] })
    }
}

extension HTTPRequest {
    static func get(_ url: String, connect: Duration = .seconds(10), total: Duration = .seconds(300)) -> HTTPRequest {
        HTTPRequest(.get, url, connectTimeout: connect, totalTimeout: total)
    }

    static func post(_ url: String, _ body: String, headers: [(name: String, value: String)] = []) -> HTTPRequest {
        HTTPRequest(
            .post, url, headers: headers, body: Array(body.utf8), connectTimeout: .seconds(10), totalTimeout: .seconds(300))
    }
}

extension Transfer {
    /// Waits for the head; `nil` when the deadline came first.
    func head(until deadline: Instant = .distantFuture) async throws(HTTPError) -> ResponseHead? {
        while true {
            if let head = try takeHead() { return head }
            if Instant.current >= deadline { return nil }
            await wakeup.wait(until: deadline)
        }
    }

    func text() -> String { String(decoding: takeBytes(), as: UTF8.self) }

    /// The rest of the body.
    func rest() async throws(HTTPError) -> [UInt8] {
        var bytes: [UInt8] = []
        while try await next() == .bytes { bytes += self.takeBytes() }
        return bytes
    }
}

extension Session {
    /// Starts the request and hands its transfer to `body`. When `body` returns the transfer has ended or is cancelled.
    ///
    /// Cancelling the calling task cancels the transfer at once. The transfer is of no use after `body`.
    func withTransfer<Result>(
        _ request: consuming HTTPRequest, _ body: (Transfer) async throws -> Result
    ) async throws -> Result {
        let transfer = try start(consume request, waking: Wakeup(on: loop))
        defer { transfer.cancel() }
        return try await loop.withCancellation {
            try await body(transfer)
        } onCancel: {
            transfer.cancel()
        }
    }

    /// The whole response.
    func fetch(_ request: HTTPRequest) async throws -> (head: ResponseHead?, body: String) {
        try await withTransfer(request) { transfer in
            let head = try await transfer.head()
            return (head, String(decoding: try await transfer.rest(), as: UTF8.self))
        }
    }

    /// How the request fails, and with how many bytes of the body before that.
    func failure(of request: HTTPRequest) async -> (error: HTTPError?, body: Int) {
        var count = 0
        do {
            try await withTransfer(request) { transfer in
                _ = try await transfer.head()
                while try await transfer.next() == .bytes { count += transfer.takeBytes().count }
            }
            return (nil, count)
        } catch {
            return (error as? HTTPError, count)
        }
    }
}

/// Those of the whole process, some of which may be closed by now.
func openDescriptors() -> [Int32] {
    do {
        return try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { Int32($0) }
    } catch {
        Issue.record(error)
        return []
    }
}

/// This process's ends of connections to a port of 127.0.0.1.
func descriptorsConnected(to port: UInt16) -> Int { openDescriptors().count { isConnected($0, to: port) } }

func isConnected(_ descriptor: Int32, to port: UInt16) -> Bool {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getpeername(descriptor, $0, &length) }
    }
    return result == 0 && address.sin_family == AF_INET && UInt16(bigEndian: address.sin_port) == port
}

/// The inodes of this process's sockets, which a later one at the same descriptor does not share.
func sockets(where isIncluded: (Int32) -> Bool = { _ in true }) -> Set<UInt64> {
    Set(
        openDescriptors().compactMap { descriptor in
            var status = stat()
            guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK, isIncluded(descriptor) else {
                return nil
            }
            return UInt64(status.st_ino)
        })
}
