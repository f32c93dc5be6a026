// HTTP/1.1 on a connection (RFC 9112): one request at a time.

import Clock
import EventLoop

/// What is spoken on a connection between a request and the end of its response.
final class HTTP1 {
    /// With as few bytes as this a body goes out together with its head.
    private static let smallBodyBytesMax = 16 << 10

    /// The two keep each other until the connection is closed, so that a transfer keeps both.
    private let connection: Connection
    private var transfer: Transfer?
    private var parser = ResponseParser(for: .head)
    /// How many bytes of the request's body the connection has.
    private var bodySent = 0
    /// Whether the answer before was one to HEAD. Servers that send a body behind it, which RFC 9110 §9.3.2 forbids, send it where the next
    /// answer would begin.
    private var isBehindHEAD = false
    /// How the response that has just become whole leaves the connection.
    private var ending: Ending?

    /// Whether the next request may use the connection (RFC 9112 §9.3), or it is to be closed.
    private enum Ending { case kept, spent }

    init(on connection: Connection) { self.connection = connection }

    // MARK: Sending

    func start(_ transfer: Transfer) {
        guard let outgoing = transfer.outgoing else { return transfer.fail(.cancelled) }
        self.transfer = transfer
        transfer.begin(on: .http1(self))
        parser = ResponseParser(for: outgoing.request)
        let buffer = connection.context.output
        buffer.removeAll()
        buffer.appendHead(of: outgoing.request, to: transfer.destination, connection.context.clientFields)
        bodySent = 0
        if outgoing.request.hasBody, outgoing.request.body.count <= Self.smallBodyBytesMax {
            while bodySent < outgoing.request.body.count {
                bodySent += unsafe outgoing.request.body.withBytes(from: bodySent, countMax: .max) {
                    unsafe buffer.append($0)
                    return $0.count
                }
            }
        }
        connection.willSend(outgoing.request.body.count - bodySent)
        connection.write(buffer)
        sendBody()
    }

    /// As much of the body as the socket takes.
    func sendBody() {
        guard let outgoing = transfer?.outgoing, outgoing.request.hasBody else { return dropRequest() }
        while bodySent < outgoing.request.body.count, connection.takesMore {
            bodySent += unsafe outgoing.request.body.withBytes(from: bodySent, countMax: Connection.unsentBytesMax) {
                unsafe connection.write($0)
                return $0.count
            }
        }
        dropRequest()
    }

    /// On a connection that has served nobody before, a request goes out once.
    private func dropRequest() {
        guard let transfer, isBodySent, connection.isFresh || (isBehindHEAD ? parser.hasStatusLine : parser.hasBegun) else {
            return
        }
        transfer.dropRequest()
    }

    private var isBodySent: Bool {
        guard let outgoing = transfer?.outgoing, outgoing.request.hasBody else { return true }
        return bodySent == outgoing.request.body.count
    }

    // MARK: Receiving

    func receive(_ bytes: UnsafeRawBufferPointer) {
        guard let transfer, ending == nil else { return surplusArrived() }
        var cursor = 0
        repeat {
            switch unsafe passBody(of: bytes, from: &cursor, to: transfer) {
            case .more:
                if transfer.outgoing != nil { dropRequest() }
                return
            case .head: takeHead(for: transfer)
            case .body: break
            case .end:
                let isKept = parser.allowsReuse && isBodySent && connection.isSent && cursor == bytes.count
                ending = isKept ? .kept : .spent
            case .failed(let error): lost(error)
            }
        } while ending == nil && self.transfer != nil
    }

    /// Gives the transfer what comes of the body, in one access to the parser.
    ///
    /// - Returns: what comes behind it.
    private func passBody(
        of bytes: UnsafeRawBufferPointer, from cursor: inout Int, to transfer: Transfer
    ) -> ResponseParser.Event {
        let input = unsafe bytes.assumingMemoryBound(to: UInt8.self).span
        return parser.next(in: input, from: &cursor, keeping: connection.context.keptHeaders) { range in
            unsafe transfer.receive(UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
    }

    /// A proxy that wants credentials is no verdict of the server's on the request.
    private func takeHead(for transfer: Transfer) {
        let head = parser.takeHead()
        let pool = connection.pool
        guard head.status == 407, let proxy = pool.route.proxy, !pool.isTunnelled else { return transfer.receive(head) }
        transfer.fail(.unreachable(reason: ProxyTunnel.refusal(407, hasCredentials: proxy.authorization != nil)))
    }

    /// What nobody asked for reaches nobody.
    private func surplusArrived() {
        if ending == nil { connection.close() } else { ending = .spent }
    }

    /// All that came with one read has been received.
    func settle() {
        if let ending { return end(ending) }
        if let transfer, transfer.mustPause() { connection.pause() }
    }

    private func end(_ ending: Ending) {
        guard let transfer else { return }
        self.transfer = nil
        self.ending = nil
        connection.isFresh = false
        isBehindHEAD = transfer.method == .head
        switch ending {
        case .kept:
            connection.willSend(0)
            connection.pool.release(connection)
        case .spent: connection.close()
        }
        transfer.finish(isKept: ending == .kept)
    }

    func resume() { connection.resume() }

    // MARK: Ending

    /// The transfer has ended before its response did.
    func abandon() {
        transfer = nil
        connection.close()
    }

    /// Nothing more will come.
    func ended(isProved: Bool) {
        if let ending { return end(ending == .kept ? .spent : ending) }
        guard transfer != nil else { return connection.close() }
        guard let error = parser.endOfInput(isProved: isProved) else { return end(.spent) }
        lost(error)
    }

    func lost(_ error: HTTPError) {
        // What comes behind a whole answer takes nothing from it.
        if ending != nil { return end(.spent) }
        guard let transfer else { return connection.close() }
        let isRead = transfer.isSentOnce && isBodySent && connection.mayHaveBeenRead
        self.transfer = nil
        let mayHaveBeenDead = !connection.isFresh && !parser.hasBegun && error.meansDeadConnection && !isRead
        let isBodyOfHEAD = isBehindHEAD && !parser.hasStatusLine && error.isMalformed
        connection.close()
        transfer.connectionLost(isKept: mayHaveBeenDead || isBodyOfHEAD, error)
    }
}

extension HTTPError {
    /// A server that takes nothing, or floods, is there.
    var meansDeadConnection: Bool {
        switch self {
        case .timedOut, .malformed: false
        default: true
        }
    }

    fileprivate var isMalformed: Bool { if case .malformed = self { true } else { false } }
}

extension [UInt8] {
    /// Request line and header fields (RFC 9112 §3, §5).
    mutating func appendHead(of request: HTTPRequest, to destination: Destination, _ clientFields: ClientFields) {
        append(utf8: request.method.name)
        append(contentsOf: destination.lines)
        request.forEachField(to: destination.url, clientFields) { part in
            switch part {
            case .block(let block): append(contentsOf: block.lines)
            case .field(let name, let value): appendField(name, value)
            case .contentLength(let count):
                append(utf8: "Content-Length: ")
                append(decimal: count)
                appendLineEnd()
            }
        }
        appendLineEnd()
    }
}
