import Dispatch
import EventLoop
import HTTPClient

/// Holds a script's thread until the test lets it on, once for each opening.
final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    func open() { semaphore.signal() }
    func wait() { semaphore.wait() }
}

extension HTTPRequest {
    static func get(_ url: String, connect: Duration = .seconds(10), total: Duration = .seconds(30)) -> HTTPRequest {
        HTTPRequest(.get, url, connectTimeout: connect, totalTimeout: total)
    }

    static func post(_ url: String, _ body: String, headers: [(name: String, value: String)] = []) -> HTTPRequest {
        HTTPRequest(
            .post, url, headers: headers, body: Array(body.utf8), connectTimeout: .seconds(10), totalTimeout: .seconds(30))
    }
}

extension Transfer {
    /// What has come, as text.
    func text() -> String { take { String(copying: $0) } }

    /// The rest of the body.
    func rest() async throws(HTTPError) -> [UInt8] {
        var bytes: [UInt8] = []
        while try await next() == .bytes { take { bytes.append(copying: $0) } }
        return bytes
    }
}

extension Session {
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
                while try await transfer.next() == .bytes { count += transfer.take { $0.count } }
            }
            return (nil, count)
        } catch {
            return (error as? HTTPError, count)
        }
    }
}

extension String {
    fileprivate init(copying bytes: Span<UInt8>) {
        self.init(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }
}

extension [UInt8] {
    fileprivate mutating func append(copying bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }
}
